"""The strict zip reader: what it refuses, and that the others agree with what it accepts."""

import io
import struct
import time
import tracemalloc
import zipfile
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ckptkit.errors import LimitExceededError, UnreadableCheckpointError
from ckptkit.storage.source import FileSource, MemorySource
from ckptkit.storage.zip import ZipArchive, is_zip
from ckptkit.storage.zip.names import _WRONG, _problem
from tests.storage.counting import Counting
from tests.storage.zips import M, deflate, extra, opened, zip64, zip_bytes

A, B = M("r/a", b"alpha"), M("r/b", b"beta!!")
UNICODE_NAME = extra(0x7075, b"\1" + struct.pack("<L", zlib.crc32(b"r/a")) + b"r/z")

REFUSED = {
    "empty file": (b"", "truncated"),
    "cut": (zip_bytes(A, B)[:-3], "truncated"),
    "half": (zip_bytes(A, B)[:60], "truncated"),
    "prefix": (zip_bytes(A, prefix=b"\x80\x02."), "3 bytes before the first"),
    "prefix, offsets not moved": (b"junk" + zip_bytes(A), "should end at byte"),
    "suffix": (zip_bytes(A, suffix=b"junk"), "behind the zip end record"),
    "comment": (zip_bytes(A, comment=b"hello"), "comment behind"),
    "two zips": (zip_bytes(A) + zip_bytes(B), "should end at byte"),
    "end record in a comment": (zip_bytes(A, comment=zip_bytes(B)), "should end at byte"),
    "bytes before the directory": (zip_bytes(A, between=b"hidden"), "6 bytes behind the member"),
    "gap": (zip_bytes(M("r/a", b"1", gap=b"hidden"), B), "6 bytes behind the member"),
    "hidden member": (zip_bytes(M("r/a", b"1", gap=zip_bytes(B)[:39]), B), "belong to nothing"),
    "duplicate": (zip_bytes(A, M("r/a", b"evil")), "'r/a' stands twice"),
    "case": (zip_bytes(M("r/DATA.PKL"), M("r/data.pkl")), "in case only"),
    "casefold": (zip_bytes(M("r/straße"), M("r/STRASSE")), "in case only"),
    "overlap": (zip_bytes(A, M("r/b", b"beta!!", central={"offset": 2})), "no local header|overlaps"),
    "same header twice": (zip_bytes(A, M("r/b", b"alpha", central={"offset": 0})), "overlaps|another name"),
    "local name": (zip_bytes(M("r/a", b"1", local={"name": b"r/e"})), "another name"),
    "local name longer": (zip_bytes(M("r/a", b"1", local={"name": b"r/aa"})), "another name|overlaps"),
    "local size": (zip_bytes(M("r/a", b"11", local={"size": 1})), "another size or CRC"),
    "local packed size": (zip_bytes(M("r/a", b"11", local={"packed": 1})), "another size or CRC"),
    "local crc": (zip_bytes(M("r/a", b"11", local={"crc": 1})), "another size or CRC"),
    "local zero without descriptor": (zip_bytes(M("r/a", b"11", local={"crc": 0})), "another size or CRC"),
    "local method": (zip_bytes(M("r/a", b"1", local={"method": 8})), "another method"),
    "encrypted": (zip_bytes(M("r/a", b"1", flags=0x801)), "is encrypted"),
    "encrypted centrally": (zip_bytes(M("r/a", b"1", central={"flags": 0x801})), "is encrypted"),
    "encrypted locally": (zip_bytes(M("r/a", b"1", local={"flags": 0x801})), "other flags"),
    "strong encryption": (zip_bytes(M("r/a", b"1", flags=0x841)), "is encrypted"),
    "masked": (zip_bytes(M("r/a", b"1", flags=0x2800)), "is encrypted"),
    "patch": (zip_bytes(M("r/a", b"1", flags=0x820)), "unknown flags"),
    "AES": (zip_bytes(M("r/a", b"1", central_extra=extra(0x9901, b"1234567"))), "encryption"),
    "bzip2": (zip_bytes(M("r/a", b"1", method=12)), "unknown compression method 12"),
    "stored with two sizes": (
        zip_bytes(M("r/a", b"11", central={"size": 9}, local={"size": 9})),
        "two different",
    ),
    "empty with CRC": (zip_bytes(M("r/a", central={"crc": 9}, local={"crc": 9})), "CRC that is not 0"),
    "directory": (zip_bytes(M("r/")), "that of a directory"),
    "dos directory": (zip_bytes(M("r", central={"external": 0x10})), "marked as a directory"),
    "symlink": (zip_bytes(M("r/a", b"/etc/passwd", central={"external": 0o120777 << 16})), "is a link"),
    "fifo": (zip_bytes(M("r/a", central={"external": 0o010644 << 16})), "is a link"),
    "no name": (zip_bytes(M("")), "is empty"),
    "dot dot": (zip_bytes(M("r/../a")), "leaves its folder"),
    "leading dot dot": (zip_bytes(M("../a")), "leaves its folder"),
    "dot": (zip_bytes(M("r/./a")), "leaves its folder"),
    "empty part": (zip_bytes(M("r//a")), "empty part"),
    "absolute": (zip_bytes(M("/r/a")), "is absolute"),
    "drive": (zip_bytes(M("C:r")), "is absolute"),
    "backslash": (zip_bytes(M("r\\a")), "backslash"),
    "NUL": (zip_bytes(M("r/a\0.pkl")), "control"),
    "newline": (zip_bytes(M("r/a\n")), "control"),
    "not UTF-8": (zip_bytes(M(b"r/\xff")), "not text"),
    "not ASCII without the flag": (zip_bytes(M("r/é", flags=0)), "not text"),
    "second name": (zip_bytes(M("r/a", b"1", central_extra=UNICODE_NAME)), "a second name"),
    "second local name": (zip_bytes(M("r/a", b"1", local_extra=UNICODE_NAME)), "a second name"),
    "extra cut": (zip_bytes(M("r/a", b"1", central_extra=b"FB\1")), "middle of a part"),
    "extra too long": (zip_bytes(M("r/a", b"1", local_extra=b"FB\x09\0Z")), "longer than the field"),
    "member comment": (zip_bytes(M("r/a", b"1", comment=b"x")), "comment"),
    "member on disk 2": (zip_bytes(M("r/a", b"1", central={"disk": 2})), "another disk"),
    "version": (zip_bytes(M("r/a", b"1", central={"version": 64})), "asks for version 64"),
    "two disks": (zip_bytes(A, end={"disk": 1}), "split over several"),
    "two disks by zip64": (zip_bytes(A, wide={"disks": 2}), "split over several"),
    "count too small": (zip_bytes(A, B, end={"here": 1, "count": 1}), "behind the last record"),
    "count too large": (zip_bytes(A, B, end={"here": 3, "count": 3}), "fewer members"),
    "count differs": (zip_bytes(A, B, end={"here": 1}), "split over several"),
    "directory size": (zip_bytes(A, end={"size": 3}), "should end at byte"),
    "directory offset": (zip_bytes(A, end={"offset": 3}), "should end at byte"),
    "zip64 count lies": (zip_bytes(A, wide={"count": 2, "here": 2}), "zip end record says 1"),
    "zip64 offset lies": (zip_bytes(A, wide={"offset": 2}), "where the zip64 end record says"),
    "zip64 elsewhere": (zip_bytes(A, wide={"locator": 2}), "not where its locator says"),
    "zip64 longer": (zip_bytes(A, wide={"length": 45}), "not of the known form"),
    "zip64 size missing": (zip_bytes(M("r/a", b"11", central={"size": 0xFFFFFFFF})), "announced and missing"),
    "zip64 sizes short": (
        zip_bytes(
            M("r/a", b"11", central={"size": 0xFFFFFFFF, "packed": 0xFFFFFFFF}, central_extra=zip64(2))
        ),
        "2 zip64 values are announced and 1",
    ),
    "zip64 unasked": (
        zip_bytes(M("r/a", b"11", central_extra=zip64(3, 3))),
        "0 zip64 values are announced and 2",
    ),
    "zip64 size lies": (
        zip_bytes(M("r/a", b"11", central={"size": 0xFFFFFFFF}, central_extra=zip64(3))),
        "two different sizes",
    ),
    "zip64 offset of a member lies": (
        zip_bytes(M("r/a", b"11", central={"offset": 0xFFFFFFFF}, central_extra=zip64(1 << 40))),
        "before the first|overlaps",
    ),
    "zip64 doubled": (
        zip_bytes(M("r/a", b"11", central={"size": 0xFFFFFFFF}, central_extra=zip64(2) + zip64(3))),
        "doubled",
    ),
    "zip64 local lies": (zip_bytes(M("r/a", b"11", local_extra=zip64(3, 3))), "zip64 sizes of the local"),
    "zip64 local missing": (zip_bytes(M("r/a", b"11", local={"size": 0xFFFFFFFF})), "another size"),
    "descriptor crc": (
        zip_bytes(M("r/a", b"1", flags=0x808, descriptor=b"PK\7\x08" + bytes(12))),
        "descriptor has",
    ),
    "descriptor missing": (zip_bytes(M("r/a", b"1", flags=0x808)), "belong to nothing"),
    "descriptor unannounced": (zip_bytes(M("r/a", b"1", descriptor="16")), "another size"),
    "descriptor unsigned": (
        zip_bytes(M("r/a", b"", flags=0x808, descriptor=bytes(16))),
        "no signature",
    ),
}


