"""Whatever archive we take, Python and torch read the same members and tensors out of it.

The archives are seeded changes of real ones; nothing is written to disk.
"""

import io
import warnings
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from random import Random

import pytest
import torch

from ckptkit.errors import CkptkitError
from ckptkit.model.dtype import BY_TORCH
from ckptkit.model.inert import Instance
from ckptkit.model.tensor import Tensor
from ckptkit.storage.source import MemorySource
from ckptkit.storage.torch_file import from_zip, is_torch_zip
from ckptkit.storage.zip import ZipArchive
from fuzz.make_corpus import seeds
from fuzz.mutation import mutated
from tests.readers.torch_truth import facts
from tests.storage.zips import M, zip64, zip_bytes

BATCHES, ARCHIVES = 8, 2500
assert BATCHES * ARCHIVES >= 20_000
MOST_BYTES = 1 << 24
MOST_ELEMENTS = 1 << 20


def small() -> dict[str, object]:
    weight = torch.arange(6.0).reshape(2, 3)
    return {"w": weight, "t": weight.t(), "part": weight[1], "b": torch.zeros(2, dtype=torch.bool)}


def saved(root: object, **how: bool) -> bytes:
    buffer = io.BytesIO()
    torch.save(root, buffer, **how)
    return buffer.getvalue()


@cache
def given() -> tuple[bytes, ...]:
    """Return archives to change: all that the fuzzing starts from, and small ones of every form."""
    forms = [
        zip_bytes(M("r/a", b"alpha" * 9, method, flags, descriptor=form), M("r/b", b"beta"), wide=wide)
        for method in (0, 8)
        for flags, form in ((0x800, b""), *((0x808, length) for length in ("12", "16", "20", "24")))
        for wide in (None, {})
    ]
    forms += [zip_bytes(M("r/a", b"alpha", local_extra=zip64(5, 5)), M("r/ü", b""))]
    plain = saved(small())
    again = zipfile.ZipFile(io.BytesIO(plain))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in again.namelist():
            archive.writestr(name, again.read(name))
    own = [plain, packed.getvalue(), saved([small(), {"x": 1}]), saved({}), saved({"e": torch.zeros(0, 3)})]
    return (*forms, *own * 8, *seeds("zip").values())


def archives(batch: int) -> Iterator[bytes]:
    for number in range(ARCHIVES):
        random = Random(batch * ARCHIVES + number)
        yield mutated("zip", random.choice(given()), random)


def ours(archive: ZipArchive) -> dict[str, bytes]:
    """Return the members that we read; those that do not match their CRC are left out."""
    found = {}
    for name in archive.members:
        with suppress(CkptkitError):
            found[name] = archive.read(name, MOST_BYTES)
    return found


def compare_with_python(data: bytes, archive: ZipArchive, members: dict[str, bytes]) -> None:
    with zipfile.ZipFile(io.BytesIO(data)) as other:
        assert sorted(other.namelist()) == sorted(archive.members)
        assert {name: other.read(name) for name in members} == members


def compare_with_torch(data: bytes, archive: ZipArchive, members: dict[str, bytes]) -> bool:
    """Return whether torch takes the archive; where it refuses one, that is no other reading."""
    root, *others = {name.partition("/")[0] for name in archive.members} or {""}
    try:
        reader = torch._C.PyTorchFileReader(io.BytesIO(data))
    except (RuntimeError, UnicodeDecodeError):  # the latter where its message quotes a name
        return False
    if others:  # no file of torch's, so that we read no tensors from it
        with pytest.raises(CkptkitError):
            from_zip(archive)
        return False
    assert sorted(f"{root}/{name}" for name in reader.get_all_records()) == sorted(archive.members)
    assert {name: reader.get_record(name.removeprefix(f"{root}/")) for name in members} == members
    return True


def tensors(value: object, place: str = "") -> Iterator[tuple[str, object]]:
    """Yield the tensors in plain containers, and what is described only, each with its place."""
    match value:
        case Tensor() | torch.Tensor() | Instance():
            yield place, value
        case dict():
            for number, (key, item) in enumerate(value.items()):
                name = repr(key) if isinstance(key, str | int) else f"entry {number}"
                yield from tensors(item, f"{place}/{name}")
        case list() | tuple():
            for number, item in enumerate(value):
                yield from tensors(item, f"{place}/{number}")


def ours_said(tensor: Tensor) -> tuple[str, tuple[int, ...], str]:
    from ckptkit.digest import tensor_sha256

    return tensor.dtype.name, tensor.shape, tensor_sha256(tensor)


def is_small(value: object) -> bool:
    return isinstance(value, Tensor) and value.numel < MOST_ELEMENTS


def is_plain(tensor: torch.Tensor) -> bool:
    """Whether we read a tensor: sparse, quantized, meta and some other ones we describe only."""
    dense = (
        str(tensor.dtype).removeprefix("torch.") in BY_TORCH
        and tensor.layout == torch.strided
        and not tensor.is_quantized
        and not tensor.is_meta
    )
    return dense and tensor.numel() < MOST_ELEMENTS


def torch_loaded(data: bytes) -> object:
    """Return what torch reads, without running anything; None where it refuses."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return torch.load(io.BytesIO(data), weights_only=True)
        except Exception:  # noqa: BLE001 - torch raises all kinds
            return None


def compare_tensors(archive: ZipArchive, data: bytes, seen: Counter[str]) -> None:
    try:
        found = dict(tensors(from_zip(archive).root))
        said = {place: ours_said(value) for place, value in found.items() if is_small(value)}
    except CkptkitError:
        return
    seen["torch zip"] += 1
    wanted = torch_loaded(data)
    if wanted is None:
        return
    held = {place: facts(tensor) for place, tensor in tensors(wanted) if is_plain(tensor)}
    assert {place: held.get(place) for place in said} == said
    assert held.keys() <= found.keys()  # none is left out without a word
    seen["same tensors"] += bool(said)


def compare(data: bytes, seen: Counter[str]) -> None:
    try:
        archive = ZipArchive.open(MemorySource(data, "x.zip"))
    except CkptkitError:
        return
    seen["taken"] += 1
    members = ours(archive)
    compare_with_python(data, archive, members)
    seen["read by torch"] += compare_with_torch(data, archive, members)
    if is_torch_zip(archive):
        compare_tensors(archive, data, seen)


@pytest.mark.parametrize("batch", range(BATCHES))
def test_every_archive_that_we_take_has_one_reading(batch: int) -> None:
    seen: Counter[str] = Counter()
    made = 0
    for data in archives(batch):
        compare(data, seen)
        made += 1
    assert made == ARCHIVES
    assert seen["taken"] >= ARCHIVES // 5
    assert seen["same tensors"] >= ARCHIVES // 50
