"""Atomic outputs: what stands at the target, and beside it, after every kind of end."""

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ckptkit.errors import CkptkitError, TargetExistsError, UsageError, WriteError
from ckptkit.storage import leftovers, swap
from ckptkit.storage.atomic import new_directory, new_file
from ckptkit.storage.output import create

CHECKOUT = Path(__file__).resolve().parents[2]


def fine(folder: Path) -> str:
    return ""


def make_file(target: Path, data: bytes = b"new", *, force: bool = False) -> None:
    with new_file(target, force=force) as output:
        output.write(data)


def make_directory(target: Path, data: bytes = b"new", *, force: bool = False) -> None:
    with new_directory(target, force=force, why_not=fine) as folder:
        for name in ("a", "b"):
            with create(folder / name) as output:
                output.write(data)


def contents(path: Path) -> object:
    if path.is_dir():
        return {child.name: child.read_bytes() for child in path.iterdir()}
    return path.read_bytes()


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_file_is_there_whole(tmp_path: Path) -> None:
    make_file(tmp_path / "x")
    assert contents(tmp_path / "x") == b"new"
    assert names(tmp_path) == {"x"}


def test_a_directory_is_there_whole(tmp_path: Path) -> None:
    make_directory(tmp_path / "x")
    assert contents(tmp_path / "x") == {"a": b"new", "b": b"new"}
    assert names(tmp_path) == {"x"}


def test_an_output_can_be_patched_and_read(tmp_path: Path) -> None:
    with new_file(tmp_path / "x", force=False) as output:
        output.write(b"0123456789")
        output.patch(2, b"ab")
        assert output.read(0, 4) == b"01ab"
        output.write(b"!")
        assert output.size == 11
    assert contents(tmp_path / "x") == b"01ab456789!"


def test_missing_folders_are_made_and_go_again_after_an_error(tmp_path: Path) -> None:
    make_file(tmp_path / "a" / "b" / "x")
    assert contents(tmp_path / "a" / "b" / "x") == b"new"
    with pytest.raises(ValueError), new_file(tmp_path / "c" / "d" / "x", force=False):
        raise ValueError
    assert names(tmp_path) == {"a"}


@pytest.mark.parametrize("make", [make_file, make_directory])
def test_an_existing_target_needs_force(tmp_path: Path, make: object) -> None:
    make(tmp_path / "x", b"old")  # type: ignore[operator]
    before = contents(tmp_path / "x")
    with pytest.raises(TargetExistsError, match="--force"):
        make(tmp_path / "x")  # type: ignore[operator]
    assert contents(tmp_path / "x") == before
    make(tmp_path / "x", force=True)  # type: ignore[operator]
    assert contents(tmp_path / "x") != before
    assert names(tmp_path) == {"x"}


def test_a_target_that_appears_meanwhile_is_kept(tmp_path: Path) -> None:
    with pytest.raises(TargetExistsError), new_file(tmp_path / "x", force=False) as output:
        output.write(b"new")
        (tmp_path / "x").write_bytes(b"theirs")
    assert contents(tmp_path / "x") == b"theirs"
    assert names(tmp_path) == {"x"}


@pytest.mark.parametrize("exchange", [True, False])
def test_a_directory_is_replaced_with_and_without_exchange(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exchange: bool
) -> None:
    if not exchange:
        monkeypatch.setattr(swap, "_renameat2", lambda *_: False)
    make_directory(tmp_path / "x", b"old")
    make_directory(tmp_path / "x", force=True)
    make_file(tmp_path / "y")
    assert contents(tmp_path / "x") == {"a": b"new", "b": b"new"}
    assert names(tmp_path) == {"x", "y"}


def test_force_replaces_neither_another_kind_nor_a_link(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "to-file").symlink_to("file")
    (tmp_path / "to-folder").symlink_to("folder")
    for name in ("folder", "to-file", "to-folder"):
        with pytest.raises(TargetExistsError):
            make_file(tmp_path / name, force=True)
    for name in ("file", "to-file", "to-folder"):
        with pytest.raises(TargetExistsError):
            make_directory(tmp_path / name, force=True)


def test_the_caller_says_what_directory_may_go(tmp_path: Path) -> None:
    make_directory(tmp_path / "x")

    def refuse(folder: Path) -> str:
        return "is dear to someone"

    with (
        pytest.raises(TargetExistsError, match="dear"),
        new_directory(tmp_path / "x", force=True, why_not=refuse),
    ):
        pass


