"""`ckptkit scan`: verdicts, places, exit statuses and forms, over our fixtures and files made here."""

import base64
import bz2
import gzip
import io
import json
import lzma
import os
import pickle
import tarfile
import zipfile
from pathlib import Path

import dill
import numpy as np
import pytest
import torch
from sarif_pydantic import Sarif

from ckptkit import scan, schema
from ckptkit.model.finding import Verdict
from ckptkit.model.scanned import Scanned
from tests.conftest import Call
from tests.corpus import CHECKOUT

FIXTURES = CHECKOUT / "fixtures"
CONFORMANCE = FIXTURES / "conformance"


class Marker:
    """Pickles as a call of `os.getpid`, which does nothing."""

    def __reduce__(self) -> tuple[object, ...]:
        return os.getpid, ()


class Thing:
    """A class of some project."""


FORBIDDEN = pickle.dumps(Marker())
BENIGN = pickle.dumps({"a": [1, 2.5, "text"]})


def look(path: Path) -> Scanned:
    (result,) = scan(path).results
    return result


def refused(result: Scanned) -> list[tuple[str, int]]:
    return [(use.where, use.offset) for part in result.parts for use in part.globals if not use.allowed]


def members(**content: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return packed.getvalue()


def tarred(data: bytes) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        entry = tarfile.TarInfo("agent.bin")
        entry.size = len(data)
        archive.addfile(entry, io.BytesIO(data))
    return packed.getvalue()


def saved(value: object, **options: object) -> bytes:
    packed = io.BytesIO()
    torch.save(value, packed, **options)
    return packed.getvalue()


def objects(value: object) -> bytes:
    packed = io.BytesIO()
    np.save(packed, np.array([value], dtype=object), allow_pickle=True)
    return packed.getvalue()


UNSAFE = {
    "pickle": FORBIDDEN,
    "protocol 0": pickle.dumps(Marker(), 0),
    "behind another": BENIGN + FORBIDDEN,
    "behind junk": BENIGN + b"junk" + FORBIDDEN,
    "broken off": pickle.dumps(Marker(), 2)[:-1] + b"\xff",
    "pickle in a pickle": pickle.dumps({"cell": FORBIDDEN}),
    "zip": members(**{"notes.txt": b"hello", "agent.bin": FORBIDDEN}),
    "zip in a zip": members(inner=members(agent=FORBIDDEN)),
    "zip behind a pickle": BENIGN + members(agent=FORBIDDEN),
    "zip behind a script": b"#!/bin/sh\nexit\n" + members(agent=FORBIDDEN),
    "tar": tarred(FORBIDDEN),
    "gzip": gzip.compress(FORBIDDEN),
    "tar in gzip": gzip.compress(tarred(FORBIDDEN)),
    "xz": lzma.compress(FORBIDDEN),
    "tar in bzip2": bz2.compress(tarred(FORBIDDEN)),
    "torch zip in bzip2": bz2.compress(saved({"a": Marker()})),
    "bzip2 in xz": lzma.compress(bz2.compress(FORBIDDEN)),
    "two streams of xz": lzma.compress(FORBIDDEN[:9]) + lzma.compress(FORBIDDEN[9:]),
    "second stream of bzip2": bz2.compress(BENIGN) + bz2.compress(FORBIDDEN),
    "npy": objects(Marker()),
    "npz": members(**{"x.npy": objects(Marker())}),
    "torch zip": saved({"a": Marker()}),
    "legacy torch": saved({"a": Marker()}, _use_new_zipfile_serialization=False),
    "agent with a hostile member": members(
        data=b'{"x": 1}', **{"policy.pth": saved({}), "extra.pth": saved(Marker())}
    ),
    "agent with broken JSON": members(
        data=b'{"x": 1, "x": {":serialized:": "%s"}}' % base64.b64encode(FORBIDDEN),
        **{"policy.pth": saved({})},
    ),
}
"""Files by what they are; every one asks for `os.getpid`."""
INCOMPLETE = {
    "behind junk",
    "broken off",
    "zip behind a pickle",
    "zip behind a script",
    "agent with broken JSON",
}
"""Those that cannot be read to their end besides."""


@pytest.mark.parametrize("name", UNSAFE)
def test_a_forbidden_pickle_is_found_wherever_it_lies(ckptkit: Call, tmp_path: Path, name: str) -> None:
    path = tmp_path / "agent.bin"
    path.write_bytes(UNSAFE[name])
    result = look(path)
    assert result.verdict is Verdict.UNSAFE
    assert refused(result)
    run = ckptkit("scan", path)
    assert run.status == (2 if name in INCOMPLETE else 1)
    assert "CK102 error" in run.out
    assert ("CK101 error" in run.out) == (name in INCOMPLETE)


CLEAN = {
    "pickle": BENIGN,
    "several": BENIGN + pickle.dumps(3),
    "protocol 0": pickle.dumps({"a": 1}, 0),
    "torch zip": saved({"a": torch.ones(3)}),
    "legacy torch": saved({"a": torch.ones(3)}, _use_new_zipfile_serialization=False),
    "npy": objects({"a": 1}),
    "array": pickle.dumps(np.ones(3)),
    "zip": members(readme=b"Hello. This is text.", agent=BENIGN),
    "gzip": gzip.compress(BENIGN),
    "xz": lzma.compress(BENIGN),
    "tar in xz": lzma.compress(tarred(BENIGN)),
    "bzip2": bz2.compress(BENIGN),
}


@pytest.mark.parametrize("name", CLEAN)
def test_data_is_clean(ckptkit: Call, tmp_path: Path, name: str) -> None:
    path = tmp_path / "agent.bin"
    path.write_bytes(CLEAN[name])
    run = ckptkit("scan", path)
    assert (run.status, run.err) == (0, "")
    assert look(path).verdict is Verdict.DATA_ONLY


def test_objects_are_usual_in_a_pickle_and_code_is_not(ckptkit: Call, tmp_path: Path) -> None:
    held, by_value = tmp_path / "held.pkl", tmp_path / "extractor.bin"
    held.write_bytes(pickle.dumps(Thing()).replace(b"tests.cli.test_scan", b"their.cli.test_scan"))
    by_value.write_bytes(dill.dumps(lambda x: x + 41, recurse=True))
    for path in (held, by_value):
        assert look(path).verdict is Verdict.CONTAINS_CODE
        assert ckptkit("scan", path).status == 0
    assert "constants None, 41" in ckptkit("scan", by_value).out.replace("(", "").replace(")", "")
    zipped = tmp_path / "state.pt"
    zipped.write_bytes(members(**{"a/data.pkl": by_value.read_bytes(), "a/version": b"3\n"}))
    run = ckptkit("scan", zipped)
    assert run.status == 1
    assert "CK103" in run.out


TEXTS = (
    "class Foo:\n    def x(self):\n        return 1\n",
    "import os\nos.system('ls')\n",
    "config\nname\n",
    "N. Smith wrote this.\n",
    "(1, 2)\n",
    "{}\n",
    "cost\nof living\n",
    "",
    "I\n1\n",
)


@pytest.mark.parametrize("text", TEXTS)
def test_text_is_no_pickle(tmp_path: Path, text: str) -> None:
    (tmp_path / "notes.txt").write_text(text)
    done = scan(tmp_path)
    assert done.skipped == (str(tmp_path / "notes.txt"),)


def test_nothing_scanned_is_no_success(ckptkit: Call, tmp_path: Path) -> None:
    assert ckptkit("scan", tmp_path).status == 2
    (tmp_path / "notes.md").write_text("hello")
    run = ckptkit("scan", tmp_path)
    assert run.status == 2
    assert "nothing in it was scanned" in run.out
    assert ckptkit("scan", tmp_path / "notes.md").status == 2
    assert ckptkit("scan", tmp_path / "absent").status == 2


@pytest.mark.parametrize(
    "magic",
    [b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07\x01\x00", b"\x5d\x00\x00\x80\x00", b"\x78\x9c", b"BZh91AY"],
)
def test_a_container_that_is_not_opened_is_never_clean(ckptkit: Call, tmp_path: Path, magic: bytes) -> None:
    (tmp_path / "model.pt").write_bytes(magic + bytes(64))
    run = ckptkit("scan", tmp_path)
    assert run.status == 2
    assert look(tmp_path / "model.pt").verdict is Verdict.UNSUPPORTED


def test_containers_are_opened_to_a_depth(ckptkit: Call, tmp_path: Path) -> None:
    path = tmp_path / "nested.zip"
    data = FORBIDDEN
    for depth in range(1, 7):
        data = members(**{f"{depth}.bin": data})
        path.write_bytes(data)
        assert look(path).verdict is (Verdict.UNSAFE if depth < 5 else Verdict.MALFORMED)
        assert ckptkit("scan", path).status == (1 if depth < 5 else 2)


def test_an_error_hides_no_finding(ckptkit: Call, tmp_path: Path) -> None:
    (tmp_path / "bad.pkl").write_bytes(FORBIDDEN)
    (tmp_path / "cut.pkl").write_bytes(BENIGN[:-3])
    (tmp_path / "good.pkl").write_bytes(BENIGN)
    run = ckptkit("scan", tmp_path)
    assert run.status == 2
    for line in ("bad.pkl: unsafe", "cut.pkl: malformed", "good.pkl: data-only"):
        assert line in run.out
    assert "3 files scanned: 1 data-only, 1 malformed, 1 unsafe" in run.out


@pytest.mark.skipif(os.name != "posix", reason="POSIX files")
def test_pipes_and_links_do_no_harm(ckptkit: Call, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "good.pkl").write_bytes(BENIGN)
    assert ckptkit("scan", tmp_path).status == 0
    assert ckptkit("scan", tmp_path / "pipe").status == 2


def test_every_global_has_its_place(ckptkit: Call) -> None:
    run = ckptkit("scan", CONFORMANCE / "sb3-cell-forbidden" / "ppo.zip")
    assert run.status == 1
    assert "refused  os.getpid  data:lr_schedule byte 2: not on the allow-list" in run.out
    assert "allowed  collections.OrderedDict" in run.out
    assert "policy.pth  torch-zip" in run.out


def test_json_keeps_its_schema(ckptkit: Call, tmp_path: Path) -> None:
    for number, data in enumerate((*UNSAFE.values(), *CLEAN.values())):
        (tmp_path / f"{number:02}.bin").write_bytes(data)
    run = ckptkit("scan", tmp_path, CONFORMANCE / "pointer" / "model.pt", "--format", "json")
    document = json.loads(run.out)
    assert schema.validate("scan-report-1.0", document, strict=True) == []
    assert document["summary"]["unsafe"] == len(UNSAFE)
    assert document["summary"]["data-only"] == len(CLEAN)
    assert document["summary"]["not_scanned"] == 1


def test_sarif_points_to_the_rules(ckptkit: Call, tmp_path: Path) -> None:
    (tmp_path / "bad.pkl").write_bytes(FORBIDDEN)
    (tmp_path / "cut.pkl").write_bytes(BENIGN[:-3])
    output = tmp_path / "report.sarif"
    assert ckptkit("scan", tmp_path, "-o", output).status == 2
    (run,) = Sarif.model_validate_json(output.read_text()).runs
    results = run.results or []
    assert [one.rule_id for one in results] == ["CK102", "CK101"]
    rules = run.tool.driver.rules or []
    assert [rules[one.rule_index].id for one in results] == ["CK102", "CK101"]
    assert run.invocations[0].execution_successful is False


def test_processes_give_the_same_in_the_same_order(tmp_path: Path) -> None:
    for number in range(40):
        (tmp_path / f"{number:02}.pkl").write_bytes(FORBIDDEN if number % 7 == 0 else BENIGN)
    assert scan(tmp_path, jobs=2) == scan(tmp_path, jobs=1)


def test_no_tensor_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "large.pt"
    torch.save({"a": torch.zeros(1 << 20), "b": torch.zeros(1 << 20)}, path)
    read = []
    real = os.pread

    def counted(descriptor: int, length: int, offset: int) -> bytes:
        read.append(length)
        return real(descriptor, length, offset)

    monkeypatch.setattr(os, "pread", counted)
    assert look(path).verdict is Verdict.DATA_ONLY
    assert 0 < sum(read) < 32 << 10


def test_forbidden_fixtures_are_found() -> None:
    found = [case.parent for case in CONFORMANCE.glob("*/case.json") if "CK102" in case.read_text()]
    assert len(found) >= 6
    for folder in found:
        assert Verdict.UNSAFE in {result.verdict for result in scan(folder).results}, folder.name


def test_our_benign_fixtures_are_not_called_unsafe() -> None:
    done = scan([FIXTURES / "sb3", FIXTURES / "torch", FIXTURES / "code", FIXTURES / "seed_systems"])
    assert len(done.results) >= 80
    assert not [result.path for result in done.results if result.verdict is Verdict.UNSAFE]
