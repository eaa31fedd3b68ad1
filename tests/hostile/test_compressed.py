"""Hostile compressed files: what every command answers, whatever the compression."""

import bz2
import gzip
import io
import json
import lzma
import os
import pickle
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import lz4.frame
import pytest
import zstandard

from ckptkit.cli.app import status
from tests.corpus import CHECKOUT


class Marker:
    """Pickles as a call of `os.getpid`, which does nothing."""

    def __reduce__(self) -> tuple[object, ...]:
        return os.getpid, ()


Pack = Callable[[bytes], bytes]
PACK: dict[str, Pack] = {
    "bz2": bz2.compress,
    "gz": gzip.compress,
    "lz4": lz4.frame.compress,
    "xz": lzma.compress,
    "zst": zstandard.compress,
}
PLAIN = (CHECKOUT / "fixtures" / "torch" / "bare" / "model.pt").read_bytes()
BAD = pickle.dumps(Marker())
BENIGN = pickle.dumps({"a": 1})


def state(data: bytes) -> bytes:
    """Return a torch zip with this pickle."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("model/data.pkl", data)
        archive.writestr("model/version", b"3\n")
    return packed.getvalue()


def tarred(**members: bytes) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, data in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return packed.getvalue()


def nested(pack: Pack) -> bytes:
    made = BENIGN
    for _ in range(8):
        made = pack(made)
    return made


UNSAFE, MALFORMED, CLEAN, NOTHING = "unsafe", "malformed", "data-only", "unsupported"
SHAPES: dict[str, tuple[Callable[[Pack], bytes], str]] = {
    "a payload": (lambda pack: pack(BAD), UNSAFE),
    "a payload in a torch zip": (lambda pack: pack(state(BAD)), UNSAFE),
    "a payload in a tar": (lambda pack: pack(tarred(one=BENIGN, two=BAD)), UNSAFE),
    "a payload in the same compression twice": (lambda pack: pack(pack(BAD)), UNSAFE),
    "a payload in the second stream": (lambda pack: pack(BENIGN) + pack(BAD), UNSAFE),
    "a payload that two streams share": (lambda pack: pack(BAD[:9]) + pack(BAD[9:]), UNSAFE),
    "a payload behind an empty stream": (lambda pack: pack(b"") + pack(BAD), UNSAFE),
    "a payload in front of what breaks off": (lambda pack: pack(BAD)[:-1], MALFORMED),
    "a payload behind the streams": (lambda pack: pack(BENIGN) + BAD, MALFORMED),
    "a torch zip behind the streams": (lambda pack: pack(BENIGN) + state(BAD), MALFORMED),
    "junk behind the streams": (lambda pack: pack(BENIGN) + b"junk!", MALFORMED),
    "half a stream behind the first": (lambda pack: pack(BENIGN) + pack(BAD)[:-3], MALFORMED),
    "cut": (lambda pack: pack(PLAIN)[: len(pack(PLAIN)) // 2], MALFORMED),
    "empty": (lambda pack: pack(b""), MALFORMED),
    "a bomb": (lambda pack: pack(PLAIN + bytes(40 << 20)), MALFORMED),
    "a bomb of a pickle": (lambda pack: pack(b"\x80\x04B\0\0\0\3" + bytes(48 << 20) + b"."), MALFORMED),
    "nested too deep": (nested, MALFORMED),
    "text": (lambda pack: pack(b"a log\n" * 100), NOTHING),
    "data": (lambda pack: pack(BENIGN), CLEAN),
    "data in two streams": (lambda pack: pack(BENIGN) + pack(BENIGN), CLEAN),
    "a state dict": (lambda pack: pack(PLAIN), CLEAN),
    "a tar of data": (lambda pack: pack(tarred(one=BENIGN)), CLEAN),
}
SCANNED = {UNSAFE: 1, MALFORMED: 2, CLEAN: 0, NOTHING: 2}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("suffix", PACK)
def test_a_scan_says_what_it_is(
    suffix: str, shape: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make, verdict = SHAPES[shape]
    path = tmp_path / f"x.{suffix}"
    path.write_bytes(make(PACK[suffix]))
    code = status(["scan", str(path), "--format", "json"])
    said = capsys.readouterr()
    (result,) = json.loads(said.out)["results"]
    assert (result["verdict"], code) == (verdict, SCANNED[verdict])
    assert "Traceback" not in said.err


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("suffix", PACK)
def test_nothing_but_a_sound_checkpoint_is_read(
    suffix: str, shape: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make, verdict = SHAPES[shape]
    path, target = tmp_path / f"x.{suffix}", tmp_path / "out"
    path.write_bytes(make(PACK[suffix]))
    done = status(["convert", str(path), "--to", "deploy", "-o", str(target)])
    assert (done == 0) is (shape == "a state dict")
    assert target.exists() is (done == 0)
    assert status(["inspect", str(path)]) == (0 if done == 0 else 2 if verdict != UNSAFE else done)
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert "internal error" not in said
    assert sorted(one.name for one in tmp_path.iterdir()) == sorted(
        {path.name, *(["out"] if done == 0 else [])}
    )


def test_there_are_enough() -> None:
    assert len(SHAPES) >= 20
    assert len(PACK) == 5
