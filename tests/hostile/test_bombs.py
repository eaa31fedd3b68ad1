"""Small files that would grow: resident memory and time of a whole command, measured in a child process."""

import bz2
import io
import json
import lzma
import random
import shutil
import struct
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from ckptkit.model import ijson
from tests.corpus import CHECKOUT
from tests.storage.pickles.streams import name, text

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="measured through /proc")
MEGABYTES = 100
"""Resident memory of the process, the interpreter's own 26 MB included."""
SECONDS = 5
"""A loose bound on processor time, for slow machines; about 1 on the one that this was written on."""
CHILD = """
import contextlib, io, json, pathlib, re, resource, sys
from ckptkit.cli.app import status
said = io.StringIO()
with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
    code = status(sys.argv[1:])
used = resource.getrusage(resource.RUSAGE_SELF)
# What getrusage says begins with the parent's own peak on Linux.
most = int(re.search(r"VmHWM:\\s+(\\d+)", pathlib.Path("/proc/self/status").read_text())[1])
print(json.dumps([code, most / 1024, used.ru_utime + used.ru_stime, said.getvalue()]))
"""
ITEMS = 700_000


def listed(items: bytes) -> bytes:
    return b"\x80\x04(" + items + b"l."


def counted() -> bytes:
    return b"".join(b"J" + struct.pack("<i", 1000 + i) for i in range(ITEMS))


PICKLES: dict[str, Callable[[], bytes]] = {
    "lists": lambda: listed(b"]" * ITEMS),
    "dicts": lambda: listed(b"}" * ITEMS),
    "filled dicts": lambda: listed(b"}K\x01K\x02s" * ITEMS),
    "sets": lambda: listed(b"\x8f" * ITEMS),
    "tuples": lambda: listed(b"K\x01\x85" * ITEMS),
    "two megabytes of lists in lists": lambda: b"]" * 1_000_000 + b"a" * 999_999 + b".",
    "nothing": lambda: listed(b"N" * 990_000),
    "numbers": lambda: listed(b"(" + counted() + b"l(" + counted() + b"l"),
    "floats": lambda: listed((b"G" + b"\x3f" * 8) * 990_000),
    "texts": lambda: listed(b"".join(b"\x8c\x06%06x" % i for i in range(ITEMS))),
    "wide text": lambda: b"X" + struct.pack("<I", 10_000_000) + b"a" * 9_999_996 + "😀".encode() + b".",
    "integers of 255 bytes": lambda: listed((b"\x8a\xff" + b"\x11" * 255) * 35_000),
    "bytes": lambda: b"B" + struct.pack("<I", 10_000_000) + bytes(10_000_000) + b".",
    "objects": lambda: name("third", "Party") + b"q\x000(" + b"h\x00)\x81" * 240_000 + b"l.",
    "calls": lambda: name("collections", "OrderedDict") + b"q\x000(" + b"h\x00)R" * 240_000 + b"l.",
    "memo": lambda: b"N" + b"".join(b"r" + struct.pack("<I", i) for i in range(1_500_000)) + b".",
    "memo with a gap": lambda: b"Nr" + struct.pack("<I", 1_500_000) + b".",
    "memo by MEMOIZE": lambda: b"\x80\x04N" + b"\x94" * 1_500_000 + b".",
    "dictionary": lambda: b"}(" + b"".join(text(f"{i:06}") + b"N" for i in range(400_000)) + b"u.",
    "opcodes": lambda: b"N" + b"20" * 2_900_000 + b".",
    "names": lambda: b"".join(b"cm\nn%d\n0" % i for i in range(200_000)) + b"N.",
}


def json_of(value: str) -> bytes:
    return f'{{"observation_space":0,"action_space":0,"policy_class":0,"x":{value}}}'.encode()


