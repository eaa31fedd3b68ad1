"""A whole ONNX file: whether a file is one, and what it states."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ckptkit.errors import CkptkitError, UnknownVersionError
from ckptkit.model.onnx_types import NEWEST_IR
from ckptkit.model.source import Source
from ckptkit.model.tensor import Tensor
from ckptkit.storage.onnx import messages
from ckptkit.storage.onnx.beside import Beside
from ckptkit.storage.onnx.graphs import Graphs, Inner, Operator, domain_of
from ckptkit.storage.onnx.tensors import Tensors
from ckptkit.storage.onnx.uses import Uses
from ckptkit.storage.onnx.walk import Walk
from ckptkit.storage.onnx.wire import Field, Wire, signed
from ckptkit.storage.source import FileSource

GRAPH, IR_VERSION = 7, 1
_BEFORE_GRAPH = 64
"""So many fields are looked at in search of the graph."""
_TEXTS = ("producer_name", "producer_version", "domain")


@dataclass(slots=True)
class OnnxFile:
    """What an ONNX file states; tensor bytes stay on disk.

    Attributes:
        ir_version: Version of the format.
        model_version: Version that its author gives it; 0 where none.
        texts: `producer_name`, `producer_version` and `domain`, those that are there.
        opsets: Version of each domain of operators, ONNX's own under an empty name.
        metadata: `metadata_props`.
        graph: Name of the graph.
        inputs: What it takes: name, dtype, shape (numbers, names, or None where a size is not said).
        outputs: What it gives, likewise.
        operators: How many nodes of each operator there are.
        functions: Operators that the file defines itself.
        tensors: Initializers, in file order.
        uses: What nodes use the tensors for.
        inner: Initializers of inner graphs, of which at most the first are listed.
        inners: How many there are.
        constants: How many tensors stand in attributes of nodes.
        largest: The largest of those; None where there are none.
        entries: Keys beside those of ONNX under which tensors state something of data outside.
        unknown: Fields that no known version has.
        files: Files beside it that hold bytes of its tensors.
    """

    ir_version: int = 0
    model_version: int = 0
    texts: dict[str, str] = field(default_factory=dict)
    opsets: dict[str, int] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)
    graph: str = ""
    inputs: tuple[Mapping[str, object], ...] = ()
    outputs: tuple[Mapping[str, object], ...] = ()
    operators: Counter[Operator] = field(default_factory=Counter)
    functions: frozenset[Operator] = frozenset()
    tensors: Mapping[str, Tensor] = field(default_factory=dict)
    uses: Uses = field(default_factory=Uses)
    inner: tuple[Inner, ...] = ()
    inners: int = 0
    constants: int = 0
    largest: Inner | None = None
    entries: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    files: Mapping[str, Source] = field(default_factory=dict)


def is_onnx(source: Source) -> bool:
    """Whether a file claims to be ONNX, well-formed or not: it starts as a model does, up to its graph."""
    wire, at = Wire(source), 0
    try:
        for _ in range(_BEFORE_GRAPH):
            if at >= source.size:
                return False
            found = wire.field(at, source.size)
            kind = messages.MODEL.kinds.get(found.number)
            # Writers give fields in the order of their numbers; no other form begins with this one.
            known = kind is not None and kind.wire == found.wire
            if not known or (not at and found.number != IR_VERSION):
                return False
            if found.number == GRAPH:
                return found.end == found.start or _is_graph(wire, found, source.size)
            at = found.end
    except CkptkitError:
        pass
    return False


def is_onnx_file(path: Path) -> bool:
    """Whether there is a file at `path` that claims to be ONNX; False where it cannot be looked at."""
    try:
        return is_onnx(FileSource(path))
    except CkptkitError:
        return False


def _is_graph(wire: Wire, found: Field, size: int) -> bool:
    first = wire.field(found.start, size)
    kind = messages.GRAPH.kinds.get(first.number)
    return kind is not None and kind.wire == first.wire


def open_onnx(source: Source, beside: Beside | None = None) -> OnnxFile:
    """Read what an ONNX file states.

    Args:
        source: One of which `is_onnx` holds.
        beside: Finds data beside the file. None to leave it unread: tensors that have theirs there are not
            among `tensors`, and where it lies is looked at as text alone.

    Raises:
        UnreadableCheckpointError: It is broken, could be read in two ways, or states data that is not there.
        LimitExceededError: A bound is exceeded.
        UnknownVersionError: It is of a newer version of the format than `NEWEST_IR`.
        UnsupportedTensorError: An initializer has no form in a bundle.
        PointerError: A file with its data is a Git LFS or DVC pointer.
        InaccessibleError: The system does not let one be read.
    """
    try:
        return _opened(Walk(Wire(source)), beside)
    except CkptkitError as error:
        error.where = error.where or source.name
        raise


def _opened(walk: Walk, beside: Beside | None) -> OnnxFile:
    made, graphs = OnnxFile(), Graphs(walk, Tensors(walk, beside))
    has_graph = False
    for name, found in walk.of(messages.MODEL, 0, walk.wire.source.size):
        has_graph = has_graph or name == "graph"
        if not _with_graph(graphs, name, found):
            _with_fact(made, walk, name, found)
    if not has_graph:
        raise walk.wire.broken("has no graph")
    return _whole(made, graphs, beside)


def _with_graph(graphs: Graphs, name: str, found: Field) -> bool:
    """Take a field that holds nodes; whether it is one."""
    match name:
        case "graph":
            graphs.model(found)
        case "functions":
            graphs.function(found)
        case "training_info":
            _training(graphs, found)
        case _:
            return False
    return True


def _with_fact(made: OnnxFile, walk: Walk, name: str, found: Field) -> None:
    match name:
        case "ir_version":
            made.ir_version = _known(signed(found.value), walk)
        case "model_version":
            made.model_version = signed(found.value)
        case "opset_import":
            _opset(made, walk, found)
        case "metadata_props":
            _metadata(made, walk, found)
        case _ if name in _TEXTS:
            made.texts[name] = walk.wire.text(found)


def _known(version: int, walk: Walk) -> int:
    if not 0 < version <= NEWEST_IR:
        raise UnknownVersionError(
            f"is ONNX of IR version {version}; up to {NEWEST_IR} is known",
            where=walk.wire.source.name,
            fix="a newer ckptkit, or the model converted to an older version",
        )
    return version


def _opset(made: OnnxFile, walk: Walk, found: Field) -> None:
    domain, version = "", 0
    for name, one in walk.of(messages.OPSET, found.start, found.end):
        if name == "domain":
            domain = domain_of(walk.wire.text(one))
        else:
            version = signed(one.value)
    if domain in made.opsets:
        raise walk.wire.broken(f"states the opset of {domain or 'ONNX'} twice")
    made.opsets[domain] = version


def _metadata(made: OnnxFile, walk: Walk, found: Field) -> None:
    entry = {name: walk.wire.text(one) for name, one in walk.of(messages.ENTRY, found.start, found.end)}
    key = entry.get("key", "")
    if key in made.metadata:
        raise walk.wire.broken(f"has {key!r} twice in its metadata")
    made.metadata[key] = entry.get("value", "")


def _training(graphs: Graphs, found: Field) -> None:
    for name, one in graphs.walk.of(messages.TRAINING, found.start, found.end):
        if name in ("initialization", "algorithm"):
            graphs.inner_graph(one, f"training_info.{name}")


def _whole(made: OnnxFile, graphs: Graphs, beside: Beside | None) -> OnnxFile:
    made.graph = graphs.name
    made.inputs, made.outputs = tuple(graphs.inputs.values()), tuple(graphs.outputs.values())
    made.operators, made.functions = graphs.operators, frozenset(graphs.functions)
    made.tensors, made.uses = graphs.tensors, graphs.uses
    made.inner, made.inners = tuple(graphs.inner), graphs.inners
    made.constants, made.largest = graphs.constants, graphs.largest
    made.entries, made.unknown = tuple(sorted(graphs.entries)), tuple(graphs.walk.unknown)
    made.files = dict(beside.files) if beside is not None else {}
    return made
