"""JSON beside a named checkpoint: taken where it is of the same model, left and noted where not."""

import json
from pathlib import Path

import pytest
import torch

from ckptkit import api
from tests.recovery.seed_models import Dqn, model_config

SHAPE = (2, 36, 41)
Named = tuple[Path, Path, dict[str, object]]


@pytest.fixture
def named(tmp_path: Path) -> Named:
    """Return a named checkpoint, the place of its JSON, and what belongs into it."""
    made = Dqn(SHAPE, 4)
    words: dict[str, object] = {"model_name": "m", "model_class": "Net"}
    torch.save(
        {**words, "model_state_dict": made.state_dict(), "training_info": {"frame": 1}}, tmp_path / "m.pth"
    )
    return tmp_path / "m.pth", tmp_path / "m.json", {**words, "model_config": model_config(made, SHAPE)}


def test_its_model_config_settles_the_network(named: Named) -> None:
    path, beside, words = named
    assert api.recover(path).graph is None
    beside.write_text(json.dumps(words))
    found = api.recover(path)
    assert found.graph is not None
    assert found.fields["input_shape"]["status"] == "proven"
    assert [file.path for file in api.read(path).files] == ["m.pth", "m.json"]


@pytest.mark.parametrize("text", ['{"model_name": ', '{"model_name": "other", "model_config": {}}'])
def test_json_of_another_model_or_broken_is_a_note(named: Named, text: str) -> None:
    path, beside, _ = named
    beside.write_text(text)
    checkpoint = api.read(path)
    assert [(note.kind, note.location) for note in checkpoint.notes] == [("stray-sidecar", "m.json")]
    assert len(checkpoint.files) == 1


@pytest.mark.parametrize("text", ["[]", "{}", '{"model_name": "m", "model_config": 3}'])
def test_json_that_describes_no_network_is_left_alone(named: Named, text: str) -> None:
    path, beside, _ = named
    beside.write_text(text)
    assert api.read(path).notes == ()
