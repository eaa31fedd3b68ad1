"""Writers beside others: small disks, other processes, sources that change, links, and Ctrl-C."""

import errno
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from ckptkit import api
from ckptkit.cli.output import emit
from ckptkit.digest import tensor_sha256
from ckptkit.errors import CkptkitError, WriteError
from ckptkit.storage.source import FileSource
from tests.conftest import Call
from tests.corpus import CHECKOUT
from tests.faults.driver import state
from tests.faults.layer import Faults, injected
from tests.faults.writers import WEIGHTS, weights

BUNDLES = ("deploy", "v2")
STATISTICS = CHECKOUT / "fixtures" / "sb3" / "vecnormalize" / "agent.zip"
"""An agent with a file of its own beside it."""
COMMAND = [sys.executable, "-m", "ckptkit"]


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def sound(bundle: Path) -> bool:
    """Whether a bundle is all that it claims."""
    (result,) = api.validate(bundle).results
    return result.level == 2 and not result.findings


def digests(checkpoint: Path) -> dict[str, str]:
    """Return the digest of each tensor of a checkpoint of any kind."""
    return {name: tensor_sha256(tensor) for name, tensor in api.read(checkpoint).tensors.items()}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB, where this user may make one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    options = ["-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    try:
        made = subprocess.run(["mount", *options], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount command")
    if made.returncode:
        pytest.skip(f"no tmpfs can be mounted: {made.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def leave(folder: Path, pages: int) -> None:
    """Fill a disk until so many pages are free."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            os.truncate(ballast, max(ballast.stat().st_size - 4096 * pages, 0))


@pytest.mark.parametrize("to", BUNDLES)
def test_a_disk_that_is_full_keeps_what_it_holds(small_disk: Path, tmp_path: Path, to: str) -> None:
    weights(tmp_path)
    target = small_disk / "made"
    api.convert(tmp_path / WEIGHTS, to, target)
    before = state(target) or target.read_bytes()
    weights(tmp_path, 2)
    refused, pages = 0, 0
    while True:
        leave(small_disk, pages)
        try:
            api.convert(tmp_path / WEIGHTS, to, target, force=True)
        except WriteError as error:
            assert "disk is full" in str(error)
            refused += 1
        else:
            break
        assert (state(target) or target.read_bytes()) == before
        assert files(small_disk) == {"made", "ballast"}
        pages += 1
    assert refused >= 1
    assert (state(target) or target.read_bytes()) != before
    assert sound(target)


def test_a_disk_that_is_full_keeps_an_agent_of_several_files(small_disk: Path) -> None:
    target = small_disk / "made.zip"
    api.convert(STATISTICS, "sb3", target)
    (small_disk / "made" / "vecnormalize.pkl").write_bytes(b"old")
    before = state(small_disk)
    refused, pages = 0, 0
    while True:
        leave(small_disk, pages)
        try:
            api.convert(STATISTICS, "sb3", target, force=True)
        except WriteError as error:
            assert "disk is full; nothing was written" in str(error)
            refused += 1
        else:
            break
        (small_disk / "ballast").unlink()
        assert state(small_disk) == before
        pages += 1
    assert refused >= 3
    assert files(small_disk) == {"made", "made.zip", "ballast"}
    assert (small_disk / "made" / "vecnormalize.pkl").read_bytes() != b"old"
    assert not api.validate(target).results[0].findings


def test_files_that_belong_together_lie_on_one_disk(small_disk: Path) -> None:
    target = small_disk.with_suffix(".zip")
    with pytest.raises(WriteError, match="another disk than its folder; nothing was written"):
        api.convert(STATISTICS, "sb3", target)
    assert files(target.parent) == {"disk"}
    assert not files(small_disk)


@pytest.mark.parametrize("to", BUNDLES)
@pytest.mark.parametrize("force", [False, True])
def test_processes_with_one_target_do_not_mix(tmp_path: Path, to: str, force: bool) -> None:
    runs = []
    for number in range(4):
        folder = tmp_path / str(number)
        folder.mkdir()
        weights(folder, number + 1)
        words = ["convert", folder / WEIGHTS, "--to", to, "-o", tmp_path / "made", *["--force"] * force]
        runs.append(subprocess.Popen([*COMMAND, *words], cwd=CHECKOUT, stderr=subprocess.PIPE, text=True))
    said = [run.communicate()[1] for run in runs]
    statuses = sorted(run.returncode for run in runs)
    assert statuses == ([0] * 4 if force else [0, 2, 2, 2]), said
    assert "Traceback" not in "".join(said)
    assert files(tmp_path) == {"0", "1", "2", "3", "made"}
    assert sound(tmp_path / "made")
    assert digests(tmp_path / "made") in [digests(tmp_path / str(number) / WEIGHTS) for number in range(4)]


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def overwrite(path: Path) -> None:
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size - 8)
        file.write(b"\xff" * 8)


class Changing:
    """Makes a change before one read of any file, counted from 1."""

    def __init__(self, patch: pytest.MonkeyPatch, change: Callable[[], None]) -> None:
        self._change, self.reads, self._at = change, 0, 0
        for name in ("read", "readinto"):
            patch.setattr(FileSource, name, self._wrapped(getattr(FileSource, name)))

    def _wrapped(self, real: Callable[..., object]) -> Callable[..., object]:
        def call(source: FileSource, *arguments: object) -> object:
            self.reads += self._at > 0
            if self._at and self.reads == self._at:
                self._change()
            return real(source, *arguments)

        return call

    @contextmanager
    def during(self, at: int) -> Iterator[None]:
        self.reads, self._at = 0, at
        try:
            yield
        finally:
            self._at = 0


@pytest.mark.parametrize("to", BUNDLES)
@pytest.mark.parametrize("change", [Path.unlink, truncate, grow, overwrite])
def test_a_source_that_changes_while_it_is_read_is_refused_or_copied_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], None], to: str
) -> None:
    """The change comes before the first read, then before the second, until after the last."""
    source, target = tmp_path / "in" / WEIGHTS, tmp_path / "made"
    source.parent.mkdir()
    weights(source.parent)
    wanted = digests(source)
    changing = Changing(monkeypatch, lambda: change(source))
    copied: list[bool] = []
    while changing.reads >= len(copied):
        weights(source.parent)
        try:
            with changing.during(at=len(copied) + 1):
                api.convert(source, to, target, force=True)
        except CkptkitError:
            copied.append(False)
            assert files(tmp_path) == {"in"}
        else:
            copied.append(True)
            assert sound(target)
            assert digests(target) == wanted, len(copied)
            shutil.rmtree(target) if target.is_dir() else target.unlink()
    assert len(copied) >= 4
    assert copied[-1]  # nothing changed
    assert all(copied) if change is Path.unlink else not any(copied[:-1])


@pytest.mark.parametrize(
    "command", ["convert --to v2 -o", "convert --dry-run --force --to v2 -o", "inspect -o"]
)
@pytest.mark.parametrize("place", ["loop", "loop/x"])
def test_links_that_lead_in_a_circle_are_no_place(
    ckptkit: Call, tmp_path: Path, command: str, place: str
) -> None:
    weights(tmp_path)
    (tmp_path / "loop").symlink_to("loop")
    run = ckptkit(*command.split(), tmp_path / place, tmp_path / WEIGHTS)
    assert run.status == 2 or "--dry-run" in command
    assert "internal error" not in run.err
    assert ckptkit("migrate", tmp_path / "loop").err.startswith(f"error: {tmp_path / 'loop'}: ")
    assert files(tmp_path) == {WEIGHTS, "loop"}


def test_a_report_goes_through_a_link_and_a_pipe(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "real.json").write_text("old")
    (tmp_path / "link.json").symlink_to("real.json")
    api_words = ["validate", str(bundle), "--format", "json", "-o"]
    subprocess.run([*COMMAND, *api_words, str(tmp_path / "link.json")], cwd=CHECKOUT, check=True)
    assert (tmp_path / "link.json").is_symlink()
    text = (tmp_path / "real.json").read_bytes()
    assert text.startswith(b"{")
    out = subprocess.run([*COMMAND, *api_words, "/dev/stdout"], cwd=CHECKOUT, check=True, capture_output=True)
    assert len(out.stdout) == len(text)
    with (tmp_path / "log").open("ab") as log:
        log.write(b"before\n")
        log.flush()
        subprocess.run([*COMMAND, *api_words, "/dev/stdout"], cwd=CHECKOUT, check=True, stdout=log)
    assert files(tmp_path) >= {"real.json", "link.json", "log"}
    assert not list(tmp_path.glob(".*"))


def test_an_error_after_the_new_file_stands_says_so(tmp_path: Path) -> None:
    report = tmp_path / "report.txt"
    report.write_text("older\n")
    with injected(Faults(tmp_path)) as seen:
        emit("old\n", str(report))
    last = len(seen.calls) - 1 - seen.calls[::-1].index("fsync")
    for at in range(len(seen.calls)):
        report.write_text("old\n")
        try:
            with injected(Faults(tmp_path, at, errno.EIO)):
                emit("new\n", str(report))
        except WriteError as error:
            assert ("stands there" in error.what) == (at == last)
            assert ("nothing was written" in error.what) == (at < last)
        done = at >= last or seen.calls[at] == "os.chmod"  # permissions are kept where they can be
        assert report.read_text() == ("new\n" if done else "old\n")
    assert last >= 4


def test_a_report_that_is_write_protected_stays() -> None:
    user = os.geteuid()
    if user == 0:  # the superuser may write anything
        os.seteuid(65534)
    try:
        with TemporaryDirectory() as folder:
            report = Path(folder) / "report.json"
            report.write_text("old")
            report.chmod(0o400)
            with pytest.raises(WriteError, match="write-protected"):
                emit("new", str(report))
            assert report.read_text() == "old"
            Path(folder).chmod(0)
            with pytest.raises(WriteError, match="cannot be written: Permission denied"):
                emit("new", str(report))
            Path(folder).chmod(0o700)
    finally:
        os.seteuid(user)


def test_a_report_keeps_the_permissions_of_an_earlier_one(ckptkit: Call, bundle: Path) -> None:
    report = bundle.parent / "report.json"
    report.write_text("old")
    report.chmod(0o600)
    ckptkit("validate", bundle, "-o", report)
    assert report.stat().st_mode & 0o777 == 0o600
    assert report.read_text() != "old"


@pytest.mark.slow
def test_ctrl_c_at_any_moment_leaves_nothing(tmp_path: Path) -> None:
    weights(tmp_path)
    target = tmp_path / "made"
    command = [*COMMAND, "convert", tmp_path / WEIGHTS, "--to", "deploy", "-o", target, "--force"]
    draw, ended = random.Random(5), set()
    for _ in range(8):
        run = subprocess.Popen(command, cwd=CHECKOUT, stderr=subprocess.PIPE, text=True)
        time.sleep(0.3 + draw.random())
        run.send_signal(signal.SIGINT)
        said = run.communicate()[1]
        ended.add(run.returncode)
        assert said.strip() == "error: interrupted" or run.returncode != 130
        assert files(tmp_path) <= {WEIGHTS, "made"}
        assert not target.exists() or sound(target)
    assert ended <= {0, 130, -signal.SIGINT}
