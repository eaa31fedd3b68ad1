"""The messages of an ONNX file, as far as they are walked through: their fields, and which may be there once.

Source: onnx 1.23.2, `onnx/onnx.proto`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from ckptkit.storage.onnx.wire import FIXED32, FIXED64, LENGTH, VARINT, Field, Wire


class Kind(NamedTuple):
    """What a message says of one of its fields.

    Attributes:
        name: Of the field.
        wire: Wire type of one value.
        many: Whether it may be there more than once.
        packed: Whether many numbers may stand in one run of bytes.
        choice: Fields of one message with the same word exclude each other.
    """

    name: str
    wire: int = LENGTH
    many: bool = False
    packed: bool = False
    choice: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """A type of message.

    Attributes:
        name: What messages for people call it.
        kinds: Its fields by number.
        closed: Whether a field that is not among them is refused, since it might change what a tensor is.
    """

    name: str
    kinds: Mapping[int, Kind]
    closed: bool = False


def _many(name: str) -> Kind:
    return Kind(name, many=True)


def _number(name: str) -> Kind:
    return Kind(name, VARINT)


def _numbers(name: str, wire: int = VARINT) -> Kind:
    return Kind(name, wire, many=True, packed=True)


ENTRY = Message("entry", {1: Kind("key"), 2: Kind("value")}, closed=True)
TENSOR = Message(
    "tensor",
    {
        1: _numbers("dims"),
        2: _number("data_type"),
        3: Kind("segment"),
        4: _numbers("float_data", FIXED32),
        5: _numbers("int32_data"),
        6: _many("string_data"),
        7: _numbers("int64_data"),
        8: Kind("name"),
        9: Kind("raw_data"),
        10: _numbers("double_data", FIXED64),
        11: _numbers("uint64_data"),
        12: Kind("doc_string"),
        13: _many("external_data"),
        14: _number("data_location"),
        16: _many("metadata_props"),
    },
    closed=True,
)
SPARSE = Message("sparse tensor", {1: Kind("values"), 2: Kind("indices"), 3: _numbers("dims")}, closed=True)
ATTRIBUTE = Message(
    "attribute",
    {
        1: Kind("name"),
        2: Kind("f", FIXED32),
        3: _number("i"),
        4: Kind("s"),
        5: Kind("t"),
        6: Kind("g"),
        7: _numbers("floats", FIXED32),
        8: _numbers("ints"),
        9: _many("strings"),
        10: _many("tensors"),
        11: _many("graphs"),
        13: Kind("doc_string"),
        14: Kind("tp"),
        15: _many("type_protos"),
        20: _number("type"),
        21: Kind("ref_attr_name"),
        22: Kind("sparse_tensor"),
        23: _many("sparse_tensors"),
    },
)
NODE = Message(
    "node",
    {
        1: _many("input"),
        2: _many("output"),
        3: Kind("name"),
        4: Kind("op_type"),
        5: _many("attribute"),
        6: Kind("doc_string"),
        7: Kind("domain"),
        8: Kind("overload"),
        9: _many("metadata_props"),
        10: _many("device_configurations"),
    },
)
GRAPH = Message(
    "graph",
    {
        1: _many("node"),
        2: Kind("name"),
        5: _many("initializer"),
        10: Kind("doc_string"),
        11: _many("input"),
        12: _many("output"),
        13: _many("value_info"),
        14: _many("quantization_annotation"),
        15: _many("sparse_initializer"),
        16: _many("metadata_props"),
    },
)
FUNCTION = Message(
    "function",
    {
        1: Kind("name"),
        4: _many("input"),
        5: _many("output"),
        6: _many("attribute_name"),
        7: _many("node"),
        8: Kind("doc_string"),
        9: _many("opset_import"),
        10: Kind("domain"),
        11: _many("attribute"),
        12: _many("value_info"),
        13: Kind("overload"),
        14: _many("metadata_props"),
    },
)
TRAINING = Message(
    "training info",
    {
        1: Kind("initialization"),
        2: Kind("algorithm"),
        3: _many("initialization_binding"),
        4: _many("update_binding"),
    },
)
OPSET = Message("opset", {1: Kind("domain"), 2: _number("version")})
VALUE = Message(
    "value", {1: Kind("name"), 2: Kind("type"), 3: Kind("doc_string"), 4: _many("metadata_props")}
)
TYPE = Message(
    "type",
    {
        1: Kind("tensor", choice="value"),
        4: Kind("sequence", choice="value"),
        5: Kind("map", choice="value"),
        6: Kind("denotation"),
        7: Kind("opaque", choice="value"),
        8: Kind("sparse tensor", choice="value"),
        9: Kind("optional", choice="value"),
    },
)
TENSOR_TYPE = Message("tensor type", {1: _number("elem_type"), 2: Kind("shape")})
SHAPE = Message("shape", {1: _many("dim")})
DIMENSION = Message(
    "dimension",
    {1: Kind("dim_value", VARINT, choice="size"), 2: Kind("dim_param", choice="size"), 3: Kind("denotation")},
)
MODEL = Message(
    "model",
    {
        1: _number("ir_version"),
        2: Kind("producer_name"),
        3: Kind("producer_version"),
        4: Kind("domain"),
        5: _number("model_version"),
        6: Kind("doc_string"),
        7: Kind("graph"),
        8: _many("opset_import"),
        14: _many("metadata_props"),
        20: _many("training_info"),
        25: _many("functions"),
        26: _many("configuration"),
    },
)


@dataclass(slots=True)
class Walk:
    """A walk through one file.

    Attributes:
        wire: Its bytes.
        unknown: Fields that were met and that no known version has, for people.
    """

    wire: Wire
    unknown: dict[str, None] = field(default_factory=dict)

    def of(self, message: Message, start: int, end: int) -> Iterator[tuple[str, Field]]:
        """Yield the fields of a message by name.

        Raises:
            UnreadableCheckpointError: One that may be there once is there twice, is of another form, excludes
                another, or is unknown in a closed message.
        """
        seen: dict[str, int] = {}
        for found in self.wire.fields(start, end):
            kind = message.kinds.get(found.number)
            place = f"{message.name} at byte {start}"
            if kind is None:
                self._unknown(message, found, place)
                continue
            if found.wire != kind.wire and not (kind.packed and found.wire == LENGTH):
                raise self.wire.broken(f"the {place} has {kind.name} in a form that readers pass over")
            if not kind.many:
                before = seen.setdefault(kind.choice or kind.name, found.start)
                if before != found.start:
                    raise self.wire.broken(f"the {place} has {_again(kind)}: readers differ in which counts")
            yield kind.name, found

    def _unknown(self, message: Message, found: Field, place: str) -> None:
        what = f"field {found.number} of the {place}"
        if message.closed:
            raise self.wire.broken(f"{what} is in no version of ONNX that is known")
        self.unknown.setdefault(f"field {found.number} of a {message.name}")


def _again(kind: Kind) -> str:
    return f"{kind.name} beside another {kind.choice}" if kind.choice else f"{kind.name} twice"
