"""A migration that is killed at any moment loses nothing, and the same call finishes it."""

import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ckptkit import api
from ckptkit.api.spreading import FEW
from ckptkit.model.migration import Fate
from ckptkit.storage.output import Output
from ckptkit.storage.replacing import BACKUP
from tests.api.trees import digest, digests, tree
from tests.corpus import CHECKOUT

FILES, KILLS = 200, 50
CHANGES = frozenset(
    ["os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.link", "os.chmod", "os.utime", "shutil.copystat"]
)
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="kills a forked child")


def dies_at(moment: int) -> None:
    """Let this process be killed right before, or within, the given one of its changes to the disk."""
    left = moment

    def step() -> None:
        nonlocal left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        opened = (
            event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        )
        if event in CHANGES or opened or event == "ctypes.dlsym":
            step()

    write = Output.write

    def cut_short(self: Output, piece: bytes) -> None:
        half = len(piece) // 2
        write(self, piece[:half])
        step()
        write(self, piece[half:])

    Output.write = cut_short  # type: ignore[method-assign]
    sys.addaudithook(hook)


def run(root: Path, moment: int, **options: object) -> int:
    """Migrate in a forked child that is killed at a moment; return its exit code, -9 where it was."""

    def child() -> None:
        dies_at(moment)
        api.migrate(root, **options)  # type: ignore[arg-type]

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    process.join()
    assert process.exitcode is not None
    return process.exitcode


def holds_all(root: Path, before: dict[str, str]) -> None:
    """Each source, or its backup, has the bytes that it had."""
    for name, expected in before.items():
        source, backup = root / name, root / (name + BACKUP)
        found = {digest(path) for path in (source, backup) if path.is_file()}
        assert expected in found, name


@pytest.mark.slow
@pytest.mark.parametrize("to", ["v2", "deploy"])
def test_fifty_kills_lose_nothing_and_the_next_run_completes(tmp_path: Path, to: str) -> None:
    count = FILES if to == "v2" else 60
    tree(tmp_path, count)
    before = digests(tmp_path)
    assert len(before) == count
    draw = random.Random(20)
    killed = 0
    for _ in range(KILLS):
        code = run(tmp_path, draw.randrange(2 * count // KILLS * 8), to=to)
        killed += code == -signal.SIGKILL
        holds_all(tmp_path, before)
    assert killed >= KILLS * 4 // 5
    done = api.migrate(tmp_path, to=to)
    assert {file.fate for file in done.files} <= {Fate.CONVERTED, Fate.CURRENT}
    assert len(done.files) == count
    assert nothing_else(tmp_path, before, to)
    again = api.migrate(tmp_path, to=to)
    assert {file.fate for file in again.files} == {Fate.CURRENT}


def nothing_else(root: Path, before: dict[str, str], to: str) -> bool:
    """Every source is its backup, every bundle holds its tensors, and no file of another kind is there."""
    backups = {name + BACKUP: expected for name, expected in before.items()}
    after = digests(root)
    assert {name: found for name, found in after.items() if name.endswith(BACKUP)} == backups
    bundles = [path for path in api.find(root) if not path.name.endswith(BACKUP)]
    assert len(bundles) == len(before)
    assert all(result.level == 2 for result in api.validate(bundles).results)
    assert not list(root.rglob(".*"))
    rest = [name for name in after if name not in backups]
    assert len(rest) == len(before) * (1 if to == "v2" else 3)
    return True


def test_kills_without_backups_leave_the_source_or_its_bundle(tmp_path: Path) -> None:
    tree(tmp_path, 20)
    before = digests(tmp_path)
    contents = {name: api.convert(tmp_path / name, "v2", tmp_path / "x.out", force=True) for name in before}
    (tmp_path / "x.out").unlink()
    draw = random.Random(7)
    for _ in range(25):
        run(tmp_path, draw.randrange(30), backup=False)
        for name, receipt in contents.items():
            assert receipt.written is not None
            bundle = (tmp_path / name).with_suffix(".pt")
            whole = bundle.is_file() and api.inspect(bundle).content_digest == receipt.written.content_digest
            source = tmp_path / name
            assert whole or (source.is_file() and digest(source) == before[name])
    api.migrate(tmp_path, backup=False)
    assert sorted(digests(tmp_path)) == sorted(str(Path(name).with_suffix(".pt")) for name in before)


def test_kills_of_a_mirrored_run_leave_the_source_alone(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    tree(source, 20)
    before = digests(source)
    draw = random.Random(3)
    for _ in range(25):
        run(source, draw.randrange(30), target=target)
        assert digests(source) == before
    done = api.migrate(source, target)
    assert len(digests(target)) == len(done.files) == 20
    assert all(result.level == 2 for result in api.validate(target).results)


@pytest.mark.parametrize(("count", "jobs"), [(60, ["--jobs", "2"]), (FEW + 26, [])])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_the_command_with_its_processes_can_be_ended(
    tmp_path: Path, number: signal.Signals, count: int, jobs: list[str]
) -> None:
    tree(tmp_path, count)
    before = digests(tmp_path)
    command = [sys.executable, "-m", "ckptkit", "migrate", str(tmp_path), *jobs]
    process = subprocess.Popen(
        command,
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )
    wait_for(lambda: any(tmp_path.rglob(f"*{BACKUP}")))
    if number is signal.SIGKILL:
        process.kill()
    else:
        os.killpg(process.pid, number)
    out, err = process.communicate(timeout=60)
    # A worker whose parent is gone ends its file first.
    wait_for(lambda: not group_lives(process.pid))
    holds_all(tmp_path, before)
    if number is signal.SIGINT and process.returncode:
        assert (process.returncode, out, err.strip()) == (130, "", "error: interrupted")
        assert not list(tmp_path.rglob(".*"))
    assert len(api.migrate(tmp_path).files) == count
    assert nothing_else(tmp_path, before, "v2")


def group_lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def wait_for(happened: Callable[[], bool]) -> None:
    for _ in range(600):
        if happened():
            return
        time.sleep(0.05)
    pytest.fail("it did not happen within half a minute")