DATA: dict[str, Callable[[], bytes]] = {
    "keys": lambda: json_of("{" + ",".join(f'"k{i:07}":0' for i in range(ITEMS)) + "}"),
    "objects": lambda: json_of("[" + ",".join(['{"a":1}'] * ITEMS) + "]"),
    "arrays": lambda: json_of("[" + ",".join(["[]"] * ITEMS) + "]"),
    "integers": lambda: json_of("[" + ",".join(["1000"] * ITEMS) + "]"),
    "wide text": lambda: json_of('"' + "a" * 9_000_000 + '\\ud83d\\ude00"'),
}


def measured(path: Path, command: str) -> tuple[int, float, float, str]:
    """Return exit status, MB resident, seconds of processor time, and what was said."""
    run = subprocess.run(
        [sys.executable, "-c", CHILD, command, str(path)], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    code, resident, seconds, said = json.loads(run.stdout)
    return code, resident, seconds, said


def sound_policy() -> bytes:
    with zipfile.ZipFile(CHECKOUT / "fixtures" / "sb3" / "ppo" / "model.zip") as archive:
        return archive.read("policy.pth")


POLICY = sound_policy()
"""It is read before `data`, which a broken one would keep from being read."""


def zipped(path: Path, members: dict[str, bytes], method: int) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for member, data in members.items():
            archive.writestr(zipfile.ZipInfo(member), data, method)
    return path


def assert_cheap(path: Path, command: str = "inspect", codes: tuple[int, ...] = (1, 2)) -> None:
    code, resident, seconds, said = measured(path, command)
    assert code in codes
    assert "internal error" not in said
    assert resident < MEGABYTES, f"{resident:.0f} MB for {path.stat().st_size} bytes"
    assert seconds < SECONDS


STORED, DEFLATED = zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED
HARDEST = ("memo", "texts", "wide text", "numbers", "integers of 255 bytes")
"""Those that deflate least, or grow most."""


@pytest.mark.parametrize(
    ("case", "method"), [*((case, STORED) for case in PICKLES), *((case, DEFLATED) for case in HARDEST)]
)
def test_pickles(case: str, method: int, tmp_path: Path) -> None:
    members = {"model/data.pkl": PICKLES[case](), "model/version": b"3\n"}
    assert_cheap(zipped(tmp_path / "model.pt", members, method))


@pytest.mark.parametrize("method", [STORED, DEFLATED], ids=["stored", "deflated"])
@pytest.mark.parametrize("case", DATA)
def test_data_of_an_agent(case: str, method: int, tmp_path: Path) -> None:
    members = {"data": DATA[case](), "policy.pth": POLICY, "_stable_baselines3_version": b"2.7.0"}
    path = zipped(tmp_path / "agent.zip", members, method)
    for command in ("inspect", "scan"):
        assert_cheap(path, command)


def test_zeros_in_a_storage(tmp_path: Path) -> None:
    members = {"model/data.pkl": b"\x80\x02}.", "model/version": b"3\n", "model/data/0": bytes(300 << 20)}
    path = zipped(tmp_path / "model.pt", members, zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 400_000
    assert_cheap(path)


def test_safetensors_of_arrays(tmp_path: Path) -> None:
    header = b'{"a":[' + b",".join([b"[]"] * 1_400_000) + b"]}"
    (tmp_path / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header)
    assert_cheap(tmp_path / "model.safetensors")


def test_safetensors_of_text_pairs(tmp_path: Path) -> None:
    for count in (99_000, 580_000):
        header = b'{"__metadata__":{' + b",".join(b'"%x":"%030x"' % (i, i) for i in range(count)) + b"}}"
        (tmp_path / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header)
        assert_cheap(tmp_path / "model.safetensors", codes=(0,) if count < 100_000 else (2,))


MANIFESTS: dict[str, tuple[str, Callable[[int], str]]] = {
    "lists in lists": ("model_config", lambda i: "[1000]"),
    "names of extensions": ("critical", lambda i: f'"{i}"'),
    "empty steps": ("preprocessing", lambda i: "{}"),
    "empty files": ("files", lambda i: "{}"),
    "files of the lineage": ("lineage", lambda i: f'{{"path":"{i}"}}'),
    "texts": ("x-texts", lambda i: f'"{i}"'),
    "objects": ("x-objects", lambda i: '{"a":1}'),
}


@pytest.mark.parametrize("share", [0.98, 3], ids=["below the bound", "above"])
@pytest.mark.parametrize("case", MANIFESTS)
def test_manifests(case: str, share: float, tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    shutil.copytree(CHECKOUT / "fixtures" / "conformance" / "graph" / "bundle", folder)
    tree = json.loads((folder / "ckpt.json").read_bytes())
    field, make = MANIFESTS[case]
    count = int(share * ijson.MAX_PARTS) // (ijson.parts(make(100_000).encode()) + 1)
    value = "[" + ",".join(map(make, range(count))) + "]"
    tree[field] = {**tree[field], "files": None} if field == "lineage" else None
    mark = '"files": null' if field == "lineage" else f'"{field}": null'
    text = json.dumps(tree).replace(mark, mark.replace("null", value))
    assert ijson.parts(text.encode()) > share * 0.9 * ijson.MAX_PARTS
    (folder / "ckpt.json").write_text(text, encoding="utf-8")
    assert_cheap(folder, "validate", codes=(1,))


def many_fields() -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive:
        entry = tarfile.TarInfo("a")
        entry.pax_headers = {f"k{i}": "x" for i in range(300_000)}
        archive.addfile(entry)
    return packed.getvalue()


def far_apart() -> bytes:
    """Return a pickle and 84 MiB behind it that xz packs to an eighth."""
    return b"\x80\x04N." + b"".join(random.Random(i).randbytes(8192) * 40 for i in range(270))


SCANNED: dict[str, Callable[[], bytes]] = {
    "pickles": lambda: b"\x80\x02N." * 2_400_000,
    "pickles that name": lambda: b"".join(b"\x80\x02cm\nn%d\n." % i for i in range(600_000)),
    "fields of a tar": many_fields,
    "xz of zeros": lambda: lzma.compress(b"\x80\x04B\0\0\0\3" + bytes(48 << 20) + b"."),
    "bzip2 of zeros": lambda: bz2.compress(b"\x80\x04B\0\0\0\3" + bytes(48 << 20) + b"."),
    "xz of a large dictionary": lambda: lzma.compress(
        far_apart(), filters=[{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 64 << 20}]
    ),
}


@pytest.mark.parametrize("case", SCANNED)
def test_scans(case: str, tmp_path: Path) -> None:
    (tmp_path / "x.pkl").write_bytes(SCANNED[case]())
    assert_cheap(tmp_path / "x.pkl", "scan")


@pytest.mark.parametrize("case", ["texts", "dictionary", "wide text"])
def test_scans_of_torch_zips(case: str, tmp_path: Path) -> None:
    """What was read when an error was raised is let go before the members are looked into."""
    members = {"model/data.pkl": PICKLES[case](), "model/version": b"3\n"}
    assert_cheap(zipped(tmp_path / "model.pt", members, STORED), "scan", codes=(0, 2))


@pytest.mark.parametrize("case", ["empty members", "pickles", "long names"])
def test_members_of_a_zip(case: str, tmp_path: Path) -> None:
    made = {
        "empty members": lambda: {f"{i:x}": b"" for i in range(90_000)},
        "pickles": lambda: {f"{i:x}": b"\x80\x02N." for i in range(60_000)},
        "long names": lambda: {f"{i:04}" + "\U00020000" * 255: b"" for i in range(4_500)},
    }
    path = zipped(tmp_path / "many.zip", made[case](), STORED)
    for command in ("inspect", "scan"):
        assert_cheap(path, command, codes=(0, 2))


def test_there_are_enough() -> None:
    assert len(PICKLES) >= 20
    assert len(DATA) >= 5
    assert len(MANIFESTS) >= 7
    assert len(SCANNED) >= 6
