"""A state dict with one shape changed, or with claims that make no sense, is no MettaAgent network's."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from ckptkit import recovery
from ckptkit.model.recovered import Hints
from tests.recovery.metta_models import Brain, Plain
from tests.recovery.seed_models import save
from tests.recovery.test_engine import SCALAR, mutations, reshaped

ASSUMED = Hints(None, ("metta",))
NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "brain": Brain,
    "larger head": lambda: Brain(head="big", layers=1),
    "no head": lambda: Brain(head="", normalized=False),
    "recurrent": lambda: Plain(layers=2),
    "no memory": lambda: Plain(layers=0, line=""),
}
FREE = {
    ("components.cnn1._net.0.weight", 1),
    ("components._action_embeds_._net.weight", 0),
    ("components._action_embeds_.active_indices", 0),
    ("_net.0.weight", 1),
    ("net.0.weight", 1),
}
"""Axes that nothing else repeats (layers of the grid, embeddings, actions): other sizes, other networks."""
FLAT = ("components.fc1._net.0.weight", 1)
FORM = "components._action_.W"
"""With two axes it is the form of a later release, whose numbers are the same."""


@pytest.mark.parametrize("name", list(NETWORKS))
def test_a_state_dict_with_one_shape_changed_is_not_of_the_family(tmp_path: Path, name: str) -> None:
    made = NETWORKS[name]()
    checkpoint = save(made.state_dict(), tmp_path / "net.pt")
    assert recovery.recover(checkpoint, ASSUMED).graph is not None
    checked = 0
    for key, tensor in checkpoint.tensors.items():
        for axis, shape in mutations(tensor.shape):
            free = (key, axis) in FREE and (key != "components.cnn1._net.0.weight" or name == "no head")
            flat = (key, axis) == FLAT and shape[axis] % 5 == 0
            if free or flat or (key == FORM and len(shape) == 2):
                continue
            changed = {**checkpoint.tensors, key: reshaped(tensor, shape)}
            assert recovery.recover(replace(checkpoint, tensors=changed), ASSUMED).family != "metta", (
                key,
                shape,
            )
            checked += 1
    assert checked > 40


@pytest.mark.parametrize("name", list(NETWORKS))
def test_a_state_dict_that_lacks_a_weight_has_no_graph(tmp_path: Path, name: str) -> None:
    checkpoint = save(NETWORKS[name]().state_dict(), tmp_path / "net.pt")
    for key in checkpoint.tensors:
        if key.endswith(("obs_norm", "active_indices")):
            continue
        rest = {other: tensor for other, tensor in checkpoint.tensors.items() if other != key}
        found = recovery.recover(replace(checkpoint, tensors=rest), ASSUMED)
        assert found.graph is None or found.family != "metta", key


@pytest.mark.parametrize("name", list(NETWORKS))
def test_order_and_type_of_the_tensors_change_nothing_that_is_proven(tmp_path: Path, name: str) -> None:
    weights = NETWORKS[name]().state_dict()
    before = recovery.recover(save(weights, tmp_path / "net.pt"), ASSUMED)
    variants = {
        "reordered": dict(reversed(list(weights.items()))),
        "cast": {key: value.half() if value.is_floating_point() else value for key, value in weights.items()},
    }
    for kind, variant in variants.items():
        after = recovery.recover(save(variant, tmp_path / f"{kind}.pt"), ASSUMED)
        assert after.graph is not None, (kind, after.questions)
        values = {key: field.value for key, field in after.config.items()}
        assert values == {key: field.value for key, field in before.config.items()}, kind


@pytest.mark.parametrize("values", [[0, 9], [-1], [1.0, 2.0], [[1]], list(range(10))])
def test_indices_of_no_embedding_are_refused(tmp_path: Path, values: list[object]) -> None:
    weights = Brain().state_dict()
    weights["components._action_embeds_.active_indices"] = torch.tensor(values)
    checkpoint = save(weights, tmp_path / "net.pt")
    assert recovery.recover(checkpoint, ASSUMED).family != "metta"
    assert recovery.rejections(checkpoint)["metta"].nearest == "components._action_embeds_.active_indices"


def test_a_few_bytes_that_claim_huge_layers_are_refused_at_once(tmp_path: Path) -> None:
    """Strides of 0 make any shape out of one element; nothing may loop over or read such sizes."""
    checkpoint = save(Brain().state_dict(), tmp_path / "net.pt")
    huge = 1 << 40
    shapes = {
        "components.fc1._net.0.weight": (10, 5 * huge),
        "components.cnn1._net.0.weight": (4, 3, huge, huge),
        "components._action_embeds_.active_indices": (huge,),
        "components._action_embeds_._net.weight": (huge, 4),
        "components._core_._net.weight_hh_l0": (4 * huge, huge),
    }
    for name, shape in shapes.items():
        dtype = checkpoint.tensors[name].dtype
        claimed = replace(SCALAR, dtype=dtype, shape=shape, strides=tuple(0 for _ in shape))
        changed = {**checkpoint.tensors, name: claimed}
        assert recovery.recover(replace(checkpoint, tensors=changed), ASSUMED).family != "metta", name
