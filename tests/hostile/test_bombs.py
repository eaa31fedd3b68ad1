"""Small files that would grow: resident memory and time of a whole command, measured in a child process."""

import json
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

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
    code = status(["inspect", sys.argv[1]])
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


def measured(path: Path) -> tuple[int, float, float, str]:
    """Return exit status, MB resident, seconds of processor time, and what was said."""
    run = subprocess.run(
        [sys.executable, "-c", CHILD, str(path)], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    code, resident, seconds, said = json.loads(run.stdout)
    return code, resident, seconds, said


def zipped(path: Path, members: dict[str, bytes], method: int) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for member, data in members.items():
            archive.writestr(zipfile.ZipInfo(member), data, method)
    return path


def assert_cheap(path: Path) -> None:
    code, resident, seconds, said = measured(path)
    assert code in {1, 2}
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
    members = {"data": DATA[case](), "policy.pth": b"", "_stable_baselines3_version": b"2.7.0"}
    assert_cheap(zipped(tmp_path / "agent.zip", members, method))


def test_zeros_in_a_storage(tmp_path: Path) -> None:
    members = {"model/data.pkl": b"\x80\x02}.", "model/version": b"3\n", "model/data/0": bytes(300 << 20)}
    path = zipped(tmp_path / "model.pt", members, zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 400_000
    assert_cheap(path)


def test_safetensors_of_arrays(tmp_path: Path) -> None:
    header = b'{"a":[' + b",".join([b"[]"] * 1_400_000) + b"]}"
    (tmp_path / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header)
    assert_cheap(tmp_path / "model.safetensors")


def test_there_are_enough() -> None:
    assert len(PICKLES) >= 20
    assert len(DATA) >= 5
