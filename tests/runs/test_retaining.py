"""Retention: rules, a dry run by default, and never the last good checkpoint."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from ckptkit import runs
from ckptkit.errors import UsageError
from ckptkit.model.runs import Retention
from tests.corpus import CHECKOUT
from tests.runs.conftest import damage, damage_weights


def going(done: Retention) -> set[str]:
    return {file.path.name for file in done.removed}


def test_nothing_is_removed_unless_it_is_asked_for(run: Path) -> None:
    before = sorted(run.iterdir())
    done = runs.prune(run, keep_last=1)
    assert done.dry_run
    assert going(done) == {"model_100.pt", "model_200.pt", "model_300.pt"}
    assert sorted(run.iterdir()) == before
    assert going(runs.prune(run, keep_last=1, dry_run=False)) == going(done)
    assert sorted(path.name for path in run.iterdir()) == ["best.pt", "model_400.pt"]


@pytest.mark.parametrize(
    ("rules", "gone"),
    [
        ({"keep_last": 2}, {100, 200}),
        ({"keep_best": 1, "metric": "score"}, {100, 300, 400}),
        ({"keep_best": 1, "metric": "score", "lowest": True}, {200, 300, 400}),
        ({"keep_every": 200}, {100, 300}),
        ({"keep_last": 1, "keep_best": 1, "metric": "score"}, {100, 300}),
        ({"keep_last": 9}, set()),
    ],
)
def test_each_rule_keeps_what_it_says(run: Path, rules: dict[str, object], gone: set[int]) -> None:
    assert going(runs.prune(run, **rules)) == {f"model_{step}.pt" for step in gone}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("how", "why"), [(damage, "cannot be used: "), (damage_weights, "is not valid, look into it: ")]
)
def test_a_broken_newest_counts_for_no_rule_and_stays(
    run: Path, how: Callable[[Path], None], why: str
) -> None:
    how(run / "model_400.pt")
    done = runs.prune(run, keep_last=1)
    assert going(done) == {"model_100.pt", "model_200.pt"}
    reasons = {file.path.name: file.reason for file in done.files}
    assert reasons["model_400.pt"].startswith(why)
    assert reasons["model_300.pt"] == "among the last 1"


def test_the_only_valid_one_is_never_removed(run: Path) -> None:
    (run / "best.pt").unlink()
    for step in (100, 200, 400):
        damage_weights(run / f"model_{step}.pt")
    done = runs.prune(run, keep_every=200, dry_run=False)
    assert "model_300.pt" not in going(done)
    assert (run / "model_300.pt").is_file()
    assert {file.path.name: file.reason for file in done.files}[
        "model_300.pt"
    ] == "the only one that is valid"


def test_where_nothing_is_valid_all_of_it_stays(run: Path) -> None:
    (run / "best.pt").unlink()
    for step in (100, 200, 300, 400):
        damage_weights(run / f"model_{step}.pt")
    assert going(runs.prune(run, keep_every=200, dry_run=False)) == set()


def test_only_numbered_whole_checkpoints_are_touched(run: Path) -> None:
    (run / "model_500.pt").write_bytes((run / "model_400.pt").read_bytes()[:500])
    (run / "model_50.pt.backup").write_bytes((run / "model_100.pt").read_bytes())
    (run / "model_60.pt").symlink_to("model_100.pt")
    (run / "notes_1.txt").write_text("kept")
    done = runs.prune(run, keep_last=1, dry_run=False)
    left = {path.name for path in run.iterdir()}
    assert left >= {"best.pt", "model_400.pt", "model_500.pt", "model_50.pt.backup", "notes_1.txt"}
    assert going(done) == {"model_100.pt", "model_200.pt", "model_300.pt"}


def test_exported_graphs_stay_and_save_no_checkpoint(run: Path) -> None:
    graph = CHECKOUT / "fixtures" / "onnx" / "torch" / "model.onnx"
    for step in (100, 9000):
        shutil.copy(graph, run / f"model_{step}.onnx")
    (run / "best.pt").unlink()
    done = runs.prune(run, keep_last=1, dry_run=False)
    assert going(done) == {"model_100.pt", "model_200.pt", "model_300.pt"}
    reasons = {file.path.name: file.reason for file in done.files}
    assert reasons["model_9000.onnx"] == reasons["model_100.onnx"] == "an exported graph"
    chosen = runs.select(run, n=9).chosen
    assert [choice.path.name for choice in chosen] == ["model_400.pt"]


def test_each_run_keeps_its_own(run: Path, tmp_path: Path) -> None:
    run.rename(tmp_path / "one")
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "model_7.pt").write_bytes((tmp_path / "one" / "model_100.pt").read_bytes())
    done = runs.prune(tmp_path, keep_last=1)
    assert {file.path.name for file in done.files if file.reason} >= {"model_400.pt", "model_7.pt"}


def test_bundles_in_folders_go_whole(run: Path) -> None:
    import ckptkit

    for step in (100, 200):
        ckptkit.convert(run / f"model_{step}.pt", "deploy", run / f"bundle_{step}")
        (run / f"model_{step}.pt").unlink()
    runs.prune(run, keep_last=1, dry_run=False)
    assert sorted(path.name for path in run.iterdir()) == ["best.pt", "model_400.pt"]


@pytest.mark.parametrize(
    "rules", [{}, {"keep_last": -1}, {"keep_best": 1}, {"keep_last": 1, "metric": "score"}]
)
def test_rules_that_make_no_sense_are_refused(run: Path, rules: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        runs.prune(run, **rules)  # type: ignore[arg-type]


def test_a_metric_that_nothing_has_removes_nothing(run: Path) -> None:
    with pytest.raises(UsageError, match="no checkpoint says a 'elo'"):
        runs.prune(run, keep_best=1, metric="elo", dry_run=False)
    assert len(list(run.iterdir())) == 5
