"""The messages of an ONNX file, as far as they are walked through: their fields, and which may be there once.

Source: onnx 1.23.2, `onnx/onnx.proto`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from ckptkit.storage.onnx.wire import FIXED32, FIXED64, LENGTH, VARINT


class Kind(NamedTuple):
    """What a message says of one of its fields.

    Attributes:
        name: Of the field.
        wire: Wire type of one value.
        many: Whether it may be there more than once.
        packed: Whether many numbers may stand in one run of bytes.
        choice: Fields of one message with the same word exclude each other.
        message: Name of the message that it is, where nobody but `Walk` looks into it.
    """

    name: str
    wire: int = LENGTH
    many: bool = False
    packed: bool = False
    choice: str = ""
    message: str = ""


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


def _one(name: str, message: str = "", choice: str = "") -> Kind:
    return Kind(name, choice=choice, message=message)


def _many(name: str, message: str = "") -> Kind:
    return Kind(name, many=True, message=message)


def _number(name: str, choice: str = "") -> Kind:
    return Kind(name, VARINT, choice=choice)


def _numbers(name: str, wire: int = VARINT) -> Kind:
    return Kind(name, wire, many=True, packed=True)


_METADATA = _many("metadata_props", "entry")
_DOC = Kind("doc_string")
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
        12: _DOC,
        13: _many("external_data"),
        14: _number("data_location"),
        16: _METADATA,
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
        13: _DOC,
        14: _one("tp", "type"),
        15: _many("type_protos", "type"),
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
        6: _DOC,
        7: Kind("domain"),
        8: Kind("overload"),
        9: _METADATA,
        10: _many("device_configurations", "node device"),
    },
)
GRAPH = Message(
    "graph",
    {
        1: _many("node"),
        2: Kind("name"),
        5: _many("initializer"),
        10: _DOC,
        11: _many("input", "value"),
        12: _many("output", "value"),
        13: _many("value_info", "value"),
        14: _many("quantization_annotation", "annotation"),
        15: _many("sparse_initializer"),
        16: _METADATA,
    },
)
GRAPH_NODE = 1
FUNCTION = Message(
    "function",
    {
        1: Kind("name"),
        4: _many("input"),
        5: _many("output"),
        6: _many("attribute_name"),
        7: _many("node"),
        8: _DOC,
        9: _many("opset_import", "opset"),
        10: Kind("domain"),
        11: _many("attribute"),
        12: _many("value_info", "value"),
        13: Kind("overload"),
        14: _METADATA,
    },
)
TRAINING = Message(
    "training info",
    {
        1: Kind("initialization"),
        2: Kind("algorithm"),
        3: _many("initialization_binding", "entry"),
        4: _many("update_binding", "entry"),
    },
)
OPSET = Message("opset", {1: Kind("domain"), 2: _number("version")})
VALUE = Message("value", {1: Kind("name"), 2: _one("type", "type"), 3: _DOC, 4: _METADATA})
TYPE = Message(
    "type",
    {
        1: _one("tensor", "tensor type", "value"),
        4: _one("sequence", "sequence", "value"),
        5: _one("map", "map", "value"),
        6: Kind("denotation"),
        7: _one("opaque", "opaque", "value"),
        8: _one("sparse tensor", "tensor type", "value"),
        9: _one("optional", "sequence", "value"),
    },
)
TENSOR_TYPE = Message("tensor type", {1: _number("elem_type"), 2: _one("shape", "shape")})
SHAPE = Message("shape", {1: _many("dim", "dimension")})
DIMENSION = Message(
    "dimension", {1: _number("dim_value", "size"), 2: _one("dim_param", "", "size"), 3: Kind("denotation")}
)
MODEL = Message(
    "model",
    {
        1: _number("ir_version"),
        2: Kind("producer_name"),
        3: Kind("producer_version"),
        4: Kind("domain"),
        5: _number("model_version"),
        6: _DOC,
        7: Kind("graph"),
        8: _many("opset_import"),
        14: _many("metadata_props"),
        20: _many("training_info"),
        25: _many("functions"),
        26: _many("configuration", "device"),
    },
)
PASSED = {
    message.name: message
    for message in (
        *(ENTRY, OPSET, VALUE, TYPE, TENSOR_TYPE, SHAPE, DIMENSION),
        Message("sequence", {1: _one("elem_type", "type")}),
        Message("map", {1: _number("key_type"), 2: _one("value_type", "type")}),
        Message("opaque", {1: Kind("domain"), 2: Kind("name")}),
        Message("annotation", {1: Kind("tensor_name"), 2: _many("quant_parameter_tensor_names", "entry")}),
        Message("device", {1: Kind("name"), 2: _number("num_devices"), 3: _many("device")}),
        Message(
            "node device",
            {
                1: Kind("configuration_id"),
                2: _many("sharding_spec", "sharding"),
                3: _number("pipeline_stage"),
            },
        ),
        Message(
            "sharding",
            {
                1: Kind("tensor_name"),
                2: _numbers("device"),
                3: _many("index_to_device_group_map", "device group"),
                4: _many("sharded_dim", "sharded dimension"),
            },
        ),
        Message("device group", {1: _number("key"), 2: _numbers("value")}),
        Message("sharded dimension", {1: _number("axis"), 2: _many("simple_sharding", "simple sharding")}),
        Message(
            "simple sharding",
            {1: _number("dim_value", "size"), 2: _one("dim_param", "", "size"), 3: _number("num_shards")},
        ),
    )
}
"""Messages that hold no tensor, by name; they are looked at as far as that they are well formed."""
