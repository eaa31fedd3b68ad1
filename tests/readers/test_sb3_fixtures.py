"""What must be said of each file in `fixtures/sb3`."""

import json
from pathlib import Path

import pytest

from ckptkit.model.ndvalues import values
from ckptkit.model.tree import to_json
from tests.readers.sb3_models import digests, read

FOLDER = Path(__file__).resolve().parents[2] / "fixtures" / "sb3"
CASES = sorted(path.parent.name for path in FOLDER.glob("*/expected.json"))


def test_no_fixture_is_missing():
    assert CASES == [
        "dqn",
        "extractor_by_reference",
        "extractor_by_value",
        "old_gym",
        "ppo",
        "sac",
        "vecnormalize",
    ]


@pytest.fixture(params=CASES)
def case(request):
    expected = json.loads((FOLDER / request.param / "expected.json").read_text())
    return read(FOLDER / request.param / expected["read"]), expected


def test_format_and_verdict(case):
    checkpoint, expected = case
    assert checkpoint.format == expected["format"]
    assert checkpoint.format_version == expected["format_version"]
    assert checkpoint.verdict == expected["verdict"]
    assert [note.kind for note in checkpoint.notes] == expected["notes"]
    assert checkpoint.model_config["algorithm"] == expected["algorithm"]


def test_tensors(case):
    checkpoint, expected = case
    stated = {name: (tuple(shape), digest) for name, (_, shape, digest) in expected["tensors"].items()}
    assert digests(checkpoint.tensors) == stated
    dtypes = {name: tensor.dtype.name for name, tensor in checkpoint.tensors.items()}
    assert dtypes == {name: dtype for name, (dtype, _, _) in expected["tensors"].items()}


def test_spaces(case):
    checkpoint, expected = case
    for side, space in checkpoint.spaces.items():
        stated = expected["spaces"][side]
        assert numbers(space.get("low")) == numbers(stated.get("low"))
        assert numbers(space.get("high")) == numbers(stated.get("high"))
        bounds = ("low", "high")
        assert {k: v for k, v in space.items() if k not in bounds} == {
            k: v for k, v in stated.items() if k not in bounds
        }


def numbers(bound):
    """Return a bound with its infinities as floats: JSON has them as text."""
    if isinstance(bound, list):
        return [float(number) for number in bound]
    return None if bound is None else float(bound)


def test_everything_else_that_is_stated(case):
    checkpoint, expected = case
    if "training" in expected:
        assert sorted(checkpoint.training_state) == sorted(expected["training"])
    for field, schedule in expected.get("schedules", {}).items():
        assert checkpoint.training_info["data"][field] == schedule
    for field in ("policy_kwargs", "features_extractor"):
        if field in expected:
            said = dict(checkpoint.model_config[field])
            code = said.pop("code", None)
            assert to_json(said) == expected[field]
            assert (code is not None) == (said.get("by") == "value")
            assert code is None or "forward" in code
    if "preprocessing" in expected:
        (entry,) = checkpoint.preprocessing
        assert {**entry, "mean": values(entry["mean"]), "var": values(entry["var"])} == {
            **expected["preprocessing"],
            "ret_rms": entry["ret_rms"],
        }
