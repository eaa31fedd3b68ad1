"""Words and tensors exchanged at random: never an exception, never a graph that does not fit."""

import random
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from ckptkit import recovery
from ckptkit.graph.shapes import infer, misfits
from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.inert import ClassRef
from ckptkit.model.recovered import Hints
from ckptkit.model.tensor import Tensor, contiguous_strides
from tests.readers.sb3_models import read
from tests.recovery.sb3_files import saved

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")
ROUNDS = 150
SEED = 7
JUNK = (
    None,
    True,
    -1,
    0,
    2,
    10**30,
    0.5,
    float("nan"),
    "",
    "Box",
    "Dict",
    "MultiDiscrete",
    [],
    [3],
    [-1, "x"],
    {},
    {"type": "Tuple", "spaces": []},
    [{"key": "a", "space": {"type": "Box"}}],
    ClassRef("torch.nn", "Linear"),
    ClassRef("stable_baselines3.common.torch_layers", "CombinedExtractor"),
)
MADE = (
    ("PPO", "box", "uneven_box", {"use_sde": True}),
    ("MaskablePPO", "mixed", "multi_discrete", {}),
    ("RecurrentPPO", "matrix", "multi_binary", {}),
    ("DQN", "image", "discrete", {"features_extractor_kwargs": {"features_dim": 4}}),
    ("QRDQN", "multi_discrete", "discrete", {"n_quantiles": 3}),
    ("CrossQ", "box", "matrix_box", {}),
    ("TD3", "discrete", "box", {}),
    ("ARS", "box", "box", {"with_bias": True}),
)


def exchanged(tree: object, dice: random.Random) -> object:
    """Return `tree` with one value, at any depth, gone or become something else."""
    if isinstance(tree, Mapping) and tree and dice.random() < 0.9:
        key = dice.choice(sorted(tree, key=str))
        changed = {name: value for name, value in tree.items() if name != key}
        return changed if dice.random() < 0.2 else changed | {key: exchanged(tree[key], dice)}
    if isinstance(tree, list) and tree and dice.random() < 0.7:
        place = dice.randrange(len(tree))
        return [*tree[:place], exchanged(tree[place], dice), *tree[place + 1 :]]
    return dice.choice(JUNK)


def tensors(found: Mapping[str, Tensor], dice: random.Random) -> dict[str, Tensor]:
    """Return the state dict with one tensor gone, renamed or of another shape."""
    name = dice.choice(sorted(found))
    left = {key: value for key, value in found.items() if key != name}
    if dice.random() < 0.3:
        return left
    if dice.random() < 0.3:
        return left | {dice.choice([name + ".0", name.replace("0", "1"), "x." + name, ""]): found[name]}
    shape = dice.choice([(), (1,), (2, 3), (4, 1, 2, 2), found[name].shape[::-1]])
    return left | {name: replace(found[name], shape=shape, strides=contiguous_strides(shape))}


def junk(checkpoint: Checkpoint, dice: random.Random) -> Checkpoint:
    match dice.randrange(3):
        case 0:
            return replace(checkpoint, tensors=tensors(checkpoint.tensors, dice))
        case 1:
            key = dice.choice(["action", "observation"])
            return replace(
                checkpoint, spaces=checkpoint.spaces | {key: exchanged(checkpoint.spaces[key], dice)}
            )
    config = exchanged(checkpoint.model_config, dice)
    kept = config if isinstance(config, Mapping) else {}
    return replace(checkpoint, model_config={**kept, "system": "stable-baselines3"})


@pytest.mark.parametrize(("algorithm", "observation", "action", "kwargs"), MADE, ids=lambda v: str(v)[:12])
def test_junk_gives_a_question_or_a_graph_that_fits(
    tmp_path: Path, algorithm: str, observation: str, action: str, kwargs: dict[str, object]
) -> None:
    path = tmp_path / "model.zip"
    saved(path, algorithm, observation, action, **kwargs)
    checkpoint, dice, refused = read(path), random.Random(SEED), 0
    assert recovery.recover(checkpoint, Hints()).graph is not None
    for _ in range(ROUNDS):
        changed = junk(checkpoint, dice)
        found = recovery.recover(changed, Hints())
        if found.graph is None:
            assert found.questions
            refused += 1
        else:
            assert not list(misfits(infer(found.graph), changed.tensors))
        found.report()
    assert refused > ROUNDS / 3
