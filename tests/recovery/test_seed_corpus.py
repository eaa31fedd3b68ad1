"""Truth of the corpus: each field is proven and right, or open with the truth among what fits."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from ckptkit import api
from tests.corpus import corpus_files, corpus_root

SYSTEMS = ("asteroids", "keisei")
NAMES = {"dueling": "dueling_dqn", "distributional": "distributional_dqn", "noisy": "noisy_networks"}
NO_FIELDS = {"system", "hint", "note"}
FILES = [path for name in SYSTEMS for path in corpus_files(f"seed_systems/{name}")]


def title(path: Path) -> str:
    """Return a short id of a case."""
    return f"{path.parent.parent.name}-{path.parent.name}"


@pytest.mark.corpus
@pytest.mark.parametrize("hinted", [False, True])
@pytest.mark.parametrize("path", FILES, ids=title)
def test_every_field_is_proven_and_right_or_open_with_the_truth_in_it(path: Path, hinted: bool) -> None:
    assert corpus_root() is not None
    truth = json.loads((path.parent / "case.json").read_text())
    found = api.recover(path, assume=[truth["system"]] if hinted else [])
    assert found.family == truth["system"]
    assert found.unexplained == ()
    for name, value in truth.items():
        if name not in NO_FIELDS:
            field = found.fields[NAMES.get(name, name)]
            right = plain(field["value"]) == value
            assert right or (field["status"] != "proven" and among(value, field)), (name, field)


def plain(value: object) -> object:
    """Return a value without the tag that keeps tuples apart from lists."""
    return value["$tuple"] if isinstance(value, dict) and "$tuple" in value else value


def among(value: object, field: Mapping[str, object]) -> bool:
    """Whether a value is one of the alternatives, or within one that is an interval."""
    others = field["alternatives"]
    assert isinstance(others, list)
    if isinstance(value, float):
        runs = [other for other in others if isinstance(other, dict)]
        return value in others or any(run.get("at_least", 0) <= value < run["below"] for run in runs)
    return value in others
