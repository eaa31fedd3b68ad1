"""`recover` of several paths and of directories: the same as of each alone, in order, whatever else fails."""

import json
import os
import shutil
from pathlib import Path

import pytest
import torch

from ckptkit import api, report, schema
from ckptkit.errors import CkptkitError, NotACheckpointError, UsageError
from ckptkit.model.results import Recovery
from tests.api.trees import tree
from tests.conftest import Call
from tests.corpus import CHECKOUT
from tests.recovery.seed_models import Dqn

FORMS = ("text", "json")


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Four checkpoints in folders, among files that are none."""
    monkeypatch.chdir(tmp_path)
    root = tmp_path / "runs"
    (root / "late").mkdir(parents=True)
    torch.save(Dqn((2, 36, 36), 4, dueling=True, noisy=True, atoms=5).state_dict(), root / "late" / "dqn.pth")
    shutil.copy(CHECKOUT / "fixtures/sb3/old_gym/model.zip", root / "agent.zip")
    shutil.copy(CHECKOUT / "fixtures/torch/bare/model.pt", root / "late" / "bare.pt")
    api.convert(root / "agent.zip", "deploy", root / "bundle")
    (root / "notes.txt").write_text("no checkpoint")
    return root


PATHS = ("runs/agent.zip", "runs/bundle", "runs/late/bare.pt", "runs/late/dqn.pth")


class Command:
    def __reduce__(self) -> tuple[object, ...]:
        return os.system, ("true",)


def unsafe(path: Path) -> None:
    """Write a torch file that would run a command."""
    with path.open("wb") as file:  # a name given to torch would be that of the members
        torch.save({"weight": torch.ones(3), "run": Command()}, file)


def test_the_fixture_is_what_a_search_finds(runs: Path) -> None:
    assert tuple(str(path) for path in api.find("runs")) == PATHS


@pytest.mark.parametrize("path", PATHS)
def test_one_path_gives_one_report_as_the_function_does(runs: Path, ckptkit: Call, path: str) -> None:
    found = api.recover(path)
    for form in ("text", "json"):
        run = ckptkit("recover", path, "--format", form)
        assert (run.status, run.err, run.out) == (0, "", report.recovery(found, form))
    document = json.loads(run.out)
    assert schema.validate("recover-report-1.0", document, strict=True) == []


@pytest.mark.parametrize("given", [PATHS, PATHS[::-1], ("runs",), ("runs/late", "runs/agent.zip")])
def test_several_give_what_each_gives_alone_in_their_order(
    runs: Path, ckptkit: Call, given: tuple[str, ...]
) -> None:
    expected = [str(path) for one in given for path in api.find(one)]
    assert len(expected) >= 3
    alone = {form: [ckptkit("recover", path, "--format", form).out for path in expected] for form in FORMS}
    run = ckptkit("recover", *given, "--format", "json")
    assert (run.status, run.err) == (0, "")
    documents = json.loads(run.out)
    assert documents == [json.loads(one) for one in alone["json"]]
    assert [schema.validate("recover-report-1.0", one, strict=True) for one in documents] == [[]] * len(
        expected
    )
    assert ckptkit("recover", *given).out == "\n".join(alone["text"])


def test_a_directory_of_one_is_an_array_and_a_bundle_an_object(runs: Path, ckptkit: Call) -> None:
    (runs / "late" / "bare.pt").unlink()
    assert [one["path"] for one in json.loads(ckptkit("recover", "runs/late", "--format", "json").out)] == [
        PATHS[3]
    ]
    assert json.loads(ckptkit("recover", "runs/bundle", "--format", "json").out)["path"] == PATHS[1]


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_processes_give_the_same_bytes(runs: Path, ckptkit: Call, jobs: str) -> None:
    tree(runs, 12)
    (runs / "late" / "cut.pt").write_bytes((runs / "late" / "bare.pt").read_bytes()[:-30])
    plain = ckptkit("recover", "runs", "runs/missing", "--format", "json", "--explain")
    assert len(json.loads(plain.out)) == 16
    assert (
        ckptkit("recover", "runs", "runs/missing", "--format", "json", "--explain", "--jobs", jobs) == plain
    )


BAD = {
    "missing": (lambda path: None, 2),
    "cut": (lambda path: path.write_bytes(Path(PATHS[2]).read_bytes()[:-30]), 2),
    "text": (lambda path: path.write_text("no checkpoint"), 2),
    "nothing": (lambda path: path.write_bytes(b""), 2),
    "pointer": (
        lambda path: path.write_text(
            f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 9\n"
        ),
        2,
    ),
    "unsafe": (unsafe, 1),
    "version": (lambda path: shutil.copy(CHECKOUT / "fixtures/torch/versioned_unknown/model.pt", path), 1),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_one_is_said_and_keeps_no_other_back(runs: Path, ckptkit: Call, kind: str) -> None:
    make, status = BAD[kind]
    path = runs / "late" / f"{kind}\n.pt"
    make(path)
    named = f"runs/late/{kind}\n.pt"
    alone = ckptkit("recover", named, "--format", "json")
    assert (alone.status, alone.out) == (status, "")
    assert alone.err.startswith("error: ")
    assert len(alone.err.splitlines()) == 1
    good = [json.loads(ckptkit("recover", path, "--format", "json").out) for path in PATHS[1:3]]
    run = ckptkit("recover", PATHS[1], named, PATHS[2], "--format", "json", "-o", "out.json")
    assert (run.status, run.out, run.err) == (status, "", alone.err)
    assert json.loads(Path("out.json").read_text()) == good


def test_two_wins_over_one(runs: Path, ckptkit: Call) -> None:
    unsafe(runs / "late" / "unsafe.pt")
    assert ckptkit("recover", "runs").status == 1
    run = ckptkit("recover", "missing", "runs")
    assert run.status == 2
    assert [line.split(":")[1].strip() for line in run.err.splitlines()] == ["missing", "runs/late/unsafe.pt"]


def test_nothing_at_all(runs: Path, ckptkit: Call) -> None:
    (runs / "empty").mkdir()
    for given in (["runs/empty"], ["runs/empty", "missing"]):
        run = ckptkit("recover", *given)
        assert (run.status, run.out) == (2, "")
        assert "no checkpoint in this directory" in run.err
        assert ckptkit("recover", *given, "--format", "json").out == "[]\n"
    run = ckptkit("recover")
    assert (run.status, run.out) == (2, "")
    assert ckptkit("recover", "runs", "--jobs", "0").status == 2


def test_flags_are_for_every_checkpoint(runs: Path, ckptkit: Call) -> None:
    run = ckptkit("recover", "runs/late", "--explain", "--assume", "asteroids", "--format", "json")
    bare, dqn = json.loads(run.out)
    assert bare["rejected"]
    assert dqn["config"]["activation"]["status"] == "assumed"
    (differing,) = (
        one
        for one in json.loads(ckptkit("recover", *PATHS[2:], "--counterexample", "--format", "json").out)
        if one["counterexamples"]
    )
    assert differing["path"] == PATHS[3]


def test_the_function_gives_errors_in_their_places(runs: Path) -> None:
    found = list(api.recover_each([PATHS[0], "missing", PATHS[2]]))
    assert [type(one) for one in found] == [Recovery, NotACheckpointError, Recovery]
    assert isinstance(found[1], CkptkitError)
    assert "missing" in str(found[1])
    with pytest.raises(UsageError, match="nobody"):
        list(api.recover_each(["missing"], assume=["nobody"]))
