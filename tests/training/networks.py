"""Configurations of the eight combinations, and the system's own module with the same weights."""

import itertools
from typing import Any

import torch

from ckptkit import ModelConfig
from ckptkit.graph.torch_module import GraphModule
from tests.recovery.seed_models import Dqn

SHAPE = (3, 36, 37)
ACTIONS, ATOMS = 4, 7
EIGHT = list(itertools.product((False, True), repeat=3))
NAMES = [
    "-".join(word for word, holds in zip(("dueling", "distributional", "noisy"), each, strict=True) if holds)
    or "plain"
    for each in EIGHT
]
CLOSE = {"rtol": 1e-5, "atol": 1e-5}


def configured(dueling: bool, distributional: bool, noisy: bool, **more: Any) -> ModelConfig:
    """Return one of the eight."""
    fields: dict[str, Any] = {"input_shape": SHAPE, "n_action": ACTIONS}
    fields |= {"dueling_dqn": dueling, "distributional_dqn": distributional, "noisy_networks": noisy}
    if distributional:
        fields |= {"n_atoms": ATOMS, "v_min": 0.0, "v_max": 5.0}
    return ModelConfig(**fields | more)


def own_module(config: ModelConfig, model: GraphModule | None = None) -> Dqn:
    """Return the system's own module, with the weights of a model where one is given, evaluating."""
    ends = (config.v_min or 0.0, config.v_max or 0.0)
    made = Dqn(
        config.input_shape,
        config.n_action,
        dueling=config.dueling_dqn,
        noisy=config.noisy_networks,
        atoms=config.n_atoms or 0,
        ends=ends,
    )
    if model is not None:
        made.load_state_dict(model.state_dict(), strict=True)
    return made.eval()


def observations(count: int = 5) -> torch.Tensor:
    """Return images, always the same."""
    return torch.rand(count, *SHAPE, generator=torch.Generator().manual_seed(1))


def agree(model: torch.nn.Module, other: torch.nn.Module) -> None:
    """Compare all outputs, in evaluation."""
    x = observations()
    with torch.no_grad():
        got, wanted = model.eval()(x), other.eval()(x)
    assert got.keys() == wanted.keys()
    for name, value in wanted.items():
        torch.testing.assert_close(got[name], value, **CLOSE)
