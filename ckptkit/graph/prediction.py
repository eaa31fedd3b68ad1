"""Arrays in, actions out: a graph's module used as an agent.

The rules of shapes are those of stable-baselines3 2.9.2, `common/policies.py`, `BasePolicy.predict` and
`obs_to_tensor`, and `common/preprocessing.py`, `maybe_transpose`.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ckptkit.errors import UsageError
from ckptkit.graph.sampling import LOGITS, draw
from ckptkit.graph.torch_inputs import ALLOWED, START
from ckptkit.model.architecture import Graph, ValueType
from ckptkit.model.dtype import BY_NAME

if TYPE_CHECKING:
    import numpy as np
    import torch

    from ckptkit.graph.torch_module import GraphModule

    Array = np.ndarray[Any, Any]
    Arrays = Array | Mapping[str, Array]
    State = tuple[Array, ...] | None

ACTION, STATE, NEXT = "action", "state.", "next_state."


def predict(
    module: "GraphModule",
    observation: "Arrays",
    state: "State",
    episode_start: "Array | None",
    action_mask: "Array | None",
    *,
    deterministic: bool,
) -> "tuple[Array, State]":
    """Return the actions and the next state; see `GraphModule.predict`."""
    import torch

    if ACTION not in module.graph.outputs:
        raise UsageError("the network has no output 'action'", fix="call the module for its outputs")
    inputs, single = _observed(module.graph, observation)
    for name, value in _others(module.graph, state, episode_start, action_mask):
        inputs[name] = value
    device = next((tensor.device for tensor in _tensors(module)), torch.device("cpu"))
    with module.evaluating(), torch.no_grad():
        tensors = {name: torch.from_numpy(value).to(device) for name, value in inputs.items()}
        if deterministic:
            outputs = module.act(tensors)
            action = outputs[ACTION]
        else:
            outputs = module.act(tensors, LOGITS)
            action = draw(outputs, module.spaces.get("action"))
    actions: Array = action.cpu().numpy()
    after = tuple(value.cpu().numpy() for name, value in outputs.items() if name.startswith(NEXT))
    return (actions.squeeze(axis=0) if single else actions), after or state


def _tensors(module: "GraphModule") -> "Iterator[torch.Tensor]":
    yield from module.parameters()
    yield from module.buffers()


def _observed(graph: Graph, observation: "Arrays") -> "tuple[dict[str, Array], bool]":
    """Return the observation's inputs with a batch axis, and whether it was a single one."""
    parts: Mapping[str, object] = observation if isinstance(observation, Mapping) else {"": observation}
    if isinstance(parts.get(""), tuple):
        raise UsageError("the observation is a tuple", fix="`obs, info = env.reset()`: give obs alone")
    inputs, single = {}, True
    for key, value in parts.items():
        name = key if key in graph.inputs else f"obs.{key}".rstrip(".")
        if name not in graph.inputs:
            raise UsageError(
                f"the network has no input {name!r}", fix=f"its inputs: {', '.join(graph.inputs)}"
            )
        array, one = _batched(name, graph.inputs[name], value)
        inputs[name] = array
        single = single and one
    return inputs, single


def _batched(name: str, expected: ValueType, value: object) -> "tuple[Array, bool]":
    """Return an array with a batch axis, and whether it came without one."""
    import numpy as np

    array, sizes = np.asarray(value), expected.shape[1:]
    images = expected.dtype == "U8" and len(sizes) == 3
    candidates = [array] + ([np.moveaxis(array, -1, -3)] if images and array.ndim in (3, 4) else [])
    for candidate in candidates:
        if candidate.shape == sizes:
            return _as_type(name, expected, candidate[None]), True
        if candidate.shape[1:] == sizes and candidate.ndim == len(sizes) + 1:
            return _as_type(name, expected, candidate), False
    raise UsageError(
        f"observation {name!r} has shape {list(array.shape)}",
        fix=f"the network takes {list(sizes)}, or a batch of them",
    )


def _as_type(name: str, expected: ValueType, array: "Array") -> "Array":
    """Return `array` in the input's own type, contiguous.

    Raises:
        UsageError: The input's type is an integer one, and the numbers are none, or too large.
    """
    import numpy as np

    dtype = np.dtype(BY_NAME[expected.dtype].torch)
    if array.dtype == dtype or dtype.kind == "f":
        return np.ascontiguousarray(array, dtype)
    cast = array.astype(dtype)
    if not np.array_equal(cast, array):
        raise UsageError(f"observation {name!r} of {array.dtype} holds numbers that {dtype} cannot")
    return np.ascontiguousarray(cast)


def _others(
    graph: Graph, state: "State", episode_start: "Array | None", action_mask: "Array | None"
) -> "Iterator[tuple[str, Array]]":
    """Yield the inputs that are no observation; a single one gets its batch axis."""
    import numpy as np

    states = {name: value for name, value in graph.inputs.items() if name.startswith(STATE)}
    if state is not None and states and len(state) != len(states):
        raise UsageError(f"the state has {len(state)} parts, the network {len(states)}")
    for (name, _), part in zip(states.items(), state or (), strict=False):
        yield name, np.ascontiguousarray(part, np.float32)
    if episode_start is not None and START in graph.inputs:
        yield START, np.atleast_1d(np.asarray(episode_start, np.bool_))
    if action_mask is None:
        return
    if ALLOWED not in graph.inputs:
        raise UsageError("the network takes no action mask")
    width = graph.inputs[ALLOWED].shape[-1] or 1
    yield ALLOWED, np.asarray(action_mask, np.bool_).reshape(-1, width)