def test_sources_are_safe(tmp_path: Path) -> None:
    source = tmp_path / "source" / "s"
    source.parent.mkdir()
    source.write_bytes(b"source")
    os.link(source, tmp_path / "hard")
    (tmp_path / "link").symlink_to(tmp_path / "source")
    for target in (source, tmp_path / "hard", tmp_path / "link" / "s"):
        with pytest.raises(UsageError, match="source"), new_file(target, force=True, sources=[source]):
            pass
    with pytest.raises(UsageError), new_file(source.parent / "x", force=True, sources=[source.parent]):
        pass
    with (
        pytest.raises(UsageError),
        new_directory(source.parent, force=True, why_not=fine, sources=[source]),
    ):
        pass
    assert names(tmp_path) == {"source", "hard", "link"}
    assert contents(source.parent) == {"s": b"source"}


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for make in (make_file, make_directory):
        with pytest.raises(WriteError, match="no folder"):
            make(tmp_path / "file" / "x")
        with pytest.raises(WriteError):
            make(Path("/proc/ckptkit-cannot-write-here"))


def test_a_folder_without_permission_is_said(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    user = os.geteuid()
    if user == 0:  # the superuser may write anywhere
        os.seteuid(65534)
    try:
        with pytest.raises(WriteError, match="permissions"):
            make_file(tmp_path / "x")
    finally:
        os.seteuid(user)
        tmp_path.chmod(0o700)


@pytest.mark.parametrize("make", [make_file, make_directory])
def test_a_full_disk_leaves_nothing(tmp_path: Path, make: object, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr("ckptkit.storage.output.Output.write", full)
    with pytest.raises(WriteError, match="disk is full"):
        make(tmp_path / "x")  # type: ignore[operator]
    assert not names(tmp_path)


def test_a_real_limit_of_the_system_leaves_nothing(tmp_path: Path) -> None:
    code = f"""
import resource, signal, sys
sys.path.insert(0, {str(CHECKOUT)!r})
from pathlib import Path
from ckptkit.storage.atomic import new_file
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, {resource.RLIM_INFINITY}))
with new_file(Path({str(tmp_path / "x")!r}), force=False) as output:
    output.write(bytes(3000))
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "WriteError" in run.stderr
    assert "not allowed here" in run.stderr
    assert not names(tmp_path)


KILLED = """
import os, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from ckptkit.storage import swap
from tests.storage.test_atomic import make_directory, make_file
if sys.argv[4] == "plain":
    swap._renameat2 = lambda *_: False
left = int(sys.argv[5])

def hook(event, arguments):
    global left
    watched = ("open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "fcntl.flock", "ctypes.dlsym")
    if event in watched and sys.argv[2] in str(arguments) or event == "ctypes.dlsym":
        left -= 1
        if left == 0:
            os.kill(os.getpid(), 9)

make = {"file": make_file, "directory": make_directory}[sys.argv[3]]
sys.addaudithook(hook)
make(Path(sys.argv[2]) / "x", force=True)
"""


def kills(folder: Path, kind: str, how: str) -> Iterator[int]:
    """Kill a writer at its first step, its second, and so on, until one gets through."""
    for step in range(1, 60):
        arguments = [sys.executable, "-c", KILLED, str(CHECKOUT), str(folder), kind, how, str(step)]
        run = subprocess.run(arguments, capture_output=True, text=True, check=False)
        if run.returncode == 0:
            return
        assert run.returncode == -9, run.stderr
        yield step


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "how"), [("file", "plain"), ("directory", "plain"), ("directory", "exchange")]
)
def test_a_kill_at_any_step_leaves_the_old_or_the_new(tmp_path: Path, kind: str, how: str) -> None:
    make = {"file": make_file, "directory": make_directory}[kind]
    make(tmp_path / "x", b"old")
    old = contents(tmp_path / "x")
    make(tmp_path / "n", b"new")
    new = contents(tmp_path / "n")
    steps = 0
    for steps in kills(tmp_path, kind, how):
        make_file(tmp_path / "other", force=True)  # the next run clears up what the dead one left
        assert names(tmp_path) == {"x", "n", "other"}, steps
        assert contents(tmp_path / "x") in (old, new), steps
        make(tmp_path / "x", b"old", force=True)
    assert steps >= 4


def test_what_a_living_run_holds_stays(tmp_path: Path) -> None:
    with new_file(tmp_path / "x", force=False) as output:
        make_file(tmp_path / "y")
        output.write(b"still here")
    assert contents(tmp_path / "x") == b"still here"
    assert names(tmp_path) == {"x", "y"}


def test_a_stale_directory_is_cleared(tmp_path: Path) -> None:
    stale = tmp_path / f".x.00000000{leftovers.SUFFIX}"
    stale.mkdir()
    (stale / "part").touch()
    make_file(tmp_path / "y")
    assert names(tmp_path) == {"y"}


def test_long_names_fit(tmp_path: Path) -> None:
    name = "x" * 250
    make_file(tmp_path / name)
    assert names(tmp_path) == {name}


def test_every_error_is_one_of_ours(tmp_path: Path) -> None:
    with pytest.raises(CkptkitError):
        make_file(tmp_path / ("x" * 300))
