"""Choosing among checkpoints: latest, best, at random; never a broken one."""

import os
from pathlib import Path

import pytest
import torch

from ckptkit import runs
from ckptkit.errors import NotACheckpointError, UsageError
from ckptkit.model.metrics import metrics, named
from ckptkit.model.runs import Selection
from tests.runs.conftest import damage


def names(selection: Selection) -> list[str]:
    return [one.path.name for one in selection.chosen]


def test_the_latest_is_the_highest_step_whatever_the_time(run: Path) -> None:
    os.utime(run / "model_400.pt", (1, 1))
    assert names(runs.select(run)) == ["model_400.pt"]
    assert names(runs.select(run, n=3)) == ["model_400.pt", "model_300.pt", "model_200.pt"]


def test_more_than_there_are_is_all_of_them(run: Path) -> None:
    assert names(runs.select(run, n=99))[-1] == "best.pt"
    assert len(runs.select(run, n=99).chosen) == 5


@pytest.mark.parametrize("metric", ["score", "metadata.score"])
def test_top_is_the_best_by_a_metric(run: Path, metric: str) -> None:
    found = runs.select(run, "top", 2, metric=metric)
    assert names(found) == ["model_200.pt", "model_300.pt"]
    assert [one.value for one in found.chosen] == [0.9, 0.5]
    assert [(one.path.name, one.reason) for one in found.skipped] == [("best.pt", f"says no {metric}")]
    assert names(runs.select(run, "top", metric=metric, lowest=True)) == ["model_100.pt"]


def test_what_is_not_whole_is_skipped_with_its_reason(run: Path) -> None:
    damage(run / "model_200.pt")
    (run / "model_500.pt").write_bytes((run / "model_400.pt").read_bytes()[:500])
    found = runs.select(run, "top", metric="score")
    assert names(found) == ["model_300.pt"]
    assert {one.path.name for one in found.skipped} == {"model_200.pt", "model_500.pt", "best.pt"}
    assert all(one.reason for one in found.skipped)


def test_random_repeats_with_its_seed_and_never_twice_the_same(run: Path) -> None:
    drawn = [names(runs.select(run, "random", 5, seed=seed)) for seed in range(6)]
    assert drawn[0] == names(runs.select(run, "random", 5, seed=0))
    assert len({tuple(one) for one in drawn}) > 1
    assert all(len(set(one)) == 5 for one in drawn)


def test_state_without_a_model_is_never_chosen(run: Path) -> None:
    state = torch.optim.Adam([torch.ones(2)]).state_dict()
    torch.save({"optimizer_state_dict": state, "step": 900}, run / "trainer_state.pt")
    assert "trainer_state.pt" not in names(runs.select(run, n=99))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ({"by": "best"}, "one of: latest, top, random"),
        ({"by": "top"}, "name a metric"),
        ({"by": "top", "metric": "elo"}, "known: metadata.lines, metadata.score"),
        ({"n": 0}, "n of 1 or more"),
    ],
)
def test_what_cannot_be_meant_is_refused(run: Path, call: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        runs.select(run, **call)  # type: ignore[arg-type]


def test_a_folder_without_checkpoints_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(NotACheckpointError):
        runs.select(tmp_path)


def test_a_leaderboard_ranks_all_and_opens_none_twice(run: Path) -> None:
    board = runs.leaderboard(run, "score")
    assert [one.value for one in board.chosen] == [0.9, 0.5, 0.4, 0.1]
    assert names(runs.leaderboard(run))[:2] == ["model_400.pt", "model_300.pt"]


def test_metrics_are_numbers_by_dotted_name() -> None:
    info: dict[str, object] = {
        "best": float("-inf"),
        "nan": float("nan"),
        "flag": True,
        "huge": 10**400,
        "history": [1, 2],
        "elo": {"black": 1510.5, "deep": {"x": 1}},
    }
    assert metrics(info) == {"best": float("-inf"), "elo.black": 1510.5, "elo.deep.x": 1.0}


def test_a_name_that_several_metrics_end_in_is_asked_about() -> None:
    assert named({"a.x": 1.0, "b.x": 1.0}, "x") == 1.0
    assert named({"a.x": 1.0, "x": 2.0}, "x") == 2.0
    assert named({}, "x") is None
    with pytest.raises(UsageError, match=r"one of: a\.x, b\.x"):
        named({"a.x": 1.0, "b.x": 2.0}, "x")
