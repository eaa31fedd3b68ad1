"""The modules of a graph's layers, nested by their dotted names."""

from collections.abc import Iterable, Iterator, Sequence

from torch import nn

from ckptkit.graph.shapes import Step, join
from ckptkit.nn.branch import Branch
from ckptkit.nn.modules import FreeParameter


def plant(root: Branch, steps: Sequence[Step], order: Iterable[str]) -> dict[str, nn.Module]:
    """Make the module of every layer and put it below `root`, under its name and its aliases.

    Those with parameters come first, in the order of the state dict; numbered ones count up. A layer
    without parameters stands among its neighbours where its name is a free path there, else at the root.

    Args:
        root: Without children so far.
        steps: The graph's layers.
        order: State-dict names; owners of other names follow in the order of the layers.

    Returns:
        The modules by the names of their layers; a layer that is a plain function has none.

    Raises:
        ArchitectureError: Two layers would have one place.
    """
    owners = dict(_owners(steps))
    paths = dict(owners[name] for name in (*(name for name in order if name in owners), *owners))
    made: dict[str, nn.Module] = {}
    for path, step in paths.items():
        if step.layer.name not in made:
            made[step.layer.name] = step.kind.torch(step.attrs)
        _put(root, path, made[step.layer.name])
    for step in steps:
        module = None if step.layer.name in made else step.kind.torch(step.attrs)
        if isinstance(module, nn.Module):
            made[step.layer.name] = module
            _put_without_parameters(root, step.layer.name, module)
    for node in root.modules():
        if isinstance(node, Branch):
            node.in_numeric_order()
    return made


def _owners(steps: Iterable[Step]) -> Iterator[tuple[str, tuple[str, Step]]]:
    """Yield each state-dict name with the module path and the layer that it belongs to."""
    for step in steps:
        for path in (step.layer.name, *step.layer.aliases):
            for name in step.kind.parameters(step.attrs):
                yield join(path, name), (path, step)


def _put(root: Branch, path: str, module: nn.Module) -> None:
    *above, leaf = path.split(".")
    parent = root.grow(above)
    if isinstance(module, FreeParameter):
        parent.hold(leaf, module.value)
    else:
        parent.place(leaf, module)


def _put_without_parameters(root: Branch, name: str, module: nn.Module) -> None:
    *above, leaf = name.split(".")
    parent = root.find(above)
    if "/" not in name and isinstance(parent, Branch) and parent.child(leaf) is None:
        parent.place(leaf, module)
    else:
        root.place(name, module)
