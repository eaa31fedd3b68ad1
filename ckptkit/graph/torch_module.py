"""A `torch.nn.Module` made from a graph; its `state_dict()` has the source's own names."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from ckptkit.errors import ArchitectureError
from ckptkit.graph import prediction
from ckptkit.graph.onnx_model import live
from ckptkit.graph.shapes import Step, infer, join, reference
from ckptkit.graph.torch_inputs import bound
from ckptkit.layers import FLOATS
from ckptkit.model.architecture import Graph
from ckptkit.model.dtype import BY_NAME
from ckptkit.nn.branch import Branch
from ckptkit.nn.modules import FreeParameter

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, slots=True)
class _Call:
    """One step of `forward`: values taken, what is called with them, names of what it returns."""

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
        self._layers: dict[str, nn.Module] = {}
        steps = infer(graph)
        self._build(steps, order)
        self._bind(steps)

    @property
    def graph(self) -> Graph:
        """The architecture graph that this module runs."""
        return self._graph

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
        for call in self._calls:
            out = call.run(*[values[name] for name in call.takes])
            values.update(zip(call.gives, out if isinstance(out, tuple) else (out,), strict=True))
        return {name: values[value] for name, value in self._graph.outputs.items()}

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

    def complete(self, names: Collection[str]) -> None:
        """Give optional buffers that are not among `names` the values of a new layer.

        They stay out of the state dict, which thereby has the source's own names and no more.
        """
        for step in infer(self._graph):
            absent = [
                name
                for name, what in step.kind.parameters(step.attrs).items()
                if what.optional and what.buffer and join(step.layer.name, name) not in names
            ]
            new = step.kind.torch(step.attrs) if absent else None
            for name in absent:
                buffer = attrgetter(name)(new)
                self._layers[step.layer.name].register_buffer(name, buffer, persistent=False)

    def extra_repr(self) -> str:
        """Say what goes in and what comes out."""
        inputs = ", ".join(f"{name} {value}" for name, value in self._graph.inputs.items())
        return f"inputs: {inputs}\noutputs: {', '.join(self._graph.outputs)}"

    def __getstate__(self) -> dict[str, object]:
        """Leave out what follows from the graph, and cannot be pickled."""
        return {key: value for key, value in self.__dict__.items() if key not in {"_calls", "_needed"}}

    def __setstate__(self, state: dict[str, object]) -> None:
        """Bind the graph to the copied modules."""
        super().__setstate__(state)
        self._bind(infer(self._graph))

    def _build(self, steps: Sequence[Step], order: Iterable[str]) -> None:
        """Make every module: first those with parameters, in the order of the state dict."""
        owners = dict(_owners(steps))
        paths = dict(owners[name] for name in (*(name for name in order if name in owners), *owners))
        for path, step in paths.items():
            if step.layer.name not in self._layers:
                self._layers[step.layer.name] = step.kind.torch(step.attrs)
            self._put(path, self._layers[step.layer.name])
        for step in steps:
            module = None if step.layer.name in self._layers else step.kind.torch(step.attrs)
            if isinstance(module, nn.Module):
                self._layers[step.layer.name] = module
                self._put_without_parameters(step.layer.name, module)
        for node in self.modules():
            if isinstance(node, Branch):
                node.in_numeric_order()

    def _put(self, path: str, module: nn.Module) -> None:
        *above, leaf = path.split(".")
        parent = self.grow(above)
        if isinstance(module, FreeParameter):
            parent.hold(leaf, module.value)
        else:
            parent.place(leaf, module)

    def _put_without_parameters(self, name: str, module: nn.Module) -> None:
        """Stand among its neighbours where the name is a free path there, else at the root."""
        *above, leaf = name.split(".")
        parent = self.find(above)
        if "/" not in name and isinstance(parent, Branch) and parent.find([leaf]) is None:
            parent.place(leaf, module)
        else:
            self.place(name, module)

    def _bind(self, steps: Sequence[Step]) -> None:
        """Resolve once what `forward` calls, and which inputs it needs."""
        running = live(tuple(steps), self._graph)
        self._calls = tuple(
            _Call(
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
            return _reader(self.grow(above), leaf, getattr(torch, BY_NAME[step.gives[0].dtype].torch))
        if module is not None and owned:
            floats = [name for name, what in owned.items() if what.dtype in FLOATS and not what.optional]
            return _in_type_of_input(module, floats)
        function: Callable[..., Any] = module if module is not None else step.kind.torch(step.attrs)
        return function


def _owners(steps: Iterable[Step]) -> Iterator[tuple[str, tuple[str, Step]]]:
    """Yield each state-dict name with the module path and the layer that it belongs to."""
    for step in steps:
        for path in (step.layer.name, *step.layer.aliases):
            for name in step.kind.parameters(step.attrs):
                yield join(path, name), (path, step)


def _reader(branch: Branch, name: str, dtype: torch.dtype) -> Callable[[], torch.Tensor]:
    return lambda: branch.tensor(name).to(dtype)


def _in_type_of_input(module: nn.Module, floats: Sequence[str]) -> Callable[..., Any]:
    """Return `module` as a function that computes in the floating type of its input.

    Args:
        module: A layer with parameters.
        floats: Names of its tensors whose type may differ.
    """
    names = [name.rpartition(".") for name in floats]
    places = [(module.get_submodule(path), leaf) for path, _, leaf in names]

    def run(*inputs: torch.Tensor) -> Any:
        dtype = next((value.dtype for value in inputs if value.is_floating_point()), torch.float32)
        if all(getattr(owner, leaf).dtype == dtype for owner, leaf in places):
            return module(*inputs)
        return _cast_call(module, dtype, inputs)

    return run if floats else module


def _cast_call(module: nn.Module, dtype: torch.dtype, inputs: tuple[torch.Tensor, ...]) -> Any:
    """Call `module` with its floating tensors as `dtype`; statistics that it updates are kept."""
    tensors = [*module.named_parameters(), *module.named_buffers()]
    cast = {name: tensor.to(dtype) for name, tensor in tensors if tensor.is_floating_point()}
    out = torch.func.functional_call(module, cast, inputs)
    if module.training:
        for name, buffer in module.named_buffers():
            if name in cast:
                buffer.copy_(cast[name])
    return out


def load(
    graph: Graph, values: Mapping[str, torch.Tensor], *, spaces: Mapping[str, object] | None = None
) -> GraphModule:
    """Return the module of `graph` that holds the very tensors of `values`, none of them copied.

    Args:
        graph: What to build.
        values: The state dict; where two names have one tensor object, their parameters are tied.
        spaces: As `GraphModule` takes them.

    Raises:
        ArchitectureError: A tensor is missing, or no layer has it.
    """
    with torch.device("meta"):  # no memory is taken for what is replaced at once
        module = GraphModule(graph, spaces=spaces, order=values)
    module.complete(values)
    unknown = values.keys() - module.state_dict().keys()
    trained = {name for name, _ in module.named_parameters(remove_duplicate=False)}
    tied: dict[tuple[int, bool], torch.Tensor] = {}
    for name, value in values.items():
        if (id(value), name in trained) not in tied:
            tied[id(value), name in trained] = nn.Parameter(value) if name in trained else value
    state = {name: tied[id(value), name in trained] for name, value in values.items()}
    # Not strict: BatchNorm adds a counter to a state dict that has none, and calls it unexpected then.
    missing, _ = module.load_state_dict(state, strict=False, assign=True)
    for name in (*missing, *sorted(unknown)):
        raise ArchitectureError(f"tensor {name} is {'not there' if name in missing else 'of no layer'}")
    return module
