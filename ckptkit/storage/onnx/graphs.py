"""The graphs of an ONNX file: initializers of the outer one, and what else holds tensors or names code."""

import math
from collections import Counter
from collections.abc import Iterator, Sized
from dataclasses import dataclass, field

from ckptkit.errors import LimitExceededError
from ckptkit.model.naming import MAX_TENSORS
from ckptkit.model.onnx_types import BY_NUMBER
from ckptkit.model.refusals import refuse
from ckptkit.model.tensor import Tensor
from ckptkit.storage.onnx import messages
from ckptkit.storage.onnx.tensors import Tensors, Told, initializer
from ckptkit.storage.onnx.uses import IDENTITY, Uses
from ckptkit.storage.onnx.walk import Walk
from ckptkit.storage.onnx.wire import Field, signed

MAX_DEPTH = 32
"""Most graphs inside each other: bodies of If, Loop and Scan."""
MAX_PARTS = 10_000
"""Most different operators, functions, and inputs or outputs of one file, and most parts of one node."""
LISTED = 64
"""So many tensors of inner graphs are named; the rest is counted."""
DEFAULT_DOMAINS = ("", "ai.onnx")

Operator = tuple[str, str]
"""Domain, empty for ONNX's own, and type."""


@dataclass(frozen=True, slots=True)
class Inner:
    """A tensor that is no initializer of the model's graph.

    Attributes:
        place: What holds it.
        name: As stated.
        dtype: Of its elements, in safetensors' spelling or, where that has none, ONNX's.
        shape: Sizes.
    """

    place: str
    name: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def numel(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)