@pytest.mark.parametrize(("data", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_refuses_by_name(data, message):
    with pytest.raises(UnreadableCheckpointError, match=message) as caught:
        opened(data)
    assert caught.value.where.startswith("x.zip")
    assert "\n" not in str(caught.value)


ACCEPTED = {
    "empty archive": zip_bytes(),
    "plain": zip_bytes(A, B),
    "padding": zip_bytes(M("r/a", b"1", local_extra=extra(0x4246, b"Z" * 40))),
    "timestamps": zip_bytes(M("r/a", b"1", central_extra=extra(0x5455, b"\1abcd"))),
    "zip64 end": zip_bytes(A, B, wide={}),
    "zip64 end, classic one full": zip_bytes(
        A, wide={}, end={"here": 0xFFFF, "count": 0xFFFF, "size": 0xFFFFFFFF, "offset": 0xFFFFFFFF}
    ),
    "zip64 sizes": zip_bytes(
        M("r/a", b"11", local={"size": 0xFFFFFFFF, "packed": 0xFFFFFFFF}, local_extra=zip64(2, 2))
    ),
    "zip64 sizes repeated": zip_bytes(M("r/a", b"11", local_extra=zip64(2, 2))),
    "zip64 offset": zip_bytes(
        M(
            "r/a",
            b"11",
            flags=0x808,
            descriptor="24",
            central={"offset": 0xFFFFFFFF},
            central_extra=zip64(0),
            local_extra=zip64(0),
        )
    ),
    "zip64 central": zip_bytes(
        M("r/a", b"11", central={"size": 0xFFFFFFFF, "packed": 0xFFFFFFFF}, central_extra=zip64(2, 2))
    ),
    "zip64 as torch writes a member of 4 GiB": zip_bytes(
        A, M("r/b", b"11", flags=0x808, descriptor="24", local_extra=zip64(2, 0) + extra(0x4246, b"ZZ"))
    ),
    "zip64 as torch writes a member behind 4 GiB": zip_bytes(
        M("r/b", b"11", flags=0x808, descriptor="24", local_extra=zip64(0)), M("r/c", local_extra=zip64(71))
    ),
    "unix regular file": zip_bytes(M("r/a", b"1", central={"external": 0o100644 << 16})),
    "deflated": zip_bytes(M("r/a", b"1" * 1000, method=8)),
}
for form in ("12", "16", "20", "24"):
    ACCEPTED[f"descriptor {form}"] = zip_bytes(M("r/a", b"11", flags=0x808, descriptor=form), B)


@pytest.mark.parametrize("data", ACCEPTED.values(), ids=ACCEPTED.keys())
def test_what_is_accepted_python_reads_alike(data):
    agrees_with_zipfile(data)


def agrees_with_zipfile(data):
    archive = opened(data)
    with zipfile.ZipFile(io.BytesIO(data)) as oracle:
        assert list(archive.members) == oracle.namelist()
        for info in oracle.infolist():
            assert archive.read(info.filename, 1 << 20) == oracle.read(info)
            archive.check_crc(info.filename)
            assert archive.members[info.filename].size == info.file_size


class Pipe(io.RawIOBase):
    """A target that cannot seek, so that zipfile writes data descriptors."""

    def __init__(self):
        self.parts = []

    def writable(self):
        return True

    def write(self, data):
        self.parts.append(bytes(data))
        return len(data)


@pytest.mark.parametrize("seekable", [True, False])
@pytest.mark.parametrize("force", [True, False])
@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_reads_what_zipfile_writes(seekable, force, method):
    target = io.BytesIO() if seekable else Pipe()
    with zipfile.ZipFile(target, "w", method) as made:
        for name, data in (
            ("data", b"{}" * 999),
            ("policy.pth", bytes(range(256))),
            ("empty", b""),
            ("é", b"x"),
        ):
            with made.open(name, "w", force_zip64=force) as member:
                member.write(data)
    agrees_with_zipfile(target.getvalue() if seekable else b"".join(target.parts))


names = st.text("abcDEF._-é ", min_size=1, max_size=8).filter(lambda n: n not in (".", ".."))


@given(st.dictionaries(names, st.binary(max_size=300), max_size=6), st.booleans(), st.integers(0, 1 << 30))
def test_any_changed_byte_is_refused_or_changes_nothing_for_python(files, deflated, seed):
    """No reading differs from Python's, whatever single byte is changed."""
    if len({name.casefold() for name in files}) != len(files):
        return
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED if deflated else zipfile.ZIP_STORED) as made:
        for name, data in files.items():
            made.writestr(name, data)
    data = bytearray(target.getvalue())
    agrees_with_zipfile(bytes(data))
    data[seed % len(data)] ^= 1 << seed % 8
    try:
        archive = opened(bytes(data))
        contents = {name: archive.read(name, 1 << 20) for name in archive.members}
    except UnreadableCheckpointError:
        return
    with zipfile.ZipFile(io.BytesIO(bytes(data))) as oracle:
        assert contents == {name: oracle.read(name) for name in oracle.namelist()}


@given(st.binary(max_size=200))
def test_junk_is_refused_without_other_errors(junk):
    for data in (junk, b"PK\3\4" + junk, junk + zip_bytes(A), zip_bytes() + junk + zip_bytes()[-22:]):
        try:
            opened(data)
        except UnreadableCheckpointError:
            continue
        assert data in (zip_bytes(), zip_bytes(A))


def test_is_zip_goes_by_the_first_bytes():
    assert is_zip(zip_bytes(A))
    assert is_zip(zip_bytes())
    assert not is_zip(b"PK\7\x08" + bytes(99))
    assert not is_zip(b"")


def test_a_wrong_crc_is_seen_by_read_by_check_and_by_reading_through():
    data = zip_bytes(M("r/a", b"alpha", central={"crc": 1}, local={"crc": 1}), B)
    for use in (
        lambda a: a.read("r/a", 99),
        lambda a: a.check_crc("r/a"),
        lambda a: (a.source_of("r/a").read(0, 2), a.source_of("r/a").read(2, 3)),
    ):
        archive = opened(data)
        for _ in range(2):
            with pytest.raises(UnreadableCheckpointError, match="do not match the CRC"):
                use(archive)
        assert archive.read("r/b", 99) == b"beta!!"


def test_members_and_limits():
    archive = opened(zip_bytes(A, B))
    assert archive.source_of("r/a") is archive.source_of("r/a")
    assert archive.source_of("r/a").name == "x.zip:r/a"
    with pytest.raises(LimitExceededError, match="5 bytes, over the limit of 4"):
        archive.read("r/a", 4)
    with pytest.raises(UnreadableCheckpointError, match="no member 'r/c'"):
        archive.read("r/c", 4)
    with pytest.raises(UnreadableCheckpointError, match="truncated or corrupt"):
        archive.source_of("r/a").read(3, 3)


def test_members_are_in_the_order_of_the_file():
    swapped = [M("r/a", b"1", central={"offset": 34}), M("r/b", b"2", central={"offset": 0})]
    data = bytearray(zip_bytes(*swapped))
    first, second = data[:34], data[34:68]
    data[:68] = second + first
    assert list(opened(bytes(data)).members) == ["r/b", "r/a"]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (zip_bytes(M("r/" + "a" * 1030)), "member name of 1032 bytes"),
        (
            zip_bytes(A, wide={"count": 1 << 40, "here": 1 << 40}, end={"count": 0xFFFF, "here": 0xFFFF}),
            "members in",
        ),
        (zip_bytes(M("r/a", bytes(4 << 20), method=8)), "over 200 times as much"),
        (
            zip_bytes(M("r/a", b"1" * 999, method=8, local={"size": 1 << 31}, central={"size": 1 << 31})),
            "over 200 times",
        ),
    ],
)
def test_bounds(data, message):
    with pytest.raises(LimitExceededError, match=message):
        opened(data)


