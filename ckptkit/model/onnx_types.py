"""Element types of ONNX, and how a tensor of each is stored.

Source: onnx 1.23.2, `onnx/onnx.proto` (`TensorProto.DataType`, and the comments on its data fields).
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Element:
    """One element type.

    Attributes:
        number: What the file has.
        name: ONNX's name.
        dtype: Safetensors' spelling; empty where no bundle can carry it.
        field: Field of `TensorProto` that holds values of it one by one.
    """

    number: int
    name: str
    dtype: str
    field: str


ELEMENTS = (
    Element(1, "FLOAT", "F32", "float_data"),
    Element(2, "UINT8", "U8", "int32_data"),
    Element(3, "INT8", "I8", "int32_data"),
    Element(4, "UINT16", "U16", "int32_data"),
    Element(5, "INT16", "I16", "int32_data"),
    Element(6, "INT32", "I32", "int32_data"),
    Element(7, "INT64", "I64", "int64_data"),
    Element(8, "STRING", "", "string_data"),
    Element(9, "BOOL", "BOOL", "int32_data"),
    Element(10, "FLOAT16", "F16", "int32_data"),
    Element(11, "DOUBLE", "F64", "double_data"),
    Element(12, "UINT32", "U32", "uint64_data"),
    Element(13, "UINT64", "U64", "uint64_data"),
    Element(14, "COMPLEX64", "C64", "float_data"),
    Element(15, "COMPLEX128", "", "double_data"),
    Element(16, "BFLOAT16", "BF16", "int32_data"),
    Element(17, "FLOAT8E4M3FN", "F8_E4M3", "int32_data"),
    Element(18, "FLOAT8E4M3FNUZ", "F8_E4M3FNUZ", "int32_data"),
    Element(19, "FLOAT8E5M2", "F8_E5M2", "int32_data"),
    Element(20, "FLOAT8E5M2FNUZ", "F8_E5M2FNUZ", "int32_data"),
    Element(21, "UINT4", "", "int32_data"),
    Element(22, "INT4", "", "int32_data"),
    Element(23, "FLOAT4E2M1", "", "int32_data"),
    Element(24, "FLOAT8E8M0", "F8_E8M0", "int32_data"),
    Element(25, "UINT2", "", "int32_data"),
    Element(26, "INT2", "", "int32_data"),
    Element(27, "FLOAT6E2M3", "", "int32_data"),
    Element(28, "FLOAT6E3M2", "", "int32_data"),
)
BY_NUMBER = {element.number: element for element in ELEMENTS}
NEWEST_IR = 14
"""Newest version of the format whose fields and types are known here."""