@dataclass(slots=True)
class Graphs:
    """What the graphs of one file hold.

    Attributes:
        walk: Through the file.
        make: Makes its tensors.
        tensors: Initializers of the model's graph whose data was looked for.
        name: Of that graph.
        inputs: What it takes, without what an initializer fills.
        outputs: What it gives.
        operators: How many nodes of each operator there are, in inner graphs too.
        functions: Operators that the file defines itself.
        inner: Initializers of inner graphs, the first `LISTED`.
        inners: How many there are.
        constants: How many tensors stand in attributes of nodes.
        largest: The largest of those.
        uses: What nodes use the tensors for.
        entries: Keys beside those of ONNX under which tensors state something of data outside.
    """

    walk: Walk
    make: Tensors
    tensors: dict[str, Tensor] = field(default_factory=dict)
    name: str = ""
    inputs: dict[str, dict[str, object]] = field(default_factory=dict)
    outputs: dict[str, dict[str, object]] = field(default_factory=dict)
    operators: Counter[Operator] = field(default_factory=Counter)
    functions: set[Operator] = field(default_factory=set)
    inner: list[Inner] = field(default_factory=list)
    inners: int = 0
    constants: int = 0
    largest: Inner | None = None
    uses: Uses = field(default_factory=Uses)
    entries: set[str] = field(default_factory=set)
    _names: set[str] = field(default_factory=set)

    def model(self, found: Field) -> None:
        """Walk through the model's own graph; nodes come last, when it is known what they may use."""
        for name, one in self.walk.of(messages.GRAPH, found.start, found.end):
            self._part(name, one)
        self.inputs = {name: value for name, value in self.inputs.items() if name not in self._names}
        self.make.refuse_overlaps()
        self.uses = Uses(set(self.tensors))
        for one in self.walk.wire.fields(found.start, found.end):
            if one.number == messages.GRAPH_NODE:
                self._node(one, 0, outermost=True)

    def _part(self, name: str, found: Field) -> None:
        """Take a part of the model's graph that is no node."""
        match name:
            case "name":
                self.name = self.walk.wire.text(found)
            case "initializer":
                self._initializer(self._tensor(found))
            case "sparse_initializer":
                raise refuse(self._sparse(found), "is sparse")
            case "input":
                self._value(found, self.inputs)
            case "output":
                self._value(found, self.outputs)

    def inner_graph(self, found: Field, place: str, depth: int = 0) -> None:
        """Walk through a graph inside another part of the model; its tensors are named and not kept."""
        if depth > MAX_DEPTH:
            raise LimitExceededError(
                f"nests more than {MAX_DEPTH} graphs inside each other", where=self.walk.wire.source.name
            )
        for name, one in self.walk.of(messages.GRAPH, found.start, found.end):
            if name == "node":
                self._node(one, depth)
            elif name == "initializer":
                self._within(self._tensor(one), place)
            elif name == "sparse_initializer":
                self.inners += 1
                self._sparse(one)

    def function(self, found: Field) -> None:
        """Walk through a function of the model."""
        stated = {"domain": "", "name": ""}
        for name, one in self.walk.of(messages.FUNCTION, found.start, found.end):
            if name in stated:
                stated[name] = self.walk.wire.text(one)
            elif name == "node":
                self._node(one, 0)
            elif name == "attribute":
                self._attribute(one, "function", 0)
        self.functions.add((domain_of(stated["domain"]), stated["name"]))
        self._bound(self.functions, "functions")

    def _node(self, found: Field, depth: int, *, outermost: bool = False) -> None:
        stated = {"domain": "", "op_type": "", "name": ""}
        ends: dict[str, list[str]] = {"input": [], "output": []}
        attributes = []
        for name, one in self.walk.of(messages.NODE, found.start, found.end):
            if name in stated:
                stated[name] = self.walk.wire.text(one)
            elif name in ends:
                ends[name].append(self.walk.wire.text(one))
                self._bound(ends[name], f"{name}s of a node")
            elif name == "attribute":
                attributes.append(one)
                self._bound(attributes, "attributes of a node")
        domain, kind = domain_of(stated["domain"]), stated["op_type"]
        self.operators[domain, kind] += 1
        self._bound(self.operators, "different operators")
        flags = dict(self._attribute(one, stated["name"] or kind, depth) for one in attributes)
        own = "" if domain else kind
        if outermost and own == IDENTITY and self.uses.name(ends["input"], ends["output"]):
            self._count_tensors()
        else:
            self.uses.add(own, ends["input"], transposed=bool(flags.get("transB")))

    def _attribute(self, found: Field, node: str, depth: int) -> tuple[str, int]:
        """Walk through an attribute and return its name and, where it is one number, that."""
        stated, number, graphs = "", 0, []
        for name, one in self.walk.of(messages.ATTRIBUTE, found.start, found.end):
            if name == "name":
                stated = self.walk.wire.text(one)
            elif name == "i":
                number = one.value
            elif name in ("g", "graphs"):
                graphs.append(one)
                self._bound(graphs, "graphs of a node")
            else:
                self._held(name, one, node)
        for one in graphs:
            self.inner_graph(one, f"{node}.{stated}", depth + 1)
        return stated, number

    def _held(self, name: str, found: Field, node: str) -> None:
        """Take a tensor in an attribute; other fields are none of a tensor."""
        if name in ("t", "tensors"):
            self._constant(self._tensor(found), node)
        elif name in ("sparse_tensor", "sparse_tensors"):
            self.constants += 1
            self._sparse(found)

    def _tensor(self, found: Field) -> Told:
        told = self.make.read(found.start, found.end)
        self.entries.update(told.external)
        return told

    def _sparse(self, found: Field) -> str:
        """Look at the parts of a sparse tensor and return its name."""
        name = ""
        for part, one in self.walk.of(messages.SPARSE, found.start, found.end):
            if part != "dims":
                told = self._tensor(one)
                name = told.name if part == "values" else name
        return name

    def _initializer(self, told: Told) -> None:
        if told.name in self._names:
            raise self.walk.wire.broken(
                f"two tensors are called {told.name!r}: readers take one or the other"
            )
        self._names.add(told.name)
        self._count_tensors()
        tensor = initializer(told)
        if tensor is not None:
            self.tensors[told.name] = tensor

    def _count_tensors(self) -> None:
        if len(self._names) + len(self.uses.aliases) > MAX_TENSORS:
            raise LimitExceededError(
                f"names more than {MAX_TENSORS} tensors", where=self.walk.wire.source.name
            )

    def _within(self, told: Told, place: str) -> None:
        self.inners += 1
        if len(self.inner) < LISTED:
            self.inner.append(_inner(told, place))

    def _constant(self, told: Told, node: str) -> None:
        self.constants += 1
        one = _inner(told, node)
        if self.largest is None or one.numel > self.largest.numel:
            self.largest = one

    def _value(self, found: Field, into: dict[str, dict[str, object]]) -> None:
        """Take an input or an output of the model."""
        name, kind = "", None
        for part, one in self.walk.of(messages.VALUE, found.start, found.end):
            if part == "name":
                name = self.walk.wire.text(one)
            elif part == "type":
                kind = one
        if name in into:
            raise self.walk.wire.broken(f"two inputs, or outputs, are called {name!r}")
        into[name] = {"name": name, **(self._type(kind) if kind is not None else {})}
        self._bound(into, "inputs or outputs")

    def _bound(self, held: Sized, what: str) -> None:
        if len(held) > MAX_PARTS:
            raise LimitExceededError(f"has more than {MAX_PARTS:,} {what}", where=self.walk.wire.source.name)

    def _type(self, found: Field) -> dict[str, object]:
        parts = dict(self.walk.of(messages.TYPE, found.start, found.end))
        parts.pop("denotation", None)
        if "tensor" in parts:
            return dict(self._tensor_type(parts["tensor"]))
        return {"type": next(iter(parts))} if parts else {}

    def _tensor_type(self, found: Field) -> Iterator[tuple[str, object]]:
        for part, one in self.walk.of(messages.TENSOR_TYPE, found.start, found.end):
            if part == "elem_type":
                element = BY_NUMBER.get(one.value)
                yield "dtype", (element.dtype or element.name) if element is not None else str(one.value)
            else:
                walked = self.walk.of(messages.SHAPE, one.start, one.end)
                yield "shape", [self._size(dim) for _, dim in walked]

    def _size(self, found: Field) -> int | str | None:
        """Return a size: a number, a name, or None where nothing is said."""
        parts = dict(self.walk.of(messages.DIMENSION, found.start, found.end))
        if "dim_value" in parts:
            return signed(parts["dim_value"].value)
        return self.walk.wire.text(parts["dim_param"]) if "dim_param" in parts else None


def domain_of(stated: str) -> str:
    """Return a domain; ONNX's own has two names."""
    return "" if stated in DEFAULT_DOMAINS else stated


def _inner(told: Told, place: str) -> Inner:
    return Inner(place, told.name, told.element.dtype or told.element.name, told.shape)
