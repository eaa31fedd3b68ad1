"""What the tensors of a Keisei network say."""

from dataclasses import dataclass

from ckptkit.recovery.canonical import Canonical
from ckptkit.recovery.relations import Relations

SQUARES = 81
POLICY_PLANES = 2
OLD_PLANES = 16


@dataclass(frozen=True, slots=True)
class Reading:
    """One network as its tensors tell it.

    Attributes:
        names: The state dict.
        planes: Planes of the board that it takes.
        actions: Number of moves.
        first: Path of the first convolution.
        last: Path of the layer whose rows are the moves.
        unexplained: Tensors that have no place in the network.
    """

    names: Canonical
    planes: int
    actions: int
    first: str
    last: str
    unexplained: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OldReading(Reading):
    """The network of one convolution."""


@dataclass(frozen=True, slots=True)
class TowerReading(Reading):
    """The residual tower.

    Attributes:
        width: Channels of the tower.
        depth: Number of residual blocks.
        squeezed: Hidden width of squeeze-and-excitation; 0 where there is none.
    """

    width: int
    depth: int
    squeezed: int


def read(names: Canonical) -> Reading:
    """Compare a state dict with the networks of the family.

    Raises:
        UnlikeError: It is none of them.
    """
    relations = Relations(names)
    if relations.has("conv.weight") and not relations.has("stem.weight"):
        return _old(relations)
    return _tower(relations)


def _old(relations: Relations) -> Reading:
    relations.layer("conv", OLD_PLANES, "planes", 3, 3)
    relations.layer("policy_head", "actions", OLD_PLANES * SQUARES)
    relations.layer("value_head", 1, OLD_PLANES * SQUARES)
    sizes, names = relations.sizes, relations.names
    return OldReading(
        names, sizes["planes"], sizes["actions"], "conv", "policy_head", relations.unexplained()
    )


def _tower(relations: Relations) -> Reading:
    relations.layer("stem", "width", "planes", 3, 3)
    relations.batch_norm("bn_stem", "width")
    depth = _depth(relations)
    squeezes = depth > 0 and relations.below("res_blocks.0.se")
    for index in range(depth):
        _block(relations, f"res_blocks.{index}", squeezes=squeezes)
    for head, rows in (("policy_head", "actions"), ("value_head", 1)):
        relations.layer(f"{head}.0", POLICY_PLANES, "width", 1, 1)
        relations.batch_norm(f"{head}.1", POLICY_PLANES)
        relations.layer(f"{head}.4", rows, POLICY_PLANES * SQUARES)
    sizes, names = relations.sizes, relations.names
    return TowerReading(
        names=names,
        planes=sizes["planes"],
        actions=sizes["actions"],
        first="stem",
        last="policy_head.4",
        unexplained=relations.unexplained(),
        width=sizes["width"],
        depth=depth,
        squeezed=sizes.get("squeezed", 0),
    )


def _depth(relations: Relations) -> int:
    """Return the number of blocks; one that is missing among them leaves the others unexplained."""
    prefix = "res_blocks."
    found = {
        name.removeprefix(prefix).partition(".")[0]
        for name in relations.names.tensors
        if name.startswith(prefix)
    }
    depth = 0
    while str(depth) in found:
        depth += 1
    return depth


def _block(relations: Relations, path: str, *, squeezes: bool) -> None:
    for index in (1, 2):
        relations.layer(f"{path}.conv{index}", "width", "width", 3, 3)
        relations.batch_norm(f"{path}.bn{index}", "width")
    if squeezes:
        relations.layer(f"{path}.se.fc1", "squeezed", "width", 1, 1)
        relations.layer(f"{path}.se.fc2", "width", "squeezed", 1, 1)
