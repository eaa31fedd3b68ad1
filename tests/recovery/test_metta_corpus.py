"""Real and made MettaAgent files: what is said of them is true, and their networks compute what they did."""

import json
from pathlib import Path

import pytest

from ckptkit import api, recovery
from ckptkit.graph.torch_tensors import state_dict
from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.recovered import Hints, Status
from tests.corpus import corpus_files
from tests.recovery.metta_models import Brain
from tests.recovery.test_metta import ASSUMED, same_outputs

NAMES = {"channels": "channels", "lstm_layers": "core_num_layers", "actions": "n_actions"}
UNKNOWN = "v3_unknown"
MADE = [
    path
    for path in corpus_files("seed_systems/metta")
    if path.suffix == ".pt" and path.parent.name != UNKNOWN and path.name.startswith("model")
]
REAL = [path for path in corpus_files("metta_real") if path.suffix == ".pt"]


def title(path: Path) -> str:
    return f"{path.parent.name}-{path.name}"


@pytest.mark.corpus
@pytest.mark.parametrize("path", MADE, ids=title)
def test_every_field_of_a_made_file_is_right(path: Path) -> None:
    truth = json.loads((path.parent / "case.json").read_text())
    found = api.recover(path)
    assert (found.family, found.unexplained, found.questions) == ("metta", (), ())
    assert {name: found.fields[own]["value"] for name, own in NAMES.items()} == {n: truth[n] for n in NAMES}


@pytest.mark.corpus
def test_real_brains_ask_for_their_actions_alone_and_then_compute_what_they_did() -> None:
    read = [api.read(path) for path in REAL]
    brains = [one for one in read if any("_core_" in name for name in one.tensors)]
    assert len(brains) >= 2
    for checkpoint in brains:
        (question,) = recovery.recover(checkpoint, Hints()).questions
        assert "which of the 100 embeddings are actions?" in question
        found = recovery.recover(checkpoint, ASSUMED)
        not_proven = {name for name, one in found.config.items() if one.status is not Status.PROVEN}
        assert not_proven == {"sources", "active_indices", "n_actions", "action_names"}
        same_outputs(_like(checkpoint), found, checkpoint, 2, 128, largest=9)


def _like(checkpoint: Checkpoint) -> Brain:
    """Return the brain in torch, with the file's own weights."""
    weights = state_dict(checkpoint.tensors, "cpu", digests=False)
    channels = next(value.shape[1] for name, value in weights.items() if name.endswith("obs_norm"))
    sizes = (64, 64, 128, 128, 1024, 512)
    made = Brain(channels=channels, hidden=128, rows=100, width=16, active=(), sizes=sizes)
    made.load_state_dict({name.removeprefix("policy."): value for name, value in weights.items()})
    return made
