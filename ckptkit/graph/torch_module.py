"""Build a `torch.nn.Module` from a graph; its `state_dict()` has the source's own names."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from ckptkit.graph.shapes import Step, infer, reference
from ckptkit.model.architecture import Graph
from ckptkit.nn.modules import FreeParameter


class GraphModule(nn.Module):
    """A network that runs an architecture graph.

    Modules are nested by the dotted names of their layers. `forward` takes the graph's inputs by
    position or by name and returns its outputs as a dict.
    """

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self.graph = graph
        self._steps = infer(graph)
        self._functions: dict[str, Callable[..., Any]] = {}
        for step in self._steps:
            self._add(step)

    def _add(self, step: Step) -> None:
        made = step.kind.torch(step.attrs)
        if not isinstance(made, nn.Module):
            self._functions[step.layer.name] = made
            return
        for path in (step.layer.name, *step.layer.aliases):
            parent, _, leaf = path.rpartition(".")
            _register(_container(self, parent), leaf, made)
        if isinstance(made, FreeParameter):
            self._functions[step.layer.name] = lambda: self._tensor(step.layer.name)

    def _tensor(self, path: str) -> torch.Tensor:
        """Return the parameter or buffer at `path` as it is now, after `.to()` and training."""
        parent, _, leaf = path.rpartition(".")
        value: torch.Tensor = getattr(self.get_submodule(parent), leaf)
        return value

    def forward(self, *inputs: torch.Tensor, **named: torch.Tensor) -> dict[str, torch.Tensor]:
        """Run every layer that an output depends on.

        Args:
            inputs: Graph inputs in order.
            named: Graph inputs by name.
        """
        values: dict[str, Any] = dict(zip(self.graph.inputs, inputs, strict=False)) | named
        for step in self._live:
            call = self._functions.get(step.layer.name) or self.get_submodule(step.layer.name)
            out = call(*(values[name] for name in step.layer.inputs))
            for index, value in enumerate(out if isinstance(out, tuple) else (out,)):
                values[reference(step.layer.name, index)] = value
        return {name: values[value] for name, value in self.graph.outputs.items()}

    @property
    def _live(self) -> tuple[Step, ...]:
        from ckptkit.graph.onnx_model import live

        return live(self._steps, self.graph)


def _register(parent: nn.Module, leaf: str, made: nn.Module) -> None:
    if not isinstance(made, FreeParameter):
        parent.add_module(leaf, made)
    elif made.buffer:
        parent.register_buffer(leaf, made.value)
    else:
        parent.register_parameter(leaf, nn.Parameter(made.value))


def _container(root: nn.Module, path: str) -> nn.Module:
    """Return the module at `path`, made of empty modules where nothing stands yet."""
    for part in path.split(".") if path else ():
        child = dict(root.named_children()).get(part)
        if child is None:
            child = nn.Module()
            root.add_module(part, child)
        root = child
    return root
