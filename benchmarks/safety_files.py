"""The files of `safety.py`: hostile ones whose payload only ever names `os.getpid`, and benign ones.

Everything is made here or lies in `fixtures/`; nothing in it does harm where it is loaded after all.
"""

import base64
import gzip
import io
import os
import pickle
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

FIXTURES = Path(__file__).parent.parent / "fixtures"


class Marker:
    """Pickles as a call of `os.getpid`."""

    def __reduce__(self) -> tuple[object, ...]:
        return os.getpid, ()


FORBIDDEN = pickle.dumps(Marker())
BENIGN = pickle.dumps({"a": [1, 2.5, "text"]})


def saved(value: object, **options: object) -> bytes:
    import torch

    packed = io.BytesIO()
    torch.save(value, packed, **options)
    return packed.getvalue()


def zipped(*members: tuple[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, data in members:
            entry = archive.open(zipfile.ZipInfo(name), "w")
            entry.write(data)
            entry.close()
    return packed.getvalue()


def twice(name: str, first: bytes, last: bytes) -> bytes:
    """Return a torch zip with one member twice: torch takes the first, Python the last."""
    made = zipped((f"a/{name}x", first), (f"a/{name}y", last), ("a/version", b"3\n"))
    return made.replace(f"a/{name}x".encode(), f"a/{name}".encode() + b"0").replace(
        f"a/{name}y".encode(), f"a/{name}".encode() + b"0"
    )


def tarred(data: bytes) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        entry = tarfile.TarInfo("model.pkl")
        entry.size = len(data)
        archive.addfile(entry, io.BytesIO(data))
    return packed.getvalue()


def agent(policy: object, cell: bytes = b"") -> bytes:
    """Return a zip with the members of a Stable-Baselines3 agent."""
    text = base64.b64encode(cell or pickle.dumps({"a": 1})).decode()
    data = f'{{"lr_schedule": {{":type:": "x", ":serialized:": "{text}"}}}}'.encode()
    return zipped(("data", data), ("policy.pth", saved(policy)), ("_stable_baselines3_version", b"2.3.0"))


def dotted() -> bytes:
    """Return a pickle that reaches `os.getpid` through an attribute of a harmless module."""
    return b"\x80\x04\x8c\x07pathlib\x8c\x09os.getpid\x93)R."


def text_protocol() -> bytes:
    """Return a pickle of protocol 0, which no first byte marks."""
    return b"cos\ngetpid\n(tR."


def built() -> bytes:
    """Return a pickle that calls by `OBJ` and takes the result away again."""
    return b"\x80\x02(cos\ngetpid\no0N."


def hostile() -> Iterator[tuple[str, str, bytes]]:
    """Yield file name, what it is, and its bytes."""
    broken = pickle.dumps(Marker(), 2)[:-1] + b"\xff"
    yield "call.pkl", "a pickle that calls a function", FORBIDDEN
    yield "protocol0.pkl", "the same in protocol 0", text_protocol()
    yield "object.pkl", "called by OBJ, the result taken away", built()
    yield "dotted.pkl", "reached through an attribute (`pathlib`, `os.getpid`)", dotted()
    yield "broken.pkl", "a call, then an opcode that does not exist", broken
    yield "second.pkl", "a second pickle behind a harmless one", BENIGN + FORBIDDEN
    yield "junk.pkl", "the same with junk between", BENIGN + b"junk" + FORBIDDEN
    yield "nested.pkl", "pickle bytes inside a pickle", pickle.dumps({"cell": FORBIDDEN})
    yield "renamed.txt", "a pickle under another ending", FORBIDDEN
    yield "model.pt", "a torch zip", saved({"a": Marker()})
    yield "legacy.pt", "a legacy torch file", saved({"a": Marker()}, _use_new_zipfile_serialization=False)
    yield "twice-first.pt", "a member twice, the hostile one first", twice("data.pk", FORBIDDEN, BENIGN)
    yield "twice-last.pt", "a member twice, the hostile one last", twice("data.pk", BENIGN, FORBIDDEN)
    yield "polyglot.pt", "a harmless pickle with a torch zip behind it", BENIGN + saved({"a": Marker()})
    yield "agent-policy.zip", "an agent with a hostile `policy.pth`", agent({"a": Marker()})
    yield "agent-cell.zip", "an agent with a hostile cell in `data`", agent({}, FORBIDDEN)
    yield "zip-in-zip.zip", "a pickle in a zip in a zip", zipped(("in.zip", zipped(("a.pkl", FORBIDDEN))))
    yield "model.tar", "a pickle in a tar", tarred(FORBIDDEN)
    yield "model.pkl.gz", "a pickle in gzip", gzip.compress(FORBIDDEN)
    yield "objects.npy", "a numpy array of objects", objects()


def objects() -> bytes:
    import numpy as np

    packed = io.BytesIO()
    np.save(packed, np.array([Marker()], dtype=object), allow_pickle=True)
    return packed.getvalue()


def checklist(folder: Path) -> Iterator[tuple[str, str, Path]]:
    """Write the hostile pickles, zips and agents of `fixtures/make_hostile.py`; yield name, line and path."""
    sys.path.insert(0, str(FIXTURES))
    import make_hostile

    for name, (line, path) in make_hostile.write(folder).items():
        family, _, what = line.partition(": ")
        if family in ("pickle", "zip", "sb3"):
            yield name, what, folder / path


def benign() -> Iterator[tuple[str, str, bytes]]:
    """Yield file name, what it is, and its bytes."""
    import torch

    yield "plain.pkl", "plain data", BENIGN
    yield "state-dict.pt", "a torch state dict", saved(torch.nn.Linear(3, 2).state_dict())
    network = torch.nn.Linear(3, 2)
    optimizer = torch.optim.Adam(network.parameters())
    network(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    yield "optimizer.pt", "an Adam state", saved(optimizer.state_dict())
    yield "random.pt", "random states of torch and numpy", saved(random_states())
    for name in ("ppo", "sac", "dqn", "old_gym"):
        yield (
            f"{name}.zip",
            f"fixture `sb3/{name}`",
            next((FIXTURES / "sb3" / name).glob("*.zip")).read_bytes(),
        )
    for name in ("module", "checkpoint", "bare_legacy", "quantized", "sparse", "layouts"):
        yield (
            f"{name}.pt",
            f"fixture `torch/{name}`",
            next((FIXTURES / "torch" / name).glob("model.p*")).read_bytes(),
        )


def random_states() -> dict[str, object]:
    import numpy as np
    import torch

    return {"torch": torch.get_rng_state(), "numpy": np.random.RandomState(0).get_state()}
