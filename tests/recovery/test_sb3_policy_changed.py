"""State dicts of policies with one shape changed or one tensor missing: nothing is accepted or made up."""

from dataclasses import replace
from pathlib import Path

import pytest

from ckptkit import recovery
from ckptkit.recovery import sb3_policy
from tests.recovery.sb3_cases import mlp
from tests.recovery.test_engine import mutations, reshaped
from tests.recovery.test_sb3_policy import DEFAULTS, hints, left

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")

MUTATED = {
    "PPO": mlp("PPO", "box", "discrete", net_arch={"pi": [6, 4], "vf": [5]}),
    "A2C with deviations": mlp("A2C", "box", "box"),
    "gSDE": mlp("PPO", "box", "box", use_sde=True),
    "images": mlp("PPO", "image", "discrete", features_extractor_kwargs={"features_dim": 8}),
    "DQN": mlp("DQN", "box", "discrete"),
    "QRDQN": mlp("QRDQN", "box", "discrete", n_quantiles=3),
    "SAC": mlp("SAC", "box", "box"),
    "gSDE SAC": mlp("SAC", "box", "box", use_sde=True),
    "TQC": mlp("TQC", "box", "box"),
    "CrossQ": mlp("CrossQ", "box", "box"),
    "TD3": mlp("TD3", "box", "box"),
    "RecurrentPPO": mlp("RecurrentPPO", "box", "discrete"),
    "ARS": mlp("ARS", "box", "discrete", net_arch=[5]),
}
FREE = {
    "ARS": {("action_net.0.weight", 1)},
    "gSDE": {("log_std", 1), ("log_std", -1)},
    "gSDE SAC": {("actor.log_std", 1)},
}
"""Sizes of which another one is another policy: inputs; a column of gSDE for all actions, or no gSDE."""


@pytest.mark.parametrize("name", list(MUTATED))
def test_no_state_dict_with_one_shape_mutated_is_accepted(tmp_path: Path, name: str) -> None:
    model, checkpoint = left(MUTATED[name], tmp_path)
    given = hints(model, *DEFAULTS, "discrete-actions")
    assert recovery.recover(checkpoint, given).family == "sb3-policy"
    for key, tensor in checkpoint.tensors.items():
        for axis, shape in mutations(tensor.shape):
            if (key, axis) in FREE.get(name, ()):
                continue
            changed = {**checkpoint.tensors, key: reshaped(tensor, shape)}
            assert not sb3_policy.claims(replace(checkpoint, tensors=changed)), (key, shape)


@pytest.mark.parametrize("name", list(MUTATED))
def test_a_missing_tensor_is_never_made_up(tmp_path: Path, name: str) -> None:
    model, checkpoint = left(MUTATED[name], tmp_path)
    given = hints(model, *DEFAULTS, "discrete-actions")
    for key in checkpoint.tensors:
        rest = {other: tensor for other, tensor in checkpoint.tensors.items() if other != key}
        found = recovery.recover(replace(checkpoint, tensors=rest), given)
        if found.graph is not None:
            assert found.unexplained == ()
            names = {name for layer in found.graph.layers for name in (layer.name, *layer.aliases)}
            assert not any(key.startswith(f"{path}.") for path in names if path.rpartition(".")[0]), key
