"""`ckptkit runs`: choose, rank, prune, publish and verify."""

import json
from pathlib import Path
from typing import Any

import pytest

from ckptkit import schema
from tests.conftest import Call
from tests.corpus import CHECKOUT
from tests.runs.conftest import damage, run  # noqa: F401 - `run` is a fixture

KEISEI = CHECKOUT / "fixtures/seed_systems/keisei/models/run_a"
ASTEROIDS = CHECKOUT / "fixtures/seed_systems/asteroids/checkpoints"


def report(ckptkit: Call, *arguments: object, status: int = 0) -> dict[str, Any]:
    called = ckptkit("runs", *arguments, "--format", "json")
    assert called.status == status, called.err
    document: dict[str, Any] = json.loads(called.out)
    assert schema.validate("runs-report-1.0", document, strict=True) == []
    return document


def test_a_leaderboard_in_text_and_json(ckptkit: Call) -> None:
    found = report(ckptkit, "list", KEISEI, "--metric", "black_rating")
    assert [one["value"] for one in found["chosen"]] == [1510.5, 1510.5]
    text = ckptkit("runs", "list", KEISEI, "--metric", "black_rating")
    assert "final_model.pth · keisei · global_timestep 20,480 · black_rating 1510.5" in text.out


def test_an_infinite_metric_is_no_broken_json(ckptkit: Call) -> None:
    found = report(ckptkit, "list", ASTEROIDS, "--metric", "best_eval_reward")
    assert found["chosen"][0]["value"] == 3.5
    assert found["chosen"][1]["value"] != found["chosen"][1]["step"]


@pytest.mark.parametrize(
    ("options", "chosen"),
    [
        ((), ["model_400.pt"]),
        (("-n", "2"), ["model_400.pt", "model_300.pt"]),
        (("--by", "top", "--metric", "score"), ["model_200.pt"]),
        (("--by", "top", "--metric", "score", "--lowest"), ["model_100.pt"]),
        (("--by", "top", "--metric", "score", "--count", "9", "--level", "2"), None),
    ],
)
def test_select(ckptkit: Call, run: Path, options: tuple[str, ...], chosen: list[str] | None) -> None:  # noqa: F811
    found = report(ckptkit, "select", run, *options)
    names = [Path(one["path"]).name for one in found["chosen"]]
    assert names == chosen if chosen is not None else len(names) == 4


def test_select_with_a_seed_repeats(ckptkit: Call, run: Path) -> None:  # noqa: F811
    once, twice = (report(ckptkit, "select", run, "--by", "random", "--seed", "3") for _ in range(2))
    assert once == twice


def test_where_nothing_is_fit_the_status_says_so(ckptkit: Call, run: Path) -> None:  # noqa: F811
    for path in run.iterdir():
        damage(path)
    found = report(ckptkit, "select", run, status=1)
    assert found["chosen"] == []
    assert len(found["skipped"]) == 5
    assert "nothing to choose" in ckptkit("runs", "select", run).out


def test_prune_says_first_and_does_then(ckptkit: Call, run: Path) -> None:  # noqa: F811
    found = report(ckptkit, "prune", run, "--keep-last", "1", "--keep-every", "200")
    assert found["summary"]["removed"] == 2
    assert len(list(run.iterdir())) == 5
    text = ckptkit("runs", "prune", run, "--keep-last", "1", "--delete")
    assert "3 checkpoints of 5" in text.out
    assert len(list(run.iterdir())) == 2


def test_publish_and_verify(ckptkit: Call, run: Path, tmp_path: Path) -> None:  # noqa: F811
    registry = tmp_path / "registry"
    done = report(ckptkit, "publish", run / "model_100.pt", registry, "--name", "agent", "--alias", "best")
    assert done["artifact"]["aliases"] == ["best", "latest"]
    assert report(ckptkit, "verify", registry)["checked"] == 1
    again = ckptkit("runs", "publish", run / "model_100.pt", registry, "--name", "agent")
    assert again.out.startswith("unchanged agent:v1 · agent/v1\n")
    damage(registry / "agent/v1/model.safetensors")
    assert len(report(ckptkit, "verify", registry, status=1)["problems"]) == 1
    assert "0 ok, 1 not" in ckptkit("runs", "verify", registry).out


@pytest.mark.parametrize(
    "arguments",
    [
        ("select", "nowhere"),
        ("select", KEISEI, "--by", "top"),
        ("list", KEISEI, "--metric", "score"),
        ("prune", KEISEI),
        ("prune", KEISEI, "--keep-best", "1"),
        ("verify", KEISEI),
        ("publish", KEISEI / "final_model.pth", "x", "--name", "../y"),
    ],
)
def test_misuse_is_status_2_and_one_line(ckptkit: Call, arguments: tuple[object, ...]) -> None:
    called = ckptkit("runs", *arguments)
    assert (called.status, called.out) == (2, "")
    assert called.err.startswith("error: ")
    assert called.err.count("\n") == 1
