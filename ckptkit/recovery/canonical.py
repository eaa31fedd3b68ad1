"""Names of a state dict without the wrappers that once stood around its module.

`torch.compile` puts `_orig_mod.` before every name, data-parallel training `module.`, an agent
`policy.` or `model.`. Families compare names without them; graphs keep the source's own.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from ckptkit.model.tensor import Tensor

COMPILED = "_orig_mod"
WRAPPERS = frozenset([COMPILED, "module", "policy", "model"])


@dataclass(frozen=True, slots=True)
class Canonical:
    """A state dict under the names that families know.

    Attributes:
        tensors: Tensors by canonical name, in the order of the file.
        source: Canonical name to the name in the file.
        prefix: What every name of the file starts with, its last dot included; mostly empty.
    """

    tensors: Mapping[str, Tensor]
    source: Mapping[str, str]
    prefix: str

    def module(self, path: str) -> str:
        """Return the file's own path of the module at the canonical `path`.

        Raises:
            KeyError: No tensor lies below it.
        """
        if path in self.source:
            return self.source[path]
        for usual in (f"{path}.weight", f"{path}.weight_mu"):
            if usual in self.source:
                return self.source[usual].removesuffix(usual[len(path) :])
        for name, own in self.source.items():
            if name.startswith(f"{path}."):
                return own.removesuffix(name[len(path) :])
        raise KeyError(path)


def canonical(tensors: Mapping[str, Tensor]) -> Canonical:
    """Take wrappers off the names of a state dict.

    A wrapper goes only where every name has it, `_orig_mod.` in the middle of a name wherever the
    rest stays unique, so that `Canonical.source` leads back from each name to exactly one.
    """
    prefix = _common(list(tensors))
    if not prefix and not any(COMPILED in name for name in tensors):
        return Canonical(tensors, {name: name for name in tensors}, "")
    names = {name: name[len(prefix) :] for name in tensors}
    inner = {name: _without_compiled(rest) for name, rest in names.items()}
    if len(set(inner.values())) == len(inner):
        names = inner
    return Canonical(
        {short: tensors[name] for name, short in names.items()},
        {short: name for name, short in names.items()},
        prefix,
    )


def _common(names: list[str]) -> str:
    prefix = ""
    while names:
        first, dot, _ = names[0][len(prefix) :].partition(".")
        longer = f"{prefix}{first}{dot}"
        if not dot or first not in WRAPPERS or not all(name.startswith(longer) for name in names):
            break
        prefix = longer
    return prefix


def _without_compiled(name: str) -> str:
    if COMPILED not in name:
        return name
    return ".".join(part for part in name.split(".") if part != COMPILED)
