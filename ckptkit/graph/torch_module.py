"""A `torch.nn.Module` made from a graph; its `state_dict()` has the source's own names."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from ckptkit.errors import ArchitectureError
from ckptkit.graph import prediction
from ckptkit.graph.module_tree import plant
from ckptkit.graph.onnx_model import live
from ckptkit.graph.shapes import Step, infer, join, reference
from ckptkit.graph.torch_inputs import bound
from ckptkit.layers import FLOATS
from ckptkit.model.architecture import Graph
from ckptkit.model.dtype import BY_NAME
from ckptkit.nn.branch import Branch
from ckptkit.nn.casting import in_type_of_input, reader
from ckptkit.nn.modules import FreeParameter

if TYPE_CHECKING:
    import numpy as np

BOUND = frozenset({"_acting", "_calls", "_needed", "_steps"})
"""Attributes that follow from the graph, and hold functions that cannot be pickled."""


@dataclass(frozen=True, slots=True)
class _Call:
    """One step of `forward`: its layer, values taken, what is called with them, names of what that gives."""

    layer: str
    takes: tuple[str, ...]
    run: Callable[..., Any]
    gives: tuple[str, ...]


class GraphModule(Branch):
    """The network that an architecture graph describes.

    Modules are nested by the dotted names of their layers, so that `state_dict()` has the names of
    the checkpoint; a layer that the checkpoint knows under several names is one module under each of
    them. Layers that no output depends on (target networks, critics) have their parameters, and are
    not run.

    A layer computes in the floating type of its input: parameters that are stored otherwise (bfloat16,
    say) are cast to it for the call, and keep their own type.
    """

    def __init__(
        self,
        graph: Graph,
        *,
        spaces: Mapping[str, object] | None = None,
        order: Iterable[str] = (),
    ) -> None:
        """Build the modules; their parameters are random until a state dict is loaded.

        Args:
            graph: What to build.
            spaces: `observation` and `action` as `spec/manifest.md` has them; for drawing actions.
            order: State-dict names in the order that `state_dict()` is to have.

        Raises:
            ArchitectureError: The graph is not well formed.
        """
        super().__init__()
        self._graph, self._spaces = graph, dict(spaces or {})
        steps = infer(graph)
        self._layers = plant(self, steps, order)
        self._bind(steps)

    @property
    def graph(self) -> Graph:
        """The architecture graph that this module runs."""
        return self._graph

    @property
    def steps(self) -> tuple[Step, ...]:
        """The graph's layers with everything resolved."""
        return self._steps

    @property
    def spaces(self) -> Mapping[str, object]:
        """The observation and action spaces, as plain data; empty where they are not known."""
        return self._spaces

    def forward(
        self, *inputs: torch.Tensor | Mapping[str, torch.Tensor], **named: object
    ) -> dict[str, torch.Tensor]:
        """Run every layer that an output depends on.

        Args:
            inputs: Graph inputs in order, or one mapping of them by name.
            named: Graph inputs by name; `obs` may be a mapping by the keys of a Dict space. Left out,
                `action_mask` allows everything, `episode_start` is false and states are zero.

        Returns:
            The graph's outputs by name, each with the batch axis first (states second).

        Raises:
            UsageError: An input is missing, unknown, or of another shape.
        """
        values: dict[str, Any] = bound(self._graph.inputs, self._needed, inputs, named)
        return self._run(self._calls, values, self._graph.outputs)

    def act(self, inputs: Mapping[str, torch.Tensor], *also: str) -> dict[str, torch.Tensor]:
        """Run only what the action and the next states depend on.

        Args:
            inputs: Graph inputs by name, as `forward` takes them.
            also: Names of other outputs that are wanted; those that are not there are left out.
        """
        if also not in self._acting:
            outputs = {
                name: value
                for name, value in self._graph.outputs.items()
                if name == prediction.ACTION or name.startswith(prediction.NEXT) or name in also
            }
            needed = {step.layer.name for step in live(self._steps, replace(self._graph, outputs=outputs))}
            self._acting[also] = tuple(call for call in self._calls if call.layer in needed), outputs
        calls, wanted = self._acting[also]
        return self._run(calls, bound(self._graph.inputs, self._needed, (inputs,), {}), wanted)

    def _run(
        self, calls: tuple[_Call, ...], values: dict[str, Any], outputs: Mapping[str, str]
    ) -> dict[str, torch.Tensor]:
        for call in calls:
            out = call.run(*[values[name] for name in call.takes])
            values.update(zip(call.gives, out if isinstance(out, tuple) else (out,), strict=True))
        return {name: values[value] for name, value in outputs.items()}

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """Evaluate inside the block, and leave every part in the mode that it was in."""
        training = [
            part for one in self._layers.values() if one.training for part in one.modules() if part.training
        ]
        for part in training:
            part.training = False
        try:
            yield
        finally:
            for part in training:
                part.training = True

    def predict(
        self,
        observation: "np.ndarray[Any, Any] | Mapping[str, np.ndarray[Any, Any]]",
        state: "tuple[np.ndarray[Any, Any], ...] | None" = None,
        episode_start: "np.ndarray[Any, Any] | None" = None,
        action_mask: "np.ndarray[Any, Any] | None" = None,
        deterministic: bool = True,
    ) -> "tuple[np.ndarray[Any, Any], tuple[np.ndarray[Any, Any], ...] | None]":
        """Return actions for one observation or a batch, as Stable-Baselines3's `predict` does.

        The network is evaluated (no dropout, no noise), whatever mode it is in before and after.

        Args:
            observation: Array of the space's shape, or with a batch axis in front; a mapping of them
                for a Dict space. Images may have their channels last, as environments give them.
                It is what the network takes: normalise it first where the agent was trained on
                normalised observations.
            state: What the call before returned; None for the first step.
            episode_start: True where an episode begins, which zeroes its state.
            action_mask: True for each action that is allowed.
            deterministic: Return the most likely action. Otherwise one is drawn, where the network
                states a distribution over choices; a network of action values always picks the best.

        Returns:
            Actions in the action space's own shape and bounds, without batch axis for a single
            observation; and the next state, each part (layers, batch, hidden), None without one.

        Raises:
            UsageError: A shape does not fit; or an action of a Box space is to be drawn.
        """
        return prediction.predict(
            self, observation, state, episode_start, action_mask, deterministic=deterministic
        )

    def fill(self, values: Mapping[str, torch.Tensor]) -> None:
        """Take the very tensors of a state dict; none is copied.

        Buffers that a checkpoint may lack, and `values` lacks, get the values of a new layer and stay out of
        the state dict, which thereby has the source's own names and no more.

        Args:
            values: Where two names have one tensor object, their parameters are tied.

        Raises:
            ArchitectureError: A tensor is missing, or no layer has it.
        """
        self._complete(values)
        unknown = values.keys() - self.state_dict().keys()
        trained = {name for name, _ in self.named_parameters(remove_duplicate=False)}
        tied: dict[tuple[int, bool], torch.Tensor] = {}
        for name, value in values.items():
            if (id(value), name in trained) not in tied:
                tied[id(value), name in trained] = nn.Parameter(value) if name in trained else value
        state = {name: tied[id(value), name in trained] for name, value in values.items()}
        # Not strict: BatchNorm adds a counter to a state dict that has none, and then calls it unexpected.
        missing, _ = self.load_state_dict(state, strict=False, assign=True)
        for name in (*missing, *sorted(unknown)):
            raise ArchitectureError(f"tensor {name} is {'not there' if name in missing else 'of no layer'}")

    def extra_repr(self) -> str:
        """Say what goes in and what comes out."""
        inputs = ", ".join(f"{name} {value}" for name, value in self._graph.inputs.items())
        return f"inputs: {inputs}\noutputs: {', '.join(self._graph.outputs)}"

    def __getstate__(self) -> dict[str, object]:
        """Leave out what follows from the graph."""
        return {key: value for key, value in self.__dict__.items() if key not in BOUND}

    def __setstate__(self, state: dict[str, object]) -> None:
        """Bind the graph to the copied modules."""
        super().__setstate__(state)
        self._bind(infer(self._graph))

    def _complete(self, names: Collection[str]) -> None:
        for step in self._steps:
            absent = [
                name
                for name, what in step.kind.parameters(step.attrs).items()
                if what.optional and what.buffer and join(step.layer.name, name) not in names
            ]
            new = step.kind.torch(step.attrs) if absent else None
            for name in absent:
                buffer = attrgetter(name)(new)
                self._layers[step.layer.name].register_buffer(name, buffer, persistent=False)

    def _bind(self, steps: Sequence[Step]) -> None:
        """Resolve once what `forward` calls, and which inputs it needs."""
        self._steps = tuple(steps)
        running = live(self._steps, self._graph)
        self._acting: dict[tuple[str, ...], tuple[tuple[_Call, ...], Mapping[str, str]]] = {}
        self._calls = tuple(
            _Call(
                step.layer.name,
                step.layer.inputs,
                self._callable(step),
                tuple(reference(step.layer.name, index) for index in range(len(step.gives))),
            )
            for step in running
        )
        taken = {name for step in running for name in step.layer.inputs} | set(self._graph.outputs.values())
        self._needed = tuple(name for name in self._graph.inputs if name in taken)

    def _callable(self, step: Step) -> Callable[..., Any]:
        """Return what runs a layer: its module, or a function made anew."""
        module, owned = self._layers.get(step.layer.name), step.kind.parameters(step.attrs)
        if isinstance(module, FreeParameter):
            *above, leaf = step.layer.name.split(".")
            return reader(self.grow(above), leaf, getattr(torch, BY_NAME[step.gives[0].dtype].torch))
        if module is not None and owned:
            floats = [name for name, what in owned.items() if what.dtype in FLOATS and not what.optional]
            return in_type_of_input(module, floats)
        function: Callable[..., Any] = module if module is not None else step.kind.torch(step.attrs)
        return function


def empty(
    graph: Graph, *, spaces: Mapping[str, object] | None = None, order: Iterable[str] = ()
) -> GraphModule:
    """Return a `GraphModule` whose tensors take no memory yet: they are to be filled."""
    with torch.device("meta"):
        return GraphModule(graph, spaces=spaces, order=order)
