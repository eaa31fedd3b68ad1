"""The engine: names, claims, rejections, profiles, and shapes that no family accepts."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ckptkit import api, recovery
from ckptkit.errors import UsageError
from ckptkit.model.dtype import BY_NAME
from ckptkit.model.recovered import Hints
from ckptkit.model.tensor import Storage, Tensor, contiguous_strides
from ckptkit.recovery.canonical import canonical
from ckptkit.recovery.image_sizes import behind, rectangles, sizes, squares
from ckptkit.storage.source import MemorySource
from tests.recovery.seed_models import ActorCritic, Dqn, Tower, save

SHAPE = (3, 36, 37)
NETWORKS = {
    "plain": lambda: Dqn(SHAPE, 5),
    "noisy": lambda: Dqn(SHAPE, 5, noisy=True),
    "range": lambda: Dqn(SHAPE, 5, atoms=7),
    "all": lambda: Dqn(SHAPE, 5, atoms=7, dueling=True, noisy=True),
    "tower": lambda: Tower(46, 6, 2, 0.5),
    "bare tower": lambda: Tower(46, 6, 1, None),
    "older": lambda: ActorCritic(46, 9),
}
FREE = {("conv.0.weight", 1), ("conv.weight", 1), ("stem.weight", 1)}
"""Axes that nothing else of a network repeats: channels of the input. Another size is another network."""
FLAT = ("fc.0.weight", 1)
"""Features behind the convolutions: a multiple of their 64 channels is another image."""


def reshaped(tensor: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Return a tensor of zeros of another shape."""
    count = 1
    for size in shape:
        count *= size
    source = MemorySource(bytes(count * tensor.dtype.itemsize), "zeros")
    return replace(tensor, shape=shape, strides=contiguous_strides(shape), offset=0, storage=Storage(source))


def mutations(shape: tuple[int, ...]) -> list[tuple[int, tuple[int, ...]]]:
    """Return shapes that differ on one axis, with the axis; and of other ranks, with axis -1."""
    found: list[tuple[int, tuple[int, ...]]] = [(-1, (*shape, 1)), (-1, (2, *shape))]
    if shape:
        found.append((-1, shape[1:]))
    for axis, size in enumerate(shape):
        others = {size + 1, size - 1, 2 * size} - {0}
        found += [(axis, (*shape[:axis], other, *shape[axis + 1 :])) for other in others]
    return found


@pytest.mark.parametrize("name", list(NETWORKS))
def test_no_family_accepts_a_state_dict_with_one_shape_mutated(tmp_path: Path, name: str) -> None:
    checkpoint = save(NETWORKS[name]().state_dict(), tmp_path / "net.pth")
    hints = Hints(None, ("asteroids", "keisei"))
    assert recovery.recover(checkpoint, hints).family
    for key, tensor in checkpoint.tensors.items():
        for axis, shape in mutations(tensor.shape):
            changed = {**checkpoint.tensors, key: reshaped(tensor, shape)}
            found = recovery.recover(replace(checkpoint, tensors=changed), hints)
            if (key, axis) in FREE or ((key, axis) == FLAT and shape[axis] % 64 == 0):
                continue
            assert found.graph is None, (key, shape)
            assert found.family == "generic", (key, shape)


@pytest.mark.parametrize("name", list(NETWORKS))
def test_no_family_accepts_a_state_dict_that_lacks_a_weight(tmp_path: Path, name: str) -> None:
    checkpoint = save(NETWORKS[name]().state_dict(), tmp_path / "net.pth")
    for key in checkpoint.tensors:
        if "epsilon" in key or key.endswith("num_batches_tracked") or key == "support":
            continue
        rest = {other: tensor for other, tensor in checkpoint.tensors.items() if other != key}
        assert recovery.recover(replace(checkpoint, tensors=rest), Hints()).graph is None, key


@pytest.mark.parametrize("name", list(NETWORKS))
def test_order_and_type_of_the_tensors_change_nothing_that_is_proven(tmp_path: Path, name: str) -> None:
    weights = NETWORKS[name]().state_dict()
    before = recovery.recover(save(weights, tmp_path / "a.pth"), Hints())
    variants = {
        "reordered": dict(reversed(list(weights.items()))),
        "cast": {key: value.half() if value.is_floating_point() else value for key, value in weights.items()},
        "wrapped": {f"module.{key}": value for key, value in weights.items()},
    }
    for kind, variant in variants.items():
        after = recovery.recover(save(variant, tmp_path / f"{kind}.pth"), Hints())
        assert after.family == before.family, kind
        for field, value in before.config.items():
            assert after.config[field].value == value.value, (kind, field)


