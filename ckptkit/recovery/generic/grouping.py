"""Group the tensors of a state dict by the modules that own them."""

from collections.abc import Mapping
from dataclasses import dataclass

from ckptkit.model.tensor import Tensor
from ckptkit.recovery.canonical import Canonical

PARAMETRIZED = "parametrizations"
ATTENTION = frozenset({"in_proj_weight", "q_proj_weight"})
OUT = "out_proj"


@dataclass(frozen=True, slots=True)
class Group:
    """The tensors of one module.

    Attributes:
        path: Canonical path of the module; empty for the outermost.
        leaves: Its tensors by their names below the path, in the order of the file.
    """

    path: str
    leaves: Mapping[str, Tensor]

    def name(self, leaf: str) -> str:
        """Return the canonical state-dict name of one of its tensors."""
        return f"{self.path}.{leaf}" if self.path else leaf


def groups(names: Canonical) -> list[Group]:
    """Return the modules that own tensors, in the order in which the file first names them.

    torch's attention owns the Linear `out_proj` below it, and a parametrised module the tensors that stand
    for its weight; these belong to the outer module.
    """
    found: dict[str, dict[str, Tensor]] = {}
    for name, tensor in names.tensors.items():
        path, leaf = _owner(name)
        found.setdefault(path, {})[leaf] = tensor
    for path in [path for path, leaves in found.items() if ATTENTION & leaves.keys()]:
        inner = f"{path}.{OUT}" if path else OUT
        for leaf, tensor in found.pop(inner, {}).items():
            found[path][f"{OUT}.{leaf}"] = tensor
    return [Group(path, leaves) for path, leaves in found.items()]


def _owner(name: str) -> tuple[str, str]:
    parts = name.split(".")
    if "" in parts:  # no module has an empty name; such a tensor is nobody's
        return "", name
    if PARAMETRIZED in parts[:-1]:
        at = parts.index(PARAMETRIZED)
        return ".".join(parts[:at]), ".".join(parts[at:])
    return ".".join(parts[:-1]), parts[-1]
