"""Mutated pickles of every kind that an SB3 checkpoint holds: our own errors, or a checkpoint."""

import base64
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ckptkit.errors import CkptkitError
from tests.readers.sb3_models import changed, members, read, write

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "sb3"
ZIPS = [
    FIXTURES / "old_gym" / "model.zip",
    FIXTURES / "extractor_by_value" / "PPO_extractor_by_value" / "PPO_extractor_by_value.zip",
]


@st.composite
def mutations(draw, raw):
    """Change, cut or add a few bytes."""
    made = bytearray(raw)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(len(made) - 1, 0)))
        cut = draw(st.integers(0, 4))
        made[at : at + cut] = draw(st.binary(max_size=4))
    return bytes(made)


def cells(path):
    data = json.loads(members(path)["data"])
    return {name: base64.b64decode(v[":serialized:"]) for name, v in data.items() if ":serialized:" in str(v)}


CELLS = [(path, name, raw) for path in ZIPS for name, raw in cells(path).items()]


def survives(path):
    try:
        read(path)
    except CkptkitError as error:
        assert error.what
        assert "\n" not in str(error)


def test_there_are_cells_to_change():
    assert len(CELLS) >= 12


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_change_of_a_cell(tmp_path_factory, data):
    path, name, raw = data.draw(st.sampled_from(CELLS))
    target = write(tmp_path_factory.mktemp("m") / "model.zip", members(path))
    serialized = base64.b64encode(data.draw(mutations(raw))).decode()
    survives(changed(target, **{name: {":type:": "x", ":serialized:": serialized}}))


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(st.data())
def test_any_change_of_statistics(tmp_path_factory, data):
    raw = (FIXTURES / "vecnormalize" / "agent" / "vecnormalize.pkl").read_bytes()
    target = tmp_path_factory.mktemp("m") / "vecnormalize.pkl"
    target.write_bytes(data.draw(mutations(raw)))
    survives(target)


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(st.data())
def test_any_change_of_a_member(tmp_path_factory, data):
    found = members(ZIPS[0])
    name = data.draw(st.sampled_from(sorted(found)))
    found[name] = data.draw(mutations(found[name]))
    survives(write(tmp_path_factory.mktemp("m") / "model.zip", found))