def test_what_no_family_claims_goes_to_the_generic_recoverer(tmp_path: Path) -> None:
    found = recovery.recover(save(torch.nn.Linear(3, 4).state_dict(), tmp_path / "net.pth"), Hints())
    assert (found.family, found.graph, found.unexplained) == ("generic", None, ())
    assert found.config["modules."].value == {
        "type": "Linear",
        "in_features": 3,
        "out_features": 4,
        "bias": True,
    }


def test_more_than_one_claim_is_reported_and_nobody_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint = save(Dqn(SHAPE, 5).state_dict(), tmp_path / "net.pth")
    (own,) = [family for family in recovery.families() if family.id == "asteroids"]
    monkeypatch.setattr(recovery, "families", lambda: (own, replace(own, id="twin")))
    found = recovery.recover(checkpoint, Hints(SHAPE, ("asteroids",)))
    assert (found.family, found.graph) == ("", None)
    assert found.questions == ("which of asteroids, twin is it? more than one family claims it",)


def test_rejections_name_the_first_relation_and_the_nearest_tensor(tmp_path: Path) -> None:
    weights = dict(Dqn(SHAPE, 5).state_dict())
    weights["conv.4.weights"] = weights.pop("conv.4.weight")
    why = recovery.rejections(save(weights, tmp_path / "net.pth"))
    assert (why["asteroids"].nearest, why["asteroids"].relation) == (
        "conv.4.weights",
        "there is no conv.4.weight",
    )
    weights = dict(Dqn(SHAPE, 5).state_dict())
    weights["fc.0.bias"] = torch.zeros(511)
    why = recovery.rejections(save(weights, tmp_path / "net.pth"))
    assert why["asteroids"].nearest == "fc.0.bias"
    assert why["asteroids"].relation == "fc.0.bias is [511], and not [512]"


def test_unknown_profiles_are_refused_with_the_names_that_there_are(tmp_path: Path) -> None:
    checkpoint = save(Dqn(SHAPE, 5).state_dict(), tmp_path / "net.pth")
    with pytest.raises(UsageError, match="'asteroid' is not the name of a profile") as caught:
        recovery.recover(checkpoint, Hints(None, ("asteroid",)))
    assert caught.value.fix == f"known: {', '.join(recovery.profiles.names())}"
    assert {"asteroids", "keisei"} <= set(recovery.profiles.names())
    with pytest.raises(UsageError):
        api.recover(tmp_path / "net.pth", assume=["nobody"])


SCALAR = Tensor(BY_NAME["F32"], (), (), 0, Storage(MemorySource(bytes(4), "zero")))
PARTS = st.sampled_from(["module", "_orig_mod", "policy", "model", "a", "b", "0", "weight"])
NAMES = st.lists(st.lists(PARTS, min_size=1, max_size=4).map(".".join), min_size=1, max_size=6, unique=True)


@given(NAMES)
def test_canonical_names_lead_back_to_exactly_one_name_each(names: list[str]) -> None:
    found = canonical(dict.fromkeys(names, SCALAR))
    assert list(found.source.values()) == names
    assert len(found.tensors) == len(names)
    assert all(name.startswith(found.prefix) for name in names)
    assert all(found.module(short) == own for short, own in found.source.items())


@given(
    st.lists(st.tuples(st.integers(1, 17), st.integers(1, 9)), min_size=1, max_size=4),
    st.integers(1, 12),
)
def test_a_run_of_sizes_is_exact(windows: list[tuple[int, int]], places: int) -> None:
    low, high = sizes(places, windows)
    assert [behind(low - 1, windows) == places, behind(high + 1, windows) == places] == [False, False]
    assert all(behind(size, windows) == places for size in {low, (low + high) // 2, high})
    assert all(behind(n, windows) ** 2 == places for n in squares(places, windows))
    assert len(list(rectangles(places, windows))) == sum(places % n == 0 for n in range(1, places + 1))


def test_a_few_bytes_that_claim_huge_layers_are_refused_at_once(tmp_path: Path) -> None:
    """Strides of 0 make any shape out of one element; nothing may loop over or read such sizes."""
    checkpoint = save(NETWORKS["range"]().state_dict(), tmp_path / "net.pth")
    huge = 1 << 40
    shapes = {
        "fc.0.weight": (512, 64 * huge),
        "fc.2.weight": (huge, 512),
        "fc.2.bias": (huge,),
        "support": (huge,),
    }
    claimed = {
        name: replace(SCALAR, shape=shape, strides=tuple(0 for _ in shape)) for name, shape in shapes.items()
    }
    for names in (["fc.0.weight"], ["fc.2.weight", "fc.2.bias"], ["support"], list(shapes)):
        changed = {**checkpoint.tensors, **{name: claimed[name] for name in names}}
        assert recovery.recover(replace(checkpoint, tensors=changed), Hints()).family == "generic"
