"""Many checkpoints: processes, the cache, what git says has changed, and pointers for content."""

import json
import os
import shutil
import sqlite3
import struct
import subprocess
import sys
from itertools import permutations
from pathlib import Path

import pytest

from ckptkit import api
from ckptkit import report as forms
from ckptkit.api import caching, spreading
from ckptkit.model.settings import Lfs, Settings
from ckptkit.model.verify import Verify
from ckptkit.storage import result_cache, stamps
from ckptkit.storage.result_cache import opened
from tests.conftest import Call, safetensors_bytes

OLD = 1_600_000_000


def age(path: Path) -> None:
    """Give a path and all below it a time long ago, as files have that nobody is writing."""
    for each in (path, *path.rglob("*")):
        os.utime(each, (OLD, OLD))


@pytest.fixture
def models(tmp_path: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Forty checkpoints, every fifth of which is damaged, with some files that are none."""
    monkeypatch.setenv("CKPTKIT_CACHE_DIR", str(tmp_path / "cache"))
    root = tmp_path / "models"
    for number in range(20):
        shutil.copytree(bundle, root / f"b{number:02}")
        weights = root / f"b{number:02}/model.safetensors"
        if number % 5 == 0:
            weights.write_bytes(weights.read_bytes()[:-1] + b"x")
        data = safetensors_bytes({"w": ("F32", [1], struct.pack("<f", number))})
        (root / f"m{number:02}.safetensors").write_bytes(data[:-1] if number % 5 == 0 else data)
        (root / f"n{number:02}.txt").write_text("no checkpoint")
    age(root)
    monkeypatch.chdir(tmp_path)
    return root


def test_processes_give_the_results_of_one_in_its_order(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spreading, "TOGETHER", 3)
    alone = api.validate("models", jobs=1)
    told: list[str] = []
    many = api.validate("models", jobs=2, told=lambda one: told.append(one.path))
    assert len(alone.results) == 40
    assert sum(bool(one.findings) for one in alone.results) == 8
    assert many == alone
    assert told == [one.path for one in alone.results]


@pytest.mark.parametrize("jobs", [1, 2])
def test_what_is_named_and_what_is_found_stand_in_one_order(models: Path, jobs: int) -> None:
    """Directories with nothing in them, and paths that are none, keep their places among the others."""
    (models / "empty").mkdir()
    (models / "texts").mkdir()
    (models / "texts/a.txt").write_text("no checkpoint")
    named = [str(path) for path in sorted(models.glob("[bmn]*"))]
    assert len(named) == 60
    given = ["models/texts", *named, "missing", "models/empty", "models", "models/b00", "models/texts"]
    found = api.validate(given, jobs=jobs)
    inside = [one.path for one in api.validate("models").results]
    assert [one.path for one in found.results] == [*given[:63], *inside, *given[64:]]
    codes = [[finding.code for finding in one.findings] for one in found.results]
    assert [codes[at] for at in (0, 61, 62, -1)] == [["CK100"]] * 4
    assert [one.incomplete for one in found.results if one.path == "models/texts"] == [
        "no checkpoint in this directory"
    ] * 2
    assert found.results[-2] == api.validate("models/b00").results[0]


def fail(*_: object, **__: object) -> None:
    raise AssertionError("checked again")


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_second_run_takes_what_has_not_changed(
    models: Path, monkeypatch: pytest.MonkeyPatch, jobs: int
) -> None:
    first = api.validate("models", jobs=jobs, cache=True)
    assert first == api.validate("models", jobs=1)
    monkeypatch.setattr("ckptkit.api.checking.check", fail)
    assert api.validate("models", jobs=1, cache=True) == first
    others = ({"cache": False}, {"level": 1}, {"strict": True}, {"settings": Settings(lfs=Lfs.SKIP)})
    for other in others:
        with pytest.raises(AssertionError, match="checked again"):
            api.validate("models", **{"cache": True, "jobs": 1, **other})


@pytest.mark.parametrize(("known", "asked"), list(permutations(Verify, 2)))
def test_no_way_of_verifying_is_answered_from_another(models: Path, known: Verify, asked: Verify) -> None:
    """Weights that differ are seen by every way but `header`, whatever the cache holds of the others."""
    before = api.validate("models", settings=Settings(verify=known), cache=True)
    wanted = api.validate("models", settings=Settings(verify=asked))
    found = api.validate("models", settings=Settings(verify=asked), cache=True)
    assert found == wanted != before
    assert found == api.validate("models", settings=Settings(verify=asked), cache=True)
    assert sum(bool(one.findings) for one in found.results) == (4 if asked is Verify.HEADER else 8)


def checked_again(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    checked: list[str] = []
    monkeypatch.setattr("ckptkit.api.validating.check_path", lambda path, *_, **__: checked.append(path.name))
    api.validate("models", cache=True, jobs=1)
    return set(checked)


def test_another_ruleset_checks_again(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    api.validate("models", cache=True)
    monkeypatch.setattr("ckptkit.api.caching.__version__", "0.0.1")
    assert len(checked_again(monkeypatch)) >= 40


def test_results_that_say_less_are_not_taken(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of a ckptkit whose results had fewer fields: what they do not say would be taken for clean."""
    api.validate("models", cache=True)
    kept = caching.fields
    monkeypatch.setattr(caching, "fields", lambda kind: kept(kind)[:-1])
    assert len(checked_again(monkeypatch)) >= 40


CHANGES = {
    "contents": lambda at: at.write_bytes(at.read_bytes()[:-1] + b"y"),
    "a file that comes": lambda at: (at.parent / "more.bin").write_bytes(b"1"),
    "a file that goes": lambda at: (at.parent / "ckpt.json.sha256").unlink(),
    "another file under its name": lambda at: Path(shutil.copy2(at, at.with_suffix(".new"))).replace(at),
    "its mode": lambda at: at.chmod(0o600),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_has_changed_is_checked_again(models: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    api.validate("models", cache=True)
    CHANGES[name](models / "b01/model.safetensors")
    checked = checked_again(monkeypatch)
    assert "b01" in checked
    assert "b02" not in checked


def test_a_file_that_was_written_just_now_is_not_kept(models: Path) -> None:
    path = models / "b01/model.safetensors"
    assert stamps.stamp(models / "b01", settled=True)
    os.utime(path)
    assert stamps.stamp(models / "b01", settled=True) == ""
    assert stamps.stamp(models / "b01")
    assert stamps.stamp(models / "none") == ""


def test_what_is_named_itself_is_always_checked(models: Path) -> None:
    assert not api.validate("models/b01", cache=True).results[0].findings
    path = models / "b01/model.safetensors"
    status = path.stat()
    data = path.read_bytes()
    with path.open("r+b") as file:
        file.write(data[:-1] + b"z")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert api.validate("models/b01", cache=True).results[0].findings


def test_what_could_not_be_checked_is_not_kept(models: Path) -> None:
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'a' * 64}\nsize 9\n"
    (models / "p.pt").write_text(pointer)
    age(models)
    api.validate("models", cache=True)
    connection = sqlite3.connect(result_cache.location())
    paths = {path for (path,) in connection.execute("SELECT path FROM results")}
    connection.close()
    assert "models/p.pt" not in paths
    assert len(paths) == 40


@pytest.mark.parametrize("broken", ["junk", "folder", "table"])
def test_a_cache_that_is_broken_is_none(models: Path, broken: str) -> None:
    wanted = api.validate("models", jobs=1)
    file = result_cache.location()
    file.parent.mkdir()
    if broken == "junk":
        file.write_bytes(b"junk" * 1000)
    elif broken == "folder":
        file.mkdir()
    else:
        connection = sqlite3.connect(file)
        connection.execute("CREATE TABLE results (x)")
        connection.close()
    assert api.validate("models", cache=True, jobs=1) == wanted


def test_a_python_without_sqlite_has_no_cache(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sqlite3", None)
    assert len(api.validate("models", cache=True).results) == 40
    assert not result_cache.location().exists()


def test_a_cache_is_bounded_and_forgets_what_was_used_longest_ago(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(result_cache, "MAX_ROWS", 3)
    for name in "abcde":
        with opened(["o"]) as cache:
            cache.get("a", "s")
            cache.put(name, "s", "{}")
    with opened(["o"]) as cache:
        assert [bool(cache.get(name, "s")) for name in "abcde"] == [True, False, False, True, True]


def test_the_cache_is_named_and_removed(models: Path, ckptkit: Call) -> None:
    assert ckptkit("validate", "models").status == 1
    place = Path(ckptkit("cache", "dir").out.strip())
    assert place.is_file()
    assert ckptkit("cache", "clean").status == 0
    assert not place.exists()
    assert ckptkit("validate", "models", "--no-cache").status == 1
    assert not place.exists()
    assert ckptkit("cache", "clean").out == "removed   0 B\n"


def git(folder: Path, *arguments: str) -> str:
    names = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    run = subprocess.run(["git", *names, *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return run.stdout.strip()


@pytest.fixture
def repository(models: Path) -> Path:
    git(models, "init", "-q", "-b", "main")
    git(models, "add", "-A")
    git(models, "commit", "-q", "-m", "first")
    return models


def paths(out: str) -> list[str]:
    return [one["path"] for one in json.loads(out)["results"]]


def test_only_what_changed_since_a_revision(repository: Path, ckptkit: Call) -> None:
    def changed(path: str, revision: str) -> list[str]:
        words = ("--changed-since", revision, "--format", "json", "--allow-empty")
        return paths(ckptkit("validate", path, *words).out)

    assert changed("models", "HEAD") == []
    (repository / "b03/model.safetensors").write_bytes(b"x")
    (repository / "b04/ckpt.json.sha256").unlink()
    (repository / "m01.safetensors").unlink()
    (repository / "n01.txt").write_text("changed")
    shutil.copytree(repository / "b02", repository / "näme\n new")
    expected = ["models/b03", "models/b04", "models/näme\n new"]
    assert changed("models", "main") == expected
    assert ckptkit("validate", "models", "--changed-since", "main", "--allow-empty").status == 1
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "-m", "second")
    assert changed("models", "HEAD") == []
    assert changed("models", "HEAD~1") == expected
    assert changed("models/b03", "HEAD~1") == ["models/b03"]


@pytest.mark.parametrize("revision", ["none", "--output=x", "", "HEAD^{tree}"])
def test_a_revision_that_is_none_is_an_error(repository: Path, ckptkit: Call, revision: str) -> None:
    run = ckptkit("validate", "models", f"--changed-since={revision}")
    assert (run.status, run.out) == (2, "")
    assert not (repository / "x").exists()


def test_changes_need_a_repository(models: Path, ckptkit: Call) -> None:
    run = ckptkit("validate", "models", "--changed-since", "HEAD")
    assert run.status == 2
    assert "repository" in run.err


def test_members_stand_for_their_bundle_once(models: Path, ckptkit: Call) -> None:
    members = ["b01/model.safetensors", "b01/gone.onnx", "b02/ckpt.json", "m01.safetensors", "b01/ckpt.json"]
    run = ckptkit("validate", "--bundles", "--format", "json", *(f"models/{name}" for name in members))
    assert paths(run.out) == ["models/b01", "models/b02", "models/m01.safetensors"]


@pytest.mark.parametrize(("lfs", "status"), [("pointer", 2), ("require", 1), ("skip", 0)])
def test_what_a_pointer_means(models: Path, ckptkit: Call, lfs: str, status: int) -> None:
    weights = models / "b01/model.safetensors"
    manifest = json.loads((models / "b01/ckpt.json").read_text())
    entry = next(one for one in manifest["files"] if one["path"] == "model.safetensors")
    text = "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize {}\n"
    weights.write_text(text.format(entry["sha256"], entry["size"]))
    run = ckptkit("validate", "models/b01", "--lfs", lfs)
    assert run.status == status
    assert "oid is the recorded digest" in run.out
    weights.write_text(text.format("0" * 64, entry["size"]))
    assert ckptkit("validate", "models/b01", "--lfs", lfs).status == 1
    (models / "p.pt").write_text(text.format("0" * 64, 1))
    assert ckptkit("validate", "models/p.pt", "--lfs", lfs).status == status


def test_findings_are_printed_as_soon_as_they_are_known(models: Path, ckptkit: Call) -> None:
    streamed = ckptkit("validate", "models", "--no-cache").out
    assert streamed == forms.validations(api.validate("models"), "text")
    assert streamed.startswith("models/b00/model.safetensors: CK301")


@pytest.mark.parametrize("name", [".b.1a2b.ckptkit-tmp", ".m.safetensors.1a2b.ckptkit-tmp"])
def test_what_a_killed_run_left_is_no_checkpoint(models: Path, name: str) -> None:
    if name.startswith(".b"):
        shutil.copytree(models / "b01", models / name)
    else:
        shutil.copy(models / "m01.safetensors", models / name)
    assert len(api.validate("models").results) == 40
