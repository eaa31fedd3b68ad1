"""Whatever archive we take, Python and torch read the same members and tensors out of it.

The archives are seeded changes of real ones; nothing is written to disk.
"""

import io
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from random import Random

import pytest
import torch

from ckptkit.errors import CkptkitError
from ckptkit.storage.source import MemorySource
from ckptkit.storage.torch_file import from_zip, is_torch_zip
from ckptkit.storage.zip import ZipArchive
from fuzz.make_corpus import seeds
from fuzz.mutation import mutated
from tests.property.torch_readings import described, same_tensors
from tests.storage.zips import M, zip64, zip_bytes

BATCHES, ARCHIVES = 8, 2500
assert BATCHES * ARCHIVES >= 20_000
MOST_BYTES = 1 << 24


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


def compare_tensors(archive: ZipArchive, data: bytes, seen: Counter[str]) -> None:
    with suppress(CkptkitError):
        found = described(from_zip(archive))
        seen["torch zip"] += 1
        seen["same tensors"] += same_tensors(found, data)


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
