"""Normalisations: with running statistics, with an affine part alone, and BatchRenorm."""

from collections.abc import Iterator, Mapping

from ckptkit.model.tensor import Tensor
from ckptkit.recovery.generic.reading import Context, Module, first, module, shapes, usual
from ckptkit.recovery.image_sizes import divisors

STATISTICS = frozenset({"running_mean", "running_var"})
RUNNING = STATISTICS | {"weight", "bias", "num_batches_tracked"}
RENORM = frozenset({"scale", "bias", "ra_mean", "ra_var", "steps"})
AXES = (1, 2, 3)
GROUPS = 32
"""Groups of a GroupNorm that rank first, where they divide the channels."""
Shape = tuple[int, ...]


def running(leaves: Mapping[str, Tensor], context: Context) -> list[Module]:
    """Return every normalisation with these running statistics; without one where shapes disagree."""
    vectors = [name for name in leaves if name != "num_batches_tracked"]
    sizes = {leaves[name].shape for name in vectors}
    counter = leaves.get("num_batches_tracked")
    fits = len(sizes) == 1 and len(next(iter(sizes))) == 1 and usual(leaves, vectors)
    if not fits or (counter is not None and counter.shape != ()):
        return []
    (width,) = next(iter(sizes))
    affine = {"affine": "weight" in leaves, "bias": "bias" in leaves}
    if affine["bias"] and not affine["affine"]:
        return []
    found = [
        module(f"{kind}{axes}d", num_features=width, **affine, track_running_stats=True)
        for kind in ("BatchNorm", "InstanceNorm")
        for axes in AXES
    ]
    if counter is None and all(affine.values()):
        found.append(module("FrozenBatchNorm2d", num_features=width))
    return first(found, *_batch_norms(context))


def _batch_norms(context: Context) -> list[str]:
    likely = max(context.rank - 2, 1)
    return [f"BatchNorm{axes}d" for axes in sorted(AXES, key=lambda axes: axes != likely)]


def renorm(leaves: Mapping[str, Tensor]) -> list[Module]:
    """Return every batch renormalisation with these tensors."""
    scale, bias, mean, var = shapes(leaves, "scale", "bias", "ra_mean", "ra_var")
    vectors = [name for name in leaves if name != "steps"]
    fits = mean is not None and len(mean) == 1 and mean == var and mean == scale == bias
    if not fits or mean is None or not usual(leaves, vectors):
        return []
    return [
        module(f"BatchRenorm{axes}d", num_features=mean[0], affine=affine)
        for axes in AXES
        for affine in (True, False)
    ]


def affine_norms(weight: Shape, bias: Shape | None) -> Iterator[Module]:
    """Yield the normalisations over several axes with this weight and bias."""
    if bias in (None, weight):
        yield module("LayerNorm", normalized_shape=list(weight), bias=bias is not None)
    if bias is None:
        yield module("RMSNorm", normalized_shape=list(weight))


def vector_norms(width: int, bias: Shape | None, context: Context) -> list[Module]:
    """Return every module with a vector for its weight, and a bias of that size or none."""
    if bias not in (None, (width,)):
        return []
    has_bias = bias is not None
    found = list(affine_norms((width,), bias))
    groups = sorted(divisors(width), key=lambda count: (count != min(GROUPS, width), count))
    found += [module("GroupNorm", num_groups=n, num_channels=width, bias=has_bias) for n in groups]
    stats = {"affine": True, "bias": has_bias}
    for tracked in (False, True):  # a file of parameters alone lacks the statistics that a module tracks
        for kind in ("InstanceNorm", "BatchNorm"):
            kinds = [f"{kind}{axes}d" for axes in AXES]
            found += [module(k, num_features=width, **stats, track_running_stats=tracked) for k in kinds]
    if not has_bias:
        found.append(module("PReLU", num_parameters=width))
    if not has_bias:
        return first(found, *(("PReLU", "RMSNorm") if width == 1 else ("RMSNorm", "LayerNorm", "PReLU")))
    return first(found, "GroupNorm" if context.rank > 2 and context.width == width else "LayerNorm")