def test_all_deflated_members_together_are_bounded(monkeypatch):
    monkeypatch.setattr("ckptkit.storage.zip.MAX_INFLATED_BYTES", 1500)
    data = zip_bytes(M("r/a", b"1" * 1000, method=8), M("r/b", b"1" * 1000, method=8))
    with pytest.raises(LimitExceededError, match="would grow to 2000 bytes, over the limit of 1500"):
        opened(data)


def broken_deflate(packed: bytes, size: int, crc: int) -> bytes:
    wrong = {"method": 8, "size": size, "crc": crc}
    return zip_bytes(M("r/a", packed, central=wrong, local=wrong))


TEXT = b"".join(b"%d " % i for i in range(5000))


@pytest.mark.parametrize(
    ("packed", "size", "crc", "message"),
    [
        (deflate(TEXT)[:-9], len(TEXT), zlib.crc32(TEXT), "ends early"),
        (deflate(TEXT) + b"more", len(TEXT), zlib.crc32(TEXT), "inflates to"),
        (deflate(TEXT), len(TEXT) - 1, zlib.crc32(TEXT), "inflates to more than"),
        (deflate(TEXT), len(TEXT) + 1, zlib.crc32(TEXT), "inflates to"),
        (deflate(TEXT), len(TEXT), 77, "CRC"),
        (b"\xff" * 300, 200, 77, "corrupt"),
        (b"", 10, 77, "ends early"),
    ],
)
def test_a_broken_deflate_stream_gives_no_byte(packed, size, crc, message):
    archive = opened(broken_deflate(packed, size, crc))
    for _ in range(2):
        with pytest.raises(UnreadableCheckpointError, match=message):
            archive.source_of("r/a").read(0, 1)


