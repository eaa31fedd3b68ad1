"""Each way in which a file may be hostile: its verdict, its rule, and the exit status of the commands."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from ckptkit.cli.app import status
from tests.corpus import CHECKOUT

FIXTURES = CHECKOUT / "fixtures"

CHECKLIST = {
    "pickle": """
        GLOBAL; STACK_GLOBAL; INST; OBJ; NEWOBJ; NEWOBJ_EX; REDUCE; OBJ+POP; BUILD; dotted names;
        names through the memo; EXT1; EXT2; EXT4; memo keys; FRAME; payload before a broken stream; truncated;
        pickle, junk, pickle; 3rd pickle of a legacy file; protocol 0 text; pickle bytes inside a pickle;
        GET/DUP expansion; persistent id; storage key outside the archive; past the storage;
        negative or overflowing shape; PROTO 6+
    """,
    "zip": """
        duplicate member; `DATA.PKL`; two zips; polyglot; member names; local ≠; encryption bit; bad CRC;
        bombs; overlapping members; 7z, gzip; wrong extension; symlink member
    """,
    "sb3": "base64 cell; invalid base64; nested `.pth`; `data` not; 10 MB of keys",
    "safetensors": """
        duplicate tensor; leading space; unknown fields; list-form info; trailing bytes; `__metadata__: null`;
        names; BOOL not 0/1; holes; overlap; overflow shapes; header > limit; BOM; float or negative offsets
    """,
    "onnx": """
        external data by `..`; absolute path; symlink; hardlink; offset/length; two readings; protobuf bombs;
        dims, types and numbers; subgraphs and sparse; custom operators
    """,
    "manifest": """
        digests wrong; missing file; extra file; path escape; case-colliding paths; symlink;
        tensors that overlap; alias loops; huge numbers; unknown critical extension; version from the future
    """,
    "other": "LFS and DVC pointers; empty file; directory; FIFO; unreadable; vanishing",
}
LINES = {
    f"{family}: {' '.join(line.split())}" for family, text in CHECKLIST.items() for line in text.split(";")
}


OURS = ("hostile_", "make_hostile", "conformance_")
"""Modules of `fixtures/`, which no other test must find by accident."""


@dataclass(frozen=True)
class Hostile:
    """One hostile file and what must be answered; `code` is None where a file is odd and harmless."""

    name: str
    line: str
    path: str
    verdict: str
    code: str | None
    level: int
    exit: dict[str, int]


CASES = [Hostile(**row) for row in json.loads((FIXTURES / "hostile" / "index.json").read_text("utf-8"))]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every hostile file, made now."""
    folder = tmp_path_factory.mktemp("hostile")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(FIXTURES))
        import make_hostile

        made = make_hostile.write(folder)
    for name in [
        name for name in sys.modules if name.startswith(("hostile_", "make_hostile", "conformance_"))
    ]:
        del sys.modules[name]
    assert made == {case.name: (case.line, case.path) for case in CASES}
    return folder


def test_every_line_has_a_file() -> None:
    assert {case.line for case in CASES} == LINES
    assert len(LINES) >= 80
    assert len(CASES) >= 115


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_is_answered_as_the_index_says(
    case: Hostile, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(root / case.path)
    target = tmp_path / "out"
    inspected = status(["inspect", path])
    converted = status(["convert", path, "--to", "deploy", "-o", str(target)])
    said = capsys.readouterr()
    assert "Traceback" not in said.err
    assert "internal error" not in said.err
    validated = status(["validate", path, "--level", str(case.level), "--format", "json"])
    assert {"inspect": inspected, "validate": validated, "convert": converted} == case.exit
    results = json.loads(capsys.readouterr().out)["results"]
    assert {result["verdict"] for result in results} == {case.verdict}
    found = [one["code"] for result in results for one in result["findings"] if one["severity"] == "error"]
    assert case.code in found if case.code else not found
    assert target.exists() is (converted == 0)
    assert [path.name for path in tmp_path.iterdir()] == (["out"] if converted == 0 else [])


def test_nothing_unsafe_is_ever_written_or_called_clean() -> None:
    unsafe = [case for case in CASES if case.verdict == "unsafe"]
    assert len(unsafe) >= 28
    assert {code for case in unsafe for code in case.exit.values()} == {1}
    assert {case.exit["validate"] for case in CASES if case.code} == {1, 2}
