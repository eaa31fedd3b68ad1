"""Files that belong together: who carries a journal on, and which journals nobody follows."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from ckptkit.errors import CkptkitError, TargetExistsError, UsageError, WriteError
from ckptkit.storage import swap, together
from ckptkit.storage.atomic import new_directory, new_file, new_files
from ckptkit.storage.leftovers import JOURNAL, SUFFIX, is_unfinished, waiting_of
from ckptkit.storage.locks import Lock

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="kills a forked child")
BESIDE = ("a.json", "made/b.pkl")
Row = dict[str, object]


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def make(folder: Path, data: bytes, *, force: bool = True) -> None:
    with new_files(folder / "made.zip", BESIDE, force=force) as outputs:
        for output in outputs.values():
            output.write(data)


def stands(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder, hidden ones too."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def whole(data: bytes) -> dict[str, bytes]:
    return dict.fromkeys((*BESIDE, "made.zip"), data)


def write_beside(folder: Path) -> None:
    """Let another run write another file."""
    with new_file(folder / "other", force=True) as output:
        output.write(b"")
    (folder / "other").unlink()


@pytest.fixture
def half(tmp_path: Path) -> Path:
    """A folder in which a run died after one of three files."""
    folder = tmp_path / "half"
    folder.mkdir()
    make(folder, b"old")
    stopped_after(folder, 1)
    assert stands(folder)["made/b.pkl"] == b"new"
    assert stands(folder)["made.zip"] == b"old"
    return folder


def stopped_after(folder: Path, count: int) -> None:
    """Replace the files in a child that dies when it would move the one after `count`."""
    child = os.fork()
    if child:
        assert os.waitpid(child, 0)[1] >> 8 == 9
        return
    real, moved = together.put_in_place, []

    def put(temp: Path, target: Path, *, replace: bool) -> None:
        if temp.parent == waiting_of(folder / "made.zip"):
            if len(moved) == count:
                os._exit(9)
            moved.append(target)
        real(temp, target, replace=replace)

    together.put_in_place = put  # type: ignore[attr-defined]
    make(folder, b"new")
    os._exit(1)


def test_all_stand_and_nothing_else(tmp_path: Path) -> None:
    make(tmp_path, b"new", force=False)
    assert stands(tmp_path) == whole(b"new")
    make(tmp_path, b"newer")
    assert stands(tmp_path) == whole(b"newer")


def test_an_error_inside_leaves_what_was(tmp_path: Path) -> None:
    with pytest.raises(ValueError), new_files(tmp_path / "in" / "made.zip", BESIDE, force=False):
        raise ValueError
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["a.json", "made/b.pkl", "made.zip"])
def test_each_file_needs_force(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(b"old")
    with pytest.raises(TargetExistsError, match="--force") as caught:
        make(tmp_path, b"new", force=False)
    assert caught.value.where == str(tmp_path / name)
    assert stands(tmp_path) == {name: b"old"}


def test_permissions_stay(tmp_path: Path) -> None:
    make(tmp_path, b"old")
    (tmp_path / "a.json").chmod(0o600)
    make(tmp_path, b"new")
    assert (tmp_path / "a.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("write", [write_beside, lambda folder: make(folder, b"newer")])
def test_the_next_run_finishes_it(half: Path, write: Callable[[Path], None]) -> None:
    assert is_unfinished(half / "made.zip")
    write(half)
    data = stands(half)["made.zip"]
    assert stands(half) == whole(data)
    assert data in (b"new", b"newer")
    assert not is_unfinished(half / "made.zip")


def test_a_directory_beside_it_finishes_it_too(half: Path) -> None:
    with new_directory(half / "bundle", force=False, why_not=lambda _: ""):
        pass
    assert stands(half) == whole(b"new")


@pytest.mark.parametrize("beside", [BESIDE, ()])
def test_a_run_with_this_target_finishes_it_even_if_it_is_refused(
    half: Path, beside: tuple[str, ...]
) -> None:
    with pytest.raises(TargetExistsError), new_files(half / "made.zip", beside, force=False):
        pass
    assert stands(half) == whole(b"new")


def test_a_copy_of_the_folder_is_finished_as_well(half: Path, tmp_path: Path) -> None:
    shutil.copytree(half, tmp_path / "copy")
    write_beside(tmp_path / "copy")
    assert stands(tmp_path / "copy") == whole(b"new")


@pytest.mark.parametrize("name", [*BESIDE, "made.zip"])
def test_what_was_changed_since_is_left_alone(half: Path, name: str) -> None:
    (half / name).write_bytes(b"saved since")
    before = stands(half)
    write_beside(half)
    assert stands(half) == before
    assert is_unfinished(half / "made.zip")
    make(half, b"newer")
    assert stands(half) == whole(b"newer")


@pytest.mark.parametrize("name", [*BESIDE, "made.zip"])
def test_what_was_removed_since_does_not_come_back(half: Path, name: str) -> None:
    (half / name).unlink()
    before = stands(half)
    write_beside(half)
    assert stands(half) == before


def test_writing_the_main_file_alone_ends_what_was_changed_since(half: Path) -> None:
    (half / "made.zip").write_bytes(b"saved since")
    with new_files(half / "made.zip", (), force=True) as outputs:
        outputs["made.zip"].write(b"alone")
    assert not waiting_of(half / "made.zip").exists()
    assert stands(half)["made.zip"] == b"alone"


def test_what_a_living_run_holds_stays(half: Path) -> None:
    lock, before = Lock(waiting_of(half / "made.zip")), stands(half)
    assert lock.held
    write_beside(half)
    assert stands(half) == before
    with pytest.raises(TargetExistsError, match="appeared"):
        make(half, b"newer")
    lock.release()
    write_beside(half)
    assert stands(half) == whole(b"new")


def test_a_lock_is_of_what_stands_there_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x").mkdir()
    real = os.fstat

    def replaced(descriptor: int) -> os.stat_result:
        if (tmp_path / "y").exists():
            return real(descriptor)
        (tmp_path / "x").rename(tmp_path / "y")
        (tmp_path / "x").mkdir()
        return real(descriptor)

    monkeypatch.setattr(os, "fstat", replaced)
    assert not Lock(tmp_path / "x").held
    assert Lock(tmp_path / "x").held


def test_a_promise_that_cannot_be_kept_or_taken_back_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path, b"old")
    real, moved = together.put_in_place, []

    def put(temp: Path, target: Path, *, replace: bool) -> None:
        if moved:
            raise PermissionError(13, "Permission denied", str(target))
        if temp.name == "0":
            moved.append(target)
        real(temp, target, replace=replace)

    monkeypatch.setattr(together, "put_in_place", put)
    with pytest.raises(WriteError, match="not all in their places yet: Permission denied") as caught:
        make(tmp_path, b"new")
    assert "nothing was written" not in caught.value.what
    monkeypatch.undo()
    write_beside(tmp_path)
    assert stands(tmp_path) == whole(b"new")


def test_a_disk_that_loses_names_is_said_and_the_promise_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path, b"old")
    real = swap.sync_directory

    def sync(path: Path) -> None:
        if (tmp_path / "made.zip").read_bytes() == b"new":
            raise OSError(5, "Input/output error")
        real(path)

    monkeypatch.setattr(swap, "sync_directory", sync)
    with pytest.raises(WriteError, match="stands there, and may be gone"):
        make(tmp_path, b"new")
    monkeypatch.undo()
    assert waiting_of(tmp_path / "made.zip").exists()
    assert not is_unfinished(tmp_path / "made.zip")
    write_beside(tmp_path)
    assert stands(tmp_path) == whole(b"new")


def test_processes_with_one_target_do_not_mix(tmp_path: Path) -> None:
    children = []
    for number in range(4):
        children.append(os.fork())
        if not children[-1]:
            status = 1
            try:
                for _ in range(25):
                    make(tmp_path, b"%d" % number)
                status = 0
            finally:
                os._exit(status)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 4
    assert stands(tmp_path) == whole(stands(tmp_path)["made.zip"])


@pytest.mark.parametrize("what", ["link", "file"])
def test_the_folder_beside_it_must_be_one(tmp_path: Path, what: str) -> None:
    (tmp_path / "far").mkdir()
    if what == "link":
        (tmp_path / "made").symlink_to("far")
    else:
        (tmp_path / "made").write_bytes(b"")
    with pytest.raises(CkptkitError) as caught:
        make(tmp_path, b"new")
    assert caught.value.where.endswith(("made", "made.zip"))
    assert not list((tmp_path / "far").iterdir())
    assert not list(tmp_path.glob(".*"))
    assert not (tmp_path / "a.json").exists()


def test_a_folder_that_may_not_be_written_is_found_before_anything_moves() -> None:
    user = os.geteuid()
    if user == 0:  # the superuser may write anything
        os.seteuid(65534)
    try:
        with TemporaryDirectory() as name:
            folder = Path(name)
            make(folder, b"old")
            (folder / "made").chmod(0o500)
            with pytest.raises(WriteError, match="may not be written; nothing was written"):
                make(folder, b"new")
            (folder / "made").chmod(0o700)
            assert stands(folder) == whole(b"old")
    finally:
        os.seteuid(user)


ELSEWHERE = ("../b", "b/c", "a/b/c", "/b", ".b", "a/..", "A.ZIP", "", "b\0")


@pytest.mark.parametrize(
    ("name", "beside"), [("...zip", ".../b"), ("..zip", "./b"), *(("a.zip", path) for path in ELSEWHERE)]
)
def test_a_name_that_leads_elsewhere_is_refused(tmp_path: Path, name: str, beside: str) -> None:
    files = new_files(tmp_path / name, [beside], force=True)
    with pytest.raises(UsageError, match="cannot lie beside"), files:
        pass
    assert not list(tmp_path.iterdir())


def test_a_name_that_is_no_text(tmp_path: Path) -> None:
    name = os.fsdecode(b"m\xff.zip")
    folder = name.removesuffix(".zip")
    with new_files(tmp_path / name, [f"{folder}/b"], force=False) as outputs:
        outputs[name].write(b"x")
    assert stands(tmp_path) == {name: b"x", f"{folder}/b": b""}


OLD = {"made.zip": b"mine", "a.json": b"mine", "made/b.pkl": b"mine"}
GOOD = [("a.json", b"0", b"mine"), ("made/b.pkl", b"1", b"mine"), ("made.zip", b"2", b"mine")]


def plant(folder: Path, rows: list[Row], *, name: str = "made.zip") -> Path:
    """Put a set with any journal beside files of the user."""
    for path, data in OLD.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    waiting = folder / f".{name}.ckptkit-set"
    waiting.mkdir()
    for number in range(len(rows)):
        (waiting / str(number)).write_bytes(str(number).encode())
    (waiting / JOURNAL).write_text(json.dumps({"files": rows}))
    return waiting


def rows() -> list[Row]:
    return [{"path": path, "sha256": sha(new), "was": sha(old)} for path, new, old in GOOD]


def test_a_planted_journal_that_breaks_no_rule_is_followed(tmp_path: Path) -> None:
    plant(tmp_path, rows())
    write_beside(tmp_path)
    assert stands(tmp_path) == {"a.json": b"0", "made/b.pkl": b"1", "made.zip": b"2"}


PATHS = (
    *(
        "../x",
        "%2e%2e/x",
        "/etc/x",
        ".bashrc",
        "made/../../x",
        "made/x/y",
        "other/x",
        "..",
        "",
        "a%00",
        "made",
    ),
)
FORMS: list[object] = [
    *([{"path": path, "sha256": sha(b"0"), "was": ""}] for path in PATHS),
    *([{"path": path, "sha256": sha(b"0"), "was": sha(b"mine")}] for path in ("MADE.zip", "made%2Eb")),
    [{"path": "a.json", "sha256": sha(b"0")}],
    [{"path": "a.json", "sha256": sha(b"0"), "was": sha(b"mine"), "mode": "0777"}],
    [{"path": "a.json", "sha256": "0", "was": sha(b"mine")}],
    [{"path": "a.json", "sha256": sha(b"0"), "was": 0}],
    [{"path": "a.json", "sha256": sha(b"0"), "was": sha(b"theirs")}],
    [{"path": "a.json", "sha256": sha(b"theirs"), "was": sha(b"mine")}],
    [{"path": "made", "sha256": sha(b"0"), "was": ""}],
    ["a.json"],
    [None],
    [["a.json", sha(b"0"), sha(b"mine")]],
]


@pytest.mark.parametrize("bad", FORMS, ids=[str(number) for number in range(len(FORMS))])
def test_a_journal_that_breaks_a_rule_moves_nothing(tmp_path: Path, bad: list[Row]) -> None:
    folder = tmp_path / "in"
    rest = [{**row, "sha256": sha(str(at + 1).encode())} for at, row in enumerate(rows()[1:])]
    plant(folder, [*bad, *rest])
    before = stands(tmp_path)
    write_beside(folder)
    assert stands(tmp_path) == before


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"files": []}', '{"files": {}}', '{"files": [], "files": []}', "9" * 70_000]
)
def test_what_is_no_journal_moves_nothing(tmp_path: Path, text: str) -> None:
    waiting = plant(tmp_path, rows())
    (waiting / JOURNAL).write_text(text)
    before = stands(tmp_path)
    write_beside(tmp_path)
    assert stands(tmp_path) == before


def last_moved(found: list[Row]) -> list[Row]:
    return [found[2], found[0], found[1]]


@pytest.mark.parametrize("change", [last_moved, lambda found: found[:2], lambda found: [found[0], *found]])
def test_the_main_file_is_the_last_and_each_is_there_once(
    tmp_path: Path, change: Callable[[list[Row]], list[Row]]
) -> None:
    plant(tmp_path, change(rows()))
    before = stands(tmp_path)
    write_beside(tmp_path)
    assert stands(tmp_path) == before


@pytest.mark.parametrize("name", ["", ".", "..", "other.zip"])
def test_a_set_is_of_the_file_that_its_name_says(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "in"
    waiting = plant(folder, [{"path": name, "sha256": sha(b"0"), "was": ""}], name=name)
    if name == "other.zip":
        waiting.rename(folder / ".another.zip.ckptkit-set")
    before = stands(tmp_path)
    write_beside(folder)
    assert stands(tmp_path) == before


def link_journal(waiting: Path) -> None:
    (waiting / JOURNAL).rename(waiting.parent / "elsewhere.json")
    (waiting / JOURNAL).symlink_to("../elsewhere.json")


def link_staged(waiting: Path) -> None:
    (waiting / "2").rename(waiting.parent / "elsewhere")
    (waiting / "2").symlink_to("../elsewhere")


def link_folder(waiting: Path) -> None:
    (waiting.parent / "made").rename(waiting.parent / "far")
    (waiting.parent / "made").symlink_to("far")


def link_place(waiting: Path) -> None:
    (waiting.parent / "made.zip").rename(waiting.parent / "far.zip")
    (waiting.parent / "made.zip").symlink_to("far.zip")


def link_set(waiting: Path) -> None:
    waiting.rename(waiting.parent / "far-set")
    waiting.symlink_to("far-set")


def pipe_staged(waiting: Path) -> None:
    (waiting / "1").unlink()
    os.mkfifo(waiting / "1")


@pytest.mark.parametrize("link", [link_journal, link_staged, link_folder, link_place, link_set, pipe_staged])
def test_links_and_pipes_are_not_followed(tmp_path: Path, link: Callable[[Path], None]) -> None:
    link(plant(tmp_path, rows()))
    before = stands(tmp_path)
    write_beside(tmp_path)
    assert stands(tmp_path) == before


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="gives a folder to another user")
def test_a_journal_of_another_user_is_not_followed(tmp_path: Path) -> None:
    waiting = plant(tmp_path, rows())
    os.chown(waiting, 65534, -1)
    before = stands(tmp_path)
    write_beside(tmp_path)
    assert stands(tmp_path) == before


def test_half_a_removal_is_litter_and_no_promise(half: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (half / "made.zip").write_bytes(b"saved since")
    monkeypatch.setattr(together, "remove", lambda _: None)
    together.forget(half / "made.zip")
    monkeypatch.undo()
    assert [path.name.endswith(SUFFIX) for path in half.glob(".*")] == [True]
    write_beside(half)
    assert not list(half.glob(".*"))
