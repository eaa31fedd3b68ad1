"""Whatever names and shapes a file claims, there is an answer, soon, and every tensor is named in it."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.dtype import BY_NAME
from ckptkit.model.recovered import Hints, Status
from ckptkit.model.tensor import Storage, Tensor, contiguous_strides
from ckptkit.recovery import generic
from ckptkit.storage.source import MemorySource

LEAVES = [
    "weight",
    "bias",
    "running_mean",
    "running_var",
    "num_batches_tracked",
    "scale",
    "ra_mean",
    "ra_var",
    "steps",
    "weight_ih",
    "weight_hh",
    "bias_ih",
    "bias_hh",
    "weight_ih_l0",
    "weight_hh_l0",
    "bias_ih_l0",
    "bias_hh_l0",
    "weight_hr_l0",
    "weight_hh_l0_reverse",
    "in_proj_weight",
    "q_proj_weight",
    "k_proj_weight",
    "out_proj.weight",
    "out_proj.bias",
    "weight_mu",
    "weight_sigma",
    "bias_mu",
    "bias_sigma",
    "eps_p",
    "weight_g",
    "weight_v",
    "weight_orig",
    "weight_u",
    "weight_mask",
    "parametrizations.weight.original0",
    "parametrizations.weight.original1",
    "parametrizations.weight.original",
    "parametrizations.weight.0._u",
    "support",
    "log_std",
    "mu_w",
    "sigma_w",
    "_",
    "__",
    ".",
    "..",
    "weight_",
    "0",
]
PATHS = ("", "net.0.", "net.2.", "net.10.", "a.", "module.", "a.b.", "..", "².")
SIZES = st.sampled_from([0, 1, 2, 3, 4, 5, 8, 12, 64, 1 << 20, 1 << 24, 1 << 40])
SHAPES = st.lists(SIZES, max_size=6).map(tuple)
DTYPES = st.sampled_from(["F32", "F16", "BF16", "I64", "BOOL", "U8"])


def tensor(shape: tuple[int, ...], dtype: str) -> Tensor:
    """Return zeros of any shape, all from one element, as strides of 0 make them."""
    strides = tuple(0 for _ in contiguous_strides(shape))
    return Tensor(BY_NAME[dtype], shape, strides, 0, Storage(MemorySource(bytes(8), "zeros")))


FILES = st.dictionaries(
    st.tuples(st.sampled_from(PATHS), st.sampled_from(LEAVES)).map("".join),
    st.builds(tensor, SHAPES, DTYPES),
    min_size=1,
    max_size=12,
)
HINTS = st.builds(
    Hints,
    st.none() | st.lists(st.sampled_from([1, 4, 84, 10**9]), min_size=1, max_size=5).map(tuple),
    st.lists(st.sampled_from(["relu", "tanh", "unpadded", "dueling", "c51"]), unique=True).map(tuple),
)


@settings(max_examples=150, deadline=None)
@given(FILES, HINTS)
def test_every_tensor_is_named_whatever_the_file_claims(tensors: dict[str, Tensor], hints: Hints) -> None:
    checkpoint = Checkpoint(path="x", format="none", container="none", tensors=tensors)
    found = generic.recover(checkpoint, hints)
    named = {name for field in found.config.values() for name in field.evidence}
    assert set(tensors) <= named
    assert (found.graph is None) == bool(found.questions)
    assert found.report() == generic.recover(checkpoint, hints).report()
    for field in found.config.values():
        if field.status is Status.PROVEN:
            assert field.alternatives == ()
        if field.status is Status.CONSTRAINED and isinstance(field.value, dict):
            assert field.value not in field.alternatives


def many(make: str, shape: tuple[int, ...], count: int) -> Checkpoint:
    one = tensor(shape, "F32")
    tensors = {make.format(n): replace(one, storage=Storage(one.storage.source)) for n in range(count)}
    return Checkpoint(path="x", format="none", container="none", tensors=tensors)


@pytest.mark.parametrize(
    ("make", "shape"),
    [
        ("a.{}.weight", (1 << 20, 1, 3, 3)),
        ("a.{}.b.c.weight", (64, 64)),
        ("a{}.weight", (720720,)),
        ("a{}.log_std", (3,)),
        ("a." * 40 + "{}.weight", (4, 4)),
    ],
)
def test_many_modules_take_bounded_work(make: str, shape: tuple[int, ...]) -> None:
    found = generic.recover(many(make, shape, 3000), Hints((1, 84, 84), ("relu", "unpadded")))
    fields = [field for name, field in found.config.items() if name.startswith("modules.")]
    assert len(fields) == 3000
    assert sum(len(field.alternatives) for field in fields) <= 21_000
    assert found.graph is None


def test_more_tensors_than_are_taken_apart_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generic, "MOST_TENSORS", 3)
    assert "premise" in generic.recover(many("layers.{}.weight", (2, 2), 3), Hints()).config
    checkpoint = many("layers.{}.weight", (2, 2), 4)
    found = generic.recover(checkpoint, Hints())
    assert (found.family, found.graph, dict(found.config)) == ("generic", None, {})
    assert found.unexplained == tuple(checkpoint.tensors)
    assert "4 tensors, at most 3" in found.questions[0]
