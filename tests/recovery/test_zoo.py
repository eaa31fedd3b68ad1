"""The zoo of `benchmarks/recovery`: floors of what is said of networks that are known, over a part of it."""

import itertools
import math
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from benchmarks.recovery import zoo
from benchmarks.recovery.case import dumps, loads
from benchmarks.recovery.header import Entry, cast, header_of, write
from benchmarks.recovery.score import Outcome, scored
from benchmarks.recovery.table import document
from benchmarks.recovery.truth import among, equal

EVERY = 24
ROOT = Path(__file__).resolve().parents[2]
SCORECARD = ROOT / "docs" / "recovery-scorecard.md"


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> list[Outcome]:
    return scored(list(zoo.cases(EVERY)), tmp_path_factory.mktemp("zoo"))


def told(outcomes: list[Outcome]) -> list[Outcome]:
    """Return the files that are a network of their kind."""
    return [one for one in outcomes if not one.case.refused]


def failing(outcomes: list[Outcome], name: str) -> list[tuple[str, object]]:
    """Return the files of which an attribute is not empty, with that."""
    return [(one.case.id, getattr(one, name)) for one in outcomes if getattr(one, name)]


def test_the_part_has_every_family_and_change(outcomes: list[Outcome]) -> None:
    assert len(outcomes) >= 250
    families = {"asteroids", "keisei", "metta", "sb3-policy", "rl-snake", "generic"}
    assert {one.case.family for one in outcomes} == families
    assert len({one.case.kind for one in outcomes}) >= 26
    assert len({one.case.variant for one in outcomes}) >= 11
    assert sum(one.case.refused for one in outcomes) >= 50


def test_nothing_wrong_is_called_proven(outcomes: list[Outcome]) -> None:
    assert failing(outcomes, "wrong") == []


def test_nothing_that_is_no_network_of_a_family_is_taken_for_one(outcomes: list[Outcome]) -> None:
    assert failing(outcomes, "accepted") == []


def test_every_key_has_its_place_or_is_named(outcomes: list[Outcome]) -> None:
    assert failing(outcomes, "silent") == []
    assert failing(told(outcomes), "unexplained") == []


def test_the_right_family_claims_each_network(outcomes: list[Outcome]) -> None:
    assert [one.case.id for one in told(outcomes) if one.family != one.case.family] == []


def test_the_truth_is_within_what_is_said_of_99_in_100_and_exact_where_told_of_95(
    outcomes: list[Outcome],
) -> None:
    whole = told(outcomes)
    assert len(failing(whole, "outside")) <= 0.01 * len(whole), failing(whole, "outside")
    assert len(failing(whole, "inexact")) <= 0.05 * len(whole), failing(whole, "inexact")


def test_who_says_what_weights_cannot_tell_gets_a_graph(outcomes: list[Outcome]) -> None:
    assert failing(told(outcomes), "open_questions") == []


def test_the_page_is_of_the_zoo_that_there_is_and_has_more_than_a_thousand_files() -> None:
    page = SCORECARD.read_text(encoding="utf-8")
    networks = list(zoo.networks())
    assert f": {len(networks)} networks" in page
    (row,) = [line for line in page.splitlines() if line.startswith("| all |")]
    files, *_ = [int(cell) for cell in row.strip("| ").split(" | ")[1:2]]
    assert files >= 1000
    assert f"{files:,} state dicts" in page
    for kind in {network.kind for network in networks}:
        assert f"| {kind} |" in page


def test_a_page_is_written_of_any_outcomes(outcomes: list[Outcome]) -> None:
    assert document(outcomes[:40]).startswith("# Scorecard of recovery\n")


def test_the_same_zoo_is_made_each_time_and_survives_its_way_as_json() -> None:
    both = zip(zoo.cases(9, "asteroids"), zoo.cases(9, "asteroids"), strict=True)
    for one, other in itertools.islice(both, 60):
        assert dumps(one) == dumps(other) == dumps(loads(dumps(one)))


def test_the_scoring_process_never_imports_torch() -> None:
    command = [sys.executable, "-m", "benchmarks.recovery", "--kind", "one convolution", "--every", "6"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "| keisei, one convolution |" in done.stdout


@pytest.mark.parametrize("dtype", ["F32", "F16", "BF16", "F64"])
def test_a_file_of_holes_is_what_safetensors_reads(tmp_path: Path, dtype: str) -> None:
    values = (-21.0, 0.1, 3.3333)
    header = {"a.weight": Entry("F32", (3, 2)), "support": cast(Entry("F32", (3,), values), dtype)}
    write(header, tmp_path / "x.safetensors")
    read = load_file(tmp_path / "x.safetensors")
    wanted = torch.tensor(values, dtype=torch.float64).to(read["support"].dtype)
    assert torch.equal(read["support"], wanted)
    assert torch.equal(read["a.weight"], torch.zeros(3, 2))


def test_ties_are_seen_in_modules_that_share() -> None:
    layer = torch.nn.Linear(2, 3)
    header = header_of(torch.nn.Sequential(layer, torch.nn.ReLU(), layer))
    assert (header["2.weight"].tied, header["2.bias"].tied) == ("0.weight", "0.bias")


@pytest.mark.parametrize(
    ("true", "candidates", "expected"),
    [
        ([4, 84, 84], [{"channels": 4, "height": [80, 87], "width": [80, 87]}], True),
        ([4, 88, 84], [{"channels": 4, "height": [80, 87], "width": [80, 87]}], False),
        ([3, 84, 84], [{"channels": 4, "height": [80, 87], "width": [80, 87]}], False),
        (0.25, [{"at_least": 0.25, "below": 0.3}], True),
        (0.3, [{"at_least": 0.25, "below": 0.3}], False),
        (0.0, [{"above": 0.0, "below": 0.3}], False),
        (0.1, [0.10000000149011612], True),
        (None, [0.0], False),
        ({"type": "MultiDiscrete", "nvec": [3, 2]}, [{"type": "MultiDiscrete", "sum": 5}], True),
        ({"type": "MultiDiscrete", "nvec": [3, 2]}, [{"type": "MultiDiscrete", "sum": 6}], False),
        ([2, 3], [{"product": 6}], True),
        (True, [1], False),
        (math.inf, [1.0], False),
    ],
)
def test_sets_are_compared_as_sets(true: object, candidates: list[object], expected: bool) -> None:
    assert among(true, candidates) is expected


def test_layers_are_the_same_by_type_and_what_both_say() -> None:
    true = {"type": "Linear", "in_features": 3, "out_features": 4, "bias": True}
    assert equal({"type": "Linear", "in_features": 3}, true)
    assert not equal({"type": "Linear", "in_features": 4}, true)
    assert not equal({"type": "Embedding"}, true)
