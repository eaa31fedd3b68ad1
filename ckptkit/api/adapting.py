"""Give a network another number of input channels, as the user asks, and say so in its lineage."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from ckptkit import recovery
from ckptkit.api.resizing import all_zero, resized
from ckptkit.digest import tensor_sha256
from ckptkit.errors import ArchitectureError, IntegrityError, NotExportableError
from ckptkit.graph.document import graph_of
from ckptkit.graph.shapes import Step, infer, join, misfits
from ckptkit.model.adaptation import InputChannels
from ckptkit.model.architecture import Graph
from ckptkit.model.checkpoint import Checkpoint, Dropped
from ckptkit.model.dict_v2 import map_tensors
from ckptkit.model.recovered import Hints
from ckptkit.model.tensor import Tensor
from ckptkit.model.tree import tensors_in
from ckptkit.writers.deployable import open_question

CONVOLUTIONS = ("Conv1d", "Conv2d", "Conv3d")
OBSERVATION = "obs"


@dataclass(frozen=True, slots=True)
class Adapted:
    """A checkpoint with another number of input channels.

    Attributes:
        changed: What was changed, one line each.
        names: Of the tensors of the state dict that were.
    """

    checkpoint: Checkpoint
    changed: tuple[str, ...] = ()
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the channels enter: an input of the graph, and the convolution that takes them."""

    name: str
    conv: Step

    @property
    def channels(self) -> int:
        return int(self.conv.attrs["in_channels"])

    def weights(self) -> tuple[str, ...]:
        paths = (self.conv.layer.name, *self.conv.layer.aliases)
        return tuple(join(path, "weight") for path in paths)


def adapted(checkpoint: Checkpoint, wanted: InputChannels, hints: Hints) -> Adapted:
    """Return `checkpoint` with `wanted.count` input channels; everything else in it stays.

    Args:
        checkpoint: With its architecture, as `with_architecture` returns it.
        wanted: How many channels, and whether weights may be lost.
        hints: What the user vouches for; the architecture of the result is recovered with it.

    Raises:
        ArchitectureError: The network is not known, has no one convolution that takes the observation, or
            what the file says of itself does not allow the change.
        NotExportableError: Channels would go whose weights are not zero.
    """
    graph = graph_of(checkpoint)
    if graph is None:
        question = open_question(checkpoint) or "nothing in the file says what the network is"
        raise ArchitectureError(f"its input channels are not known: {question}", where=checkpoint.path)
    place = _place(graph, infer(graph), checkpoint)
    if place.channels == wanted.count:
        return Adapted(checkpoint)
    if checkpoint.preprocessing:
        raise ArchitectureError(
            "statistics of a normalisation have the old number of channels", where=checkpoint.path
        )
    names = place.weights()
    before = checkpoint.tensors[names[0]]
    _refuse_loss(before, names[0], wanted, checkpoint)
    after = resized(before, 1, wanted.count)
    tensors = {name: after if name in names else tensor for name, tensor in checkpoint.tensors.items()}
    new_graph, old_shape, new_shape = _regraphed(graph, place, wanted.count, tensors, checkpoint.path)
    state, said, dropped = _training(checkpoint, before, wanted.count)
    kind = "the new ones zero" if wanted.count > place.channels else "the last ones gone"
    line = f"{names[0]}: {place.channels} input channels became {wanted.count}, {kind}"
    changed = replace(
        checkpoint,
        tensors=tensors,
        training_state=state,
        model_config=_restated(checkpoint.model_config, old_shape, new_shape),
        spaces=_respaced(checkpoint, old_shape, new_shape),
        dropped=checkpoint.dropped + dropped,
        migrations=(*checkpoint.migrations, f"adapt input-channels={wanted.count}: {line}"),
    )
    hints = replace(hints, input_shape=new_shape) if hints.input_shape == old_shape else hints
    return Adapted(_known(changed, new_graph, hints), (line, *said), names)


def _place(graph: Graph, steps: tuple[Step, ...], checkpoint: Checkpoint) -> _Place:
    """Return where the channels enter.

    Raises:
        ArchitectureError: No convolution or more than one is the first to take the observation, or
            another layer with weights does.
    """
    inputs = [name for name in graph.inputs if name == OBSERVATION or name.startswith(f"{OBSERVATION}.")]
    firsts = [(name, step) for name in inputs for step in _first_with_weights(name, steps)]
    convolutions = [(name, step) for name, step in firsts if step.layer.type in CONVOLUTIONS]
    if len(convolutions) == 1 and sum(name == convolutions[0][0] for name, _ in firsts) == 1:
        place = _Place(*convolutions[0])
        if place.conv.attrs["groups"] == 1:
            return place
    listed = ", ".join(f"{step.layer.name} ({step.layer.type}) of {name}" for name, step in firsts)
    what = "no one convolution is the first to take the observation"
    raise ArchitectureError(f"{what}: {listed or 'no layer has weights'}", where=checkpoint.path)


def _first_with_weights(name: str, steps: tuple[Step, ...]) -> Iterator[Step]:
    """Yield each layer with tensors that `name` reaches without passing another one."""
    reached = {name}
    for step in steps:
        if not reached.intersection(value.partition(":")[0] for value in step.layer.inputs):
            continue
        if next(step.parameters(), None) is None:
            reached.add(step.layer.name)
        else:
            yield step


