"""Bad input: a clear line, the right exit status, no traceback, and nothing left behind."""

import json
import os
import pickle
import struct
import subprocess
import sys
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import Call, Run

CHECKOUT = Path(__file__).resolve().parents[2]


class Forbidden:
    """Pickles to a call that no checkpoint makes."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("true",)


def make_missing(path: Path) -> None:
    """Leave nothing there."""


def make_empty(path: Path) -> None:
    path.write_bytes(b"")


def make_directory(path: Path) -> None:
    path.mkdir()
    (path / "notes.txt").write_text("nothing here\n")


def make_text(path: Path) -> None:
    path.write_text("This is a text file.\n" * 100)


def make_truncated_zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"a": 1}, 2))
        archive.writestr("archive/version", "3\n")
    path.write_bytes(path.read_bytes()[:-30])


def make_other_zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "holiday pictures")


def make_forbidden(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"model_state_dict": Forbidden()}, 2))
        archive.writestr("archive/version", "3\n")


def make_pointer(path: Path) -> None:
    oid = "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393"
    path.write_text(f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize 12345\n")


def make_duplicate_member(path: Path) -> None:
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w") as archive:
        warnings.simplefilter("ignore")
        archive.writestr("archive/data.pkl", pickle.dumps({"a": 1}, 2))
        archive.writestr("archive/data.pkl", pickle.dumps({"a": 2}, 2))
        archive.writestr("archive/version", "3\n")


def make_unknown_major(path: Path) -> None:
    from ckptkit import api

    source = path.with_name("source.safetensors")
    header = json.dumps({"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
    source.write_bytes(struct.pack("<Q", len(header)) + header + bytes(8))
    api.convert(source, "deploy", path)
    source.unlink()
    manifest = path / "ckpt.json"
    manifest.write_text(manifest.read_text("utf-8").replace('"spec_version": "2.0"', '"spec_version": "7.3"'))


def make_fifo(path: Path) -> None:
    os.mkfifo(path)


@dataclass(frozen=True)
class Bad:
    """One kind of bad input.

    Attributes:
        make: Makes it at a path.
        codes: Rule codes of which `validate` must name one.
        inspect: Exit status of `inspect`.
        validate: Exit status of `validate`.
        convert: Exit status of `convert`.
        says: A word that every message about it must hold, in lower case.
    """

    make: Callable[[Path], None]
    codes: tuple[str, ...]
    inspect: int
    validate: int
    convert: int
    says: str


CASES = {
    "missing": Bad(make_missing, ("CK100",), 2, 2, 2, "no such file"),
    "empty": Bad(make_empty, ("CK100",), 2, 2, 2, "empty"),
    "directory": Bad(make_directory, ("CK100",), 2, 2, 2, "checkpoint"),
    "text": Bad(make_text, ("CK100",), 2, 2, 2, "not a checkpoint"),
    "truncated-zip": Bad(make_truncated_zip, ("CK101",), 2, 1, 2, ""),
    "other-zip": Bad(make_other_zip, ("CK100",), 2, 2, 2, "not a checkpoint"),
    "forbidden": Bad(make_forbidden, ("CK102",), 1, 1, 1, "system"),
    "lfs-pointer": Bad(make_pointer, ("CK110",), 2, 2, 2, "lfs"),
    "duplicate-member": Bad(make_duplicate_member, ("CK101",), 2, 1, 2, "data.pkl"),
    "unknown-major": Bad(make_unknown_major, ("CK105", "CK203"), 1, 1, 1, "7.3"),
    "fifo": Bad(make_fifo, ("CK100",), 2, 2, 2, "regular file"),
}


@pytest.fixture(params=CASES)
def bad(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Bad, Path]:
    """One bad input and its path."""
    case = CASES[request.param]
    # A fixed suffix for all: no reader may go by it.
    path = tmp_path / "model.pt"
    case.make(path)
    return case, path


def listing(folder: Path) -> list[str]:
    return sorted(str(path) for path in folder.rglob("*"))


def assert_clear(run: Run, case: Bad, path: Path) -> None:
    """Check that `run` says in words what is wrong, and where."""
    said = run.out + run.err
    assert "Traceback" not in said
    assert "internal error" not in said
    assert path.name in said
    assert case.says in said.lower()


def test_inspect(bad: tuple[Bad, Path], ckptkit: Call) -> None:
    case, path = bad
    before = listing(path.parent)
    run = ckptkit("inspect", path)
    assert run.status == case.inspect
    assert_clear(run, case, path)
    if not run.out:
        assert run.err.startswith("error: ")
        assert run.err.count("\n") == 1
    assert listing(path.parent) == before


def test_validate(bad: tuple[Bad, Path], ckptkit: Call) -> None:
    case, path = bad
    before = listing(path.parent)
    run = ckptkit("validate", path)
    assert run.status == case.validate
    assert_clear(run, case, path)
    assert any(code in run.out for code in case.codes)
    report = json.loads(ckptkit("validate", path, "--format", "json").out)
    codes = {finding["code"] for result in report["results"] for finding in result["findings"]}
    assert codes & set(case.codes)
    assert listing(path.parent) == before


@pytest.mark.parametrize("to", ["deploy", "v2"])
@pytest.mark.parametrize("flags", [[], ["--dry-run"]], ids=["write", "dry-run"])
def test_convert(bad: tuple[Bad, Path], ckptkit: Call, to: str, flags: list[str]) -> None:
    case, path = bad
    before = listing(path.parent)
    run = ckptkit("convert", path, "--to", to, "-o", path.parent / "out", *flags)
    assert run.status == case.convert
    assert_clear(run, case, path)
    assert run.out == ""
    assert run.err.startswith("error: ")
    assert run.err.count("\n") == 1
    assert listing(path.parent) == before


def test_one_bad_path_does_not_hide_the_others(ckptkit: Call, tmp_path: Path) -> None:
    for name, case in CASES.items():
        case.make(tmp_path / f"{name}.pt")
    paths = [tmp_path / f"{name}.pt" for name in CASES]
    report = json.loads(ckptkit("validate", *paths, "--format", "json").out)
    assert [result["path"] for result in report["results"]] == [str(path) for path in paths]


@pytest.mark.parametrize("to", ["deploy", "v2"])
@pytest.mark.parametrize("kind", ["file", "directory"])
def test_an_existing_target_needs_force(
    ckptkit: Call, safetensors_file: Path, tmp_path: Path, to: str, kind: str
) -> None:
    target = tmp_path / "target"
    if kind == "file":
        target.write_text("precious")
    else:
        target.mkdir()
        (target / "precious.txt").write_text("precious")
    before = listing(tmp_path)
    run = ckptkit("convert", safetensors_file, "--to", to, "-o", target)
    assert run.status == 2
    assert (run.out, run.err.count("\n")) == ("", 1)
    assert "exists" in run.err
    assert listing(tmp_path) == before


@pytest.mark.parametrize("to", ["deploy", "v2"])
def test_force_replaces_what_was_converted_before(
    ckptkit: Call, safetensors_file: Path, tmp_path: Path, to: str
) -> None:
    arguments = ("convert", safetensors_file, "--to", to, "-o", tmp_path / "target")
    assert ckptkit(*arguments).status == 0
    before = listing(tmp_path)
    run = ckptkit(*arguments)
    assert run.status == 2
    assert "--force" in run.err
    assert ckptkit(*arguments, "--force").status == 0
    assert listing(tmp_path) == before


@pytest.mark.parametrize("to", ["deploy", "v2"])
def test_the_source_is_never_the_target(ckptkit: Call, safetensors_file: Path, to: str) -> None:
    data = safetensors_file.read_bytes()
    run = ckptkit("convert", safetensors_file, "--to", to, "-o", safetensors_file, "--force")
    assert run.status == 2
    assert safetensors_file.read_bytes() == data


@pytest.mark.parametrize("to", ["deploy", "v2"])
def test_a_target_below_a_file_cannot_be_written(
    ckptkit: Call, safetensors_file: Path, tmp_path: Path, to: str
) -> None:
    (tmp_path / "file").write_text("")
    before = listing(tmp_path)
    run = ckptkit("convert", safetensors_file, "--to", to, "-o", tmp_path / "file" / "out")
    assert (run.status, run.out, run.err.count("\n")) == (2, "", 1)
    assert listing(tmp_path) == before


# Runs the command line once to load all of it, gives up root (to whom nothing is forbidden), then
# runs it in earnest.
WITHOUT_ROOT = """
import os, sys
from ckptkit.cli.app import status
warm, arguments = sys.argv[1], sys.argv[2:]
with open(os.devnull, "w") as nowhere:
    out, sys.stdout = sys.stdout, nowhere
    assert status(["inspect", warm]) == 0
    assert status(["validate", warm]) == 0
    for command in ("inspect", "validate"):
        assert status([command, os.path.dirname(warm)]) in (0, 2)  # imports what a folder needs, too
    assert status(["convert", warm, "--to", "deploy", "-o", warm + ".out"]) == 0
    assert status(["convert", warm, "--to", "v2", "-o", warm + ".pt"]) == 0
    sys.stdout = out
