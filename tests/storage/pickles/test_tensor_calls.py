"""Tensors read in one step are the tensors that their opcodes give one by one, in every respect."""

import io
import random
import re
import zipfile
from collections.abc import Callable, Iterable

import pytest
import torch

from ckptkit.errors import CkptkitError
from ckptkit.model.inert import Instance
from ckptkit.model.tensor import Storage, Tensor
from ckptkit.storage.pickles import tensor_calls
from ckptkit.storage.pickles.machine import MISSING, Machine
from ckptkit.storage.pickles.opcodes import OPCODES, TABLE, table
from ckptkit.storage.pickles.policy import canonical, entry_for
from ckptkit.storage.pickles.torch_values import TypedStorage
from ckptkit.storage.source import MemorySource
from ckptkit.storage.torch_storages import parse_id

ONE_BY_ONE = table(OPCODES)
CHANGES = 4000


def trees() -> dict[str, object]:
    """Return what is saved: every form that a tensor's call takes."""
    shared = torch.arange(24.0)
    trained = torch.nn.Parameter(torch.ones(2, 3))
    adam = torch.optim.Adam([trained])
    trained.sum().backward()
    adam.step()
    return {
        "few": {"a": torch.ones(2, 3), "b": torch.zeros(3)},
        "shapes": {str(n): torch.ones((2,) * n) for n in range(10)},
        "long": {f"layer.{i}.weight": torch.full((300, 2), i) for i in range(90)},
        "numbers": {
            "m": torch.ones(70_000),
            "k": torch.ones(1),
            "none": torch.ones(0),
            "no": torch.ones(3, 0),
        },
        "views": {"all": shared, "part": shared[3:9], "turned": shared.view(4, 6).T, "same": shared},
        "grad": {"w": torch.ones(2, requires_grad=True), "p": trained},
        "optimizer": adam.state_dict(),
        "dtypes": [
            torch.ones(2).to(kind) for kind in (torch.bool, torch.int64, torch.bfloat16, torch.complex128)
        ],
        "odd": [(torch.ones(1),), {"x": [torch.ones(2)]}, torch.Size([2]), "storage", torch.float32],
        "module": torch.nn.Linear(2, 2).state_dict(),
    }


def streams(tree: object) -> Iterable[bytes]:
    """Return the pickle of a torch zip, and the third one of a legacy file."""
    file = io.BytesIO()
    torch.save(tree, file)
    with zipfile.ZipFile(file) as archive:
        yield archive.read(next(name for name in archive.namelist() if name.endswith("data.pkl")))
    legacy = io.BytesIO()
    torch.save(tree, legacy, _use_new_zipfile_serialization=False)
    yield legacy.getvalue()


def find_in(found: dict[str, TypedStorage]) -> Callable[[object], object]:
    def find(pid: object) -> object:
        named = parse_id(pid, "", parts=len(pid) if isinstance(pid, tuple) else 5)
        data = MemorySource(bytes(min(named.nbytes, 1 << 20)), "storage")
        return found.setdefault(named.key, named.typed(Storage(data, False, named.key)))

    return find


def spelled(value: object, depth: int = 0) -> object:
    """Return a value of the machine as something that compares."""
    inner = [value.items()] if isinstance(value, dict) else [value] if isinstance(value, list | tuple) else []
    match value:
        case Tensor():
            plain = (value.dtype.name, value.shape, value.strides, value.offset, value.storage.key)
        case TypedStorage():
            plain = (value.kind, value.numel, value.storage.key)
        case Instance():
            plain, inner = str(value.cls), [value.args]
        case _:
            plain = type(value).__name__ if inner or value is MISSING else repr(value)
    below = [spelled(item, depth + 1) for items in inner for item in items] if depth < 20 else []
    return (plain, getattr(value, "kind", ""), below)


def outcome(data: bytes, handlers: list[Callable[[Machine, int], int]], start: int = 0) -> object:
    """Run a stream; return all that the machine knows at its end, or what it refuses."""
    machine = Machine(data, "x", entry_for, canonical, start, find_in({}))
    try:
        end = machine.run(handlers)
    except CkptkitError as error:
        return (type(error).__name__, re.sub("byte [0-9]+", "byte N", error.what), machine.verdict)
    memo = [spelled(value) for value in machine.memo]
    facts = (machine.verdict, machine.unsafe, dict(machine.facts), repr(machine.sights))
    return end, spelled(machine.root), memo, facts, machine.made, machine.skipped, len(machine.storages)


def starts(data: bytes) -> list[int]:
    """Return where the pickles of a stream, or of a legacy file up to the object, begin."""
    found = [0]
    while data[:14].startswith(b"\x80\x02\x8a\nl\xfc\x9cF") and len(found) < 4:
        machine = Machine(data, "x", entry_for, canonical, found[-1], None)
        found.append(machine.run(TABLE))
    return found[-1:]


CASES = [
    (f"{name}-{kind}", data)
    for name, tree in trees().items()
    for kind, data in zip(("zip", "legacy"), streams(tree), strict=True)
]


@pytest.mark.parametrize(("name", "data"), CASES, ids=[name for name, _ in CASES])
def test_the_same_comes_of_it(name: str, data: bytes) -> None:
    (start,) = starts(data)
    expected = outcome(data, ONE_BY_ONE, start)
    assert isinstance(expected, tuple) and not isinstance(expected[0], str), expected
    assert outcome(data, TABLE, start) == expected


def test_tensors_are_read_in_one_step(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    make = tensor_calls._make
    monkeypatch.setattr(tensor_calls, "_make", lambda *args: (seen.append(1), make(*args)))
    data = dict(CASES)["long-zip"]
    outcome(data, TABLE)
    # Not the first, which spells the names that others recall, nor those on whose way the keys become longer.
    assert len(seen) >= 87


def test_the_work_that_is_counted_is_the_same() -> None:
    data = dict(CASES)["long-zip"]
    counts = []
    for handlers in (ONE_BY_ONE, TABLE):
        machine = Machine(data, "x", entry_for, canonical, 0, find_in({}))
        position = 0
        machine.limit = len(data)
        steps = 0
        while not machine.done:
            position = handlers[data[position]](machine, position + 1)
            steps += 1
        counts.append(machine.opcodes + steps)
    assert counts[0] == counts[1]


@pytest.mark.parametrize("name", ["few-zip", "views-zip", "shapes-zip", "long-zip", "grad-legacy"])
def test_changed_streams_are_read_alike(name: str) -> None:
    data = dict(CASES)[name]
    (start,) = starts(data)
    data = data[start:]
    draw = random.Random(name)
    same = 0
    for _ in range(CHANGES if len(data) < 4000 else CHANGES // 20):
        changed = bytearray(data)
        for _ in range(draw.choice((1, 1, 2, 3))):
            at = draw.randrange(len(changed))
            match draw.randrange(4):
                case 0:
                    changed[at] = draw.randrange(256)
                case 1:
                    changed[at] = draw.choice(b"()hjqrXKMJtQR\x85\x86\x87\x88\x89")
                case 2:
                    del changed[at : at + draw.randrange(1, 6)]
                case _:
                    place = draw.randrange(len(changed))
                    changed[at:at] = changed[place : place + draw.randrange(1, 60)]
        expected = outcome(bytes(changed), ONE_BY_ONE)
        assert outcome(bytes(changed), TABLE) == expected, bytes(changed)
        same += not isinstance(expected[0], str)
    assert same  # some are still whole streams