def test_random_access_into_a_deflated_member():
    rows = b"".join(struct.pack("<L", (i * 2654435761) % 1000) for i in range(1_500_000))
    source = opened(zip_bytes(M("r/a", rows, method=8))).source_of("r/a")
    for offset in (0, 5_999_999, 3_000_000, 17, 3_000_001, 2 << 20, 5_000_000, 5_000_100):
        length = min(1000, len(rows) - offset)
        assert source.read(offset, length) == rows[offset : offset + length]
    assert source.read(0, len(rows)) == rows
    assert source.read(0, 0) == b""


def test_a_bomb_costs_neither_memory_nor_time():
    data = zip_bytes(M("r/a", bytes(64 << 20), method=8))
    tracemalloc.start()
    started = time.perf_counter()
    with pytest.raises(LimitExceededError):
        opened(data)
    assert time.perf_counter() - started < 0.5
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


def test_inflating_holds_constant_memory():
    rows = bytes(range(256)) * 4 * (16 << 10)
    mixed = bytearray(rows)
    for at in range(0, len(mixed), 97):
        mixed[at] = at * 31 % 251
    data = zip_bytes(M("r/a", bytes(mixed), method=8))
    source = opened(data).source_of("r/a")
    tracemalloc.start()
    for at in range(0, source.size, 1 << 20):
        source.read(at, 1 << 20)
    assert tracemalloc.get_traced_memory()[1] < 4 << 20
    tracemalloc.stop()


@pytest.mark.slow
def test_many_members_open_with_one_read_each(tmp_path):
    path = tmp_path / "many.zip"
    with zipfile.ZipFile(path, "w") as made:
        for i in range(50_000):
            made.writestr(zipfile.ZipInfo(f"archive/data/{i}"), b"0123")
    source = Counting(FileSource(path))
    archive = ZipArchive.open(source)
    assert len(archive.members) == 50_000
    assert source.reads < 50_010  # one a member, and the directory
    assert source.bytes < 2 * path.stat().st_size
    assert archive.read("archive/data/49999", 4) == b"0123"


def test_memory_source_is_enough():
    assert ZipArchive.open(MemorySource(zip_bytes(A), "m")).read("r/a", 5) == b"alpha"


@given(st.text("a./:\\C\x00\n\x7f", max_size=9))
def test_every_wrong_name_has_words(name):
    assert bool(_WRONG.search(name)) is (_problem(name) is not None)