if os.geteuid() == 0:
    os.setgroups([])
    os.setresuid(65534, 65534, 65534)
sys.exit(status(arguments))
"""


def without_root(warm: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-c", WITHOUT_ROOT, str(warm), *map(str, arguments)]
    return subprocess.run(words, cwd=CHECKOUT, capture_output=True, text=True, check=False)


@pytest.fixture
def open_folder(tmp_path: Path) -> Path:
    """A folder whose parents everyone may pass through."""
    folder = tmp_path / "open"
    folder.mkdir()
    for parent in [folder, *folder.parents]:
        if parent.stat().st_uid == os.geteuid() and parent != Path(parent.anchor):
            parent.chmod(parent.stat().st_mode | 0o055)
    return folder


@pytest.mark.parametrize(("command", "status"), [("inspect", 2), ("validate", 2), ("convert", 2)])
def test_a_file_without_permission(
    safetensors_file: Path, open_folder: Path, command: str, status: int
) -> None:
    locked = open_folder / "locked.pt"
    locked.write_bytes(safetensors_file.read_bytes())
    locked.chmod(0)
    more = ["--to", "deploy", "-o", open_folder / "out"] if command == "convert" else []
    run = without_root(safetensors_file, command, locked, *more)
    assert "Permission denied" in run.stdout + run.stderr
    assert "Traceback" not in run.stderr
    assert run.returncode == status
    assert listing(open_folder) == [str(locked)]


@pytest.mark.parametrize("to", ["deploy", "v2"])
def test_a_folder_without_permission_to_write(safetensors_file: Path, open_folder: Path, to: str) -> None:
    source = open_folder / "model.safetensors"
    source.write_bytes(safetensors_file.read_bytes())
    source.chmod(0o644)
    open_folder.chmod(0o555)
    run = without_root(safetensors_file, "convert", source, "--to", to, "-o", open_folder / "out")
    assert (run.returncode, run.stdout, run.stderr.count("\n")) == (2, "", 1), run.stderr
    assert "may not be written" in run.stderr
    assert listing(open_folder) == [str(source)]


@pytest.mark.parametrize("command", ["inspect", "validate"])
def test_a_folder_without_permission_does_not_hide_its_neighbours(
    safetensors_file: Path, open_folder: Path, command: str
) -> None:
    locked, good = open_folder / "locked", open_folder / "z.safetensors"
    locked.mkdir()
    (locked / "model.safetensors").write_bytes(safetensors_file.read_bytes())
    locked.chmod(0)
    good.write_bytes(safetensors_file.read_bytes())
    good.chmod(0o644)
    run = without_root(safetensors_file, command, open_folder, "--format", "json")
    assert run.returncode == 2, run.stderr
    assert "Permission denied" in run.stdout + run.stderr
    assert "Traceback" not in run.stderr
    assert good.name in run.stdout


@pytest.mark.parametrize("command", ["inspect", "validate"])
def test_names_that_the_system_does_not_take(ckptkit: Call, tmp_path: Path, command: str) -> None:
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    for path in (loop, tmp_path / ("n" * 5000)):
        run = ckptkit(command, path)
        assert run.status == 2
        assert "internal error" not in run.err


def big_file(path: Path) -> Path:
    """A safetensors file of one mebibyte of zeros."""
    size = 1 << 20
    header = json.dumps({"w": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(size))
    return path


def limited(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the command line where no file may grow over 100 kB."""
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)); "
        "from ckptkit.cli.app import run; run()"
    )
    words = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(words, cwd=CHECKOUT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("old", [False, True], ids=["new", "replace"])
@pytest.mark.parametrize("to", ["deploy", "v2"])
def test_no_room_for_the_output(ckptkit: Call, tmp_path: Path, to: str, old: bool) -> None:
    source, target = big_file(tmp_path / "big.safetensors"), tmp_path / "out"
    if old:
        assert ckptkit("convert", source, "--to", to, "-o", target).status == 0
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    run = limited("convert", source, "--to", to, "-o", target, "--force")
    assert (run.returncode, run.stdout, run.stderr.count("\n")) == (2, "", 1), run.stderr
    assert "file of this size" in run.stderr
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("to", ["deploy", "v2"])
def test_a_full_disk(ckptkit: Call, tmp_path: Path, to: str) -> None:
    source, disk = big_file(tmp_path / "big.safetensors"), tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)], capture_output=True, check=False
    )
    if mounted.returncode:
        # Without the right to mount, a file-size limit is what is left (`test_no_room_for_the_output`).
        pytest.skip("test_a_full_disk: needs the right to mount a tmpfs")
    try:
        run = ckptkit("convert", source, "--to", to, "-o", disk / "out")
        assert (run.status, run.out, run.err.count("\n")) == (2, "", 1)
        assert "disk is full" in run.err
        assert listing(disk) == []
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_one_path_that_cannot_be_inspected_gives_no_json(tmp_path: Path, ckptkit: Call) -> None:
    path = str(tmp_path / "missing.zip")
    run = ckptkit("inspect", path, "--format", "json")
    assert (run.status, run.out) == (2, "")
    assert json.loads(ckptkit("inspect", path, path, "--format", "json").out) == []
