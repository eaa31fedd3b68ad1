"""A module that is nothing but what lies below it."""

from collections.abc import Sequence

import torch
from torch import nn

from ckptkit.errors import ArchitectureError


class Branch(nn.Module):
    """A node of a module tree that is built by dotted paths.

    Children go straight into torch's own tables, so that a state dict may have any names that some
    module's can have, whatever the attributes and methods of this class are called.
    """

    def grow(self, path: Sequence[str]) -> "Branch":
        """Return the branch at `path`, made of new ones where nothing stands yet.

        Raises:
            ArchitectureError: There is a layer on the way.
        """
        node = self
        for part in path:
            child = node.child(part)
            if child is None:
                child = Branch()
                node.place(part, child)
            if not isinstance(child, Branch):
                raise ArchitectureError(f"{'.'.join(path)} is a layer, and another one lies below it")
            node = child
        return node

    def find(self, path: Sequence[str]) -> nn.Module | None:
        """Return the module at `path`, or None."""
        node: nn.Module | None = self
        for part in path:
            node = node.child(part) if isinstance(node, Branch) else None
        return node

    def child(self, name: str) -> nn.Module | None:
        """Return the module directly below this one, or None."""
        return self._modules.get(name)

    def place(self, name: str, module: nn.Module) -> None:
        """Put a module directly below this one.

        Raises:
            ArchitectureError: The name is taken, or torch needs it for every module's mode.
        """
        if name == "training":
            raise ArchitectureError(f"no module of torch can be called {name!r}")
        if name in self._modules:
            raise ArchitectureError(f"two layers of the graph would be the one module {name}")
        self._modules[name] = module

    def hold(self, name: str, value: torch.Tensor) -> None:
        """Make a tensor a parameter of this module, or a buffer where it is no `nn.Parameter`."""
        table = self._parameters if isinstance(value, nn.Parameter) else self._buffers
        table[name] = value

    def tensor(self, name: str) -> torch.Tensor:
        """Return the parameter or buffer of that name as it is now, after training or `.to()`."""
        found = self._parameters.get(name)
        return self._buffers[name] if found is None else found

    def in_numeric_order(self) -> None:
        """Order children that are called by numbers as torch's `Sequential` has them."""
        if all(name.isdecimal() for name in self._modules):
            ordered = sorted(self._modules.items(), key=lambda child: int(child[0]))
            self._modules.clear()
            self._modules.update(ordered)
