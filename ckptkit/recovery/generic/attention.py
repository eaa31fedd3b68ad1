"""torch's MultiheadAttention: width from its projections; the number of heads stays open."""

from collections.abc import Mapping

from ckptkit.model.tensor import Tensor
from ckptkit.recovery.generic.reading import Module, module, usual
from ckptkit.recovery.image_sizes import divisors

USUAL = (8, 4, 12, 16, 2, 1)
"""Numbers of heads in the order in which they rank; others follow by size."""
Shape = tuple[int, ...]


def attention(leaves: Mapping[str, Tensor]) -> list[Module]:
    """Return a MultiheadAttention for each number of heads that divides its width."""
    own = {name: tensor.shape for name, tensor in leaves.items()}
    out = own.get("out_proj.weight", ())
    if len(out) != 2 or not usual(leaves):
        return []
    width = out[0]
    keys, values = (_columns(own, side, width) for side in ("k", "v"))
    attrs = {
        "embed_dim": width,
        "bias": "in_proj_bias" in own,
        "add_bias_kv": "bias_k" in own,
        "kdim": keys,
        "vdim": values,
    }
    if own != _wanted(attrs, apart="q_proj_weight" in own):
        return []
    counts = sorted(divisors(width), key=lambda n: (USUAL.index(n) if n in USUAL else len(USUAL), n))
    return [module("MultiheadAttention", num_heads=count, **attrs) for count in counts]


def _columns(own: Mapping[str, Shape], side: str, width: int) -> int:
    shape = own.get(f"{side}_proj_weight", ())
    return shape[1] if len(shape) == 2 else width


def _wanted(attrs: Mapping[str, int], *, apart: bool) -> dict[str, Shape]:
    """Return the tensors of torch's module; `apart` are those of one with other widths of keys or values."""
    width = attrs["embed_dim"]
    found: dict[str, Shape] = {"out_proj.weight": (width, width)}
    if apart:
        found |= {"q_proj_weight": (width, width)}
        found |= {f"{side}_proj_weight": (width, attrs[f"{side}dim"]) for side in "kv"}
    else:
        found["in_proj_weight"] = (3 * width, width)
    if attrs["bias"]:
        found |= {"in_proj_bias": (3 * width,), "out_proj.bias": (width,)}
    if attrs["add_bias_kv"]:
        found |= {"bias_k": (1, 1, width), "bias_v": (1, 1, width)}
    return found