def _refuse_loss(before: Tensor, name: str, wanted: InputChannels, checkpoint: Checkpoint) -> None:
    if before.sha256 and tensor_sha256(before) != before.sha256:
        raise IntegrityError(f"tensor {name} differs from its digest", where=checkpoint.path)
    if wanted.lossy or wanted.count >= before.shape[1]:
        return
    if not all_zero(before, 1, wanted.count):
        raise NotExportableError(
            f"the last {before.shape[1] - wanted.count} input channels of {name} are not zero",
            where=checkpoint.path,
            fix=f"--adapt input-channels={wanted.count},lossy lets them go",
        )


def _regraphed(
    graph: Graph, place: _Place, count: int, tensors: Mapping[str, Tensor], where: str
) -> tuple[Graph, tuple[int, ...], tuple[int, ...]]:
    """Return the graph with the new channels, and the old and the new shape of the observation.

    Raises:
        ArchitectureError: No axis of the input, or more than one, can be the channels'.
    """
    conv = place.conv.layer
    attrs = {**conv.attrs, "in_channels": count}
    layers = tuple(replace(layer, attrs=attrs) if layer is conv else layer for layer in graph.layers)
    value = graph.inputs[place.name]
    fitting = []
    for axis, size in enumerate(value.shape):
        if size == place.channels:
            shape = (*value.shape[:axis], count, *value.shape[axis + 1 :])
            made = Graph({**graph.inputs, place.name: replace(value, shape=shape)}, layers, graph.outputs)
            if _fits(made, tensors):
                fitting.append((made, _sizes(value.shape), _sizes(shape)))
    if len(fitting) != 1:
        raise ArchitectureError(f"which axis of {place.name} {value} holds the channels is open", where=where)
    return fitting[0]


def _sizes(shape: tuple[int | None, ...]) -> tuple[int, ...]:
    return tuple(size for size in shape if size is not None)


def _fits(graph: Graph, tensors: Mapping[str, Tensor]) -> bool:
    try:
        return next(misfits(infer(graph), tensors), None) is None
    except ArchitectureError:
        return False


def _training(
    checkpoint: Checkpoint, before: Tensor, count: int
) -> tuple[object, tuple[str, ...], tuple[Dropped, ...]]:
    """Return the training state with the tensors of the convolution's weight resized too.

    They are known by their shape. If another weight has that shape as well, or something is as long and
    of another shape, the state goes as a whole, since it would not fit.
    """
    state = checkpoint.training_state
    found = tensors_in(state)
    if not found:
        return state, (), ()
    owners = {tensor.identity for tensor in checkpoint.tensors.values() if tensor.shape == before.shape}
    alike = [name for name, tensor in found.items() if tensor.shape == before.shape]
    odd = any(tensor.numel == before.numel and tensor.shape != before.shape for tensor in found.values())
    if len(owners) > 1 or odd:
        reason = "which of its tensors belong to the changed convolution is not certain"
        return None, (), (Dropped("training_state", reason),)

    def change(tensor: Tensor, _: str) -> Tensor:
        return resized(tensor, 1, count) if tensor.shape == before.shape else tensor

    said = (f"{name}: resized like the weight that it belongs to" for name in alike)
    return map_tensors(state, change, "training_state"), tuple(said), ()


def _restated(
    config: Mapping[str, object], old: tuple[int, ...], new: tuple[int, ...]
) -> Mapping[str, object]:
    """Return a configuration whose fields that state the observation's shape state the new one."""

    def stated(value: object) -> object:
        if isinstance(value, list | tuple) and len(value) == len(old) and tuple(value) == old:
            return type(value)(new)
        return value

    return {key: stated(value) for key, value in config.items()}


def _respaced(checkpoint: Checkpoint, old: tuple[int, ...], new: tuple[int, ...]) -> Mapping[str, object]:
    """Return the spaces with an observation of the new shape.

    Raises:
        ArchitectureError: The observation has another form than the network's input, or a bound each element.
    """
    space = checkpoint.spaces.get("observation")
    if space is None:
        return checkpoint.spaces
    if not isinstance(space, Mapping) or space.get("shape") != list(old):
        what = "the space of its observations is not that of the network's input"
        raise ArchitectureError(what, where=checkpoint.path)
    if any(isinstance(space.get(bound), list) for bound in ("low", "high")):
        what = "the bounds of its observations differ by element, and those of other channels are not known"
        raise ArchitectureError(what, where=checkpoint.path)
    return {**checkpoint.spaces, "observation": {**space, "shape": list(new)}}


def _known(checkpoint: Checkpoint, graph: Graph, hints: Hints) -> Checkpoint:
    """Return the changed checkpoint with its architecture, recovered anew from what it holds now.

    Raises:
        ArchitectureError: What it says of itself gives another network.
    """
    bundle = checkpoint.bundle
    if bundle is not None:
        stale = {"content_digest", "architecture", "recovery"}
        manifest = {key: value for key, value in (bundle.manifest or {}).items() if key not in stale}
        checkpoint = replace(checkpoint, bundle=replace(bundle, manifest=manifest))
    bare = replace(checkpoint, bundle=None, architecture=None, recovery=None)
    found = recovery.recover(bare, hints)
    if found.graph is None or found.graph.to_json() != graph.to_json():
        why = "; ".join(found.questions) or "it is taken for another network"
        raise ArchitectureError(
            f"with other input channels it would not be known any more: {why}",
            where=checkpoint.path,
            fix="give --assume or --input-shape as for its first conversion",
        )
    return replace(checkpoint, architecture=found.architecture(), recovery=found.report())
