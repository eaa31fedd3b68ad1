"""Draw actions from the distributions that a network states."""

from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING

from ckptkit.errors import UsageError

if TYPE_CHECKING:
    import torch

LOGITS = "logits"


def draw(outputs: Mapping[str, "torch.Tensor"], space: object) -> "torch.Tensor":
    """Return actions drawn from the logits; the best one of a network of action values.

    Args:
        outputs: Of one call, with the batch axis first.
        space: The action space as plain data; it says how the logits divide into choices.

    Raises:
        UsageError: The space is continuous: how wide to explore is no part of the network's outputs.
    """
    import torch

    best = outputs["action"]
    if not isinstance(space, Mapping) or space.get("type") == "Box":
        raise UsageError(
            "actions of this space cannot be drawn: the network states no distribution over choices",
            fix="take deterministic=True and add noise of your own",
        )
    if LOGITS not in outputs:
        return best
    logits = outputs[LOGITS]
    sizes = _sizes(space, best[0].numel(), logits.shape[1])
    if not sizes:
        return torch.bernoulli(logits.sigmoid()).reshape(best.shape).to(best.dtype)
    bounds = [sum(sizes[:i]) for i in range(len(sizes) + 1)]
    drawn = [torch.multinomial(logits[:, a:b].softmax(1), 1) for a, b in pairwise(bounds)]
    return torch.cat(drawn, 1).reshape(best.shape).to(best.dtype)


def _sizes(space: Mapping[object, object], parts: int, width: int) -> list[int]:
    """Return how many logits each choice has; nothing where each logit is that of one bit."""
    match space.get("type"):
        case "MultiDiscrete":
            sizes = space.get("nvec")
            return [int(size) for size in sizes] if isinstance(sizes, list | tuple) else []
        case "MultiBinary":
            return [2] * parts if width == 2 * parts else []
        case _:
            return [width]
