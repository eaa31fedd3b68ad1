"""Element types, spelled as safetensors spells them.

Sources: safetensors 0.8.0 (`safetensors/src/tensor.rs`, `Dtype`) for names and sizes;
torch 2.13.0 (`torch/storage.py`, `_dtype_to_storage_type_map`) for torch's names.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DType:
    """One element type.

    Attributes:
        name: Safetensors spelling (`F32`, `BF16`, `I64`).
        itemsize: Bytes of one element.
        torch: Attribute name in the torch module (`float32`).
        storage: Torch's typed storage class, empty where torch has none.
        word: Bytes of the unit that byte order applies to (half of itemsize for complex).
    """

    name: str
    itemsize: int
    torch: str
    storage: str = ""
    word: int = 0

    def __post_init__(self) -> None:
        if not self.word:
            object.__setattr__(self, "word", self.itemsize)

    def __str__(self) -> str:
        return self.name


DTYPES: tuple[DType, ...] = (
    DType("BOOL", 1, "bool", "BoolStorage"),
    DType("U8", 1, "uint8", "ByteStorage"),
    DType("I8", 1, "int8", "CharStorage"),
    DType("F8_E5M2", 1, "float8_e5m2"),
    DType("F8_E4M3", 1, "float8_e4m3fn"),
    DType("F8_E5M2FNUZ", 1, "float8_e5m2fnuz"),
    DType("F8_E4M3FNUZ", 1, "float8_e4m3fnuz"),
    DType("F8_E8M0", 1, "float8_e8m0fnu"),
    DType("I16", 2, "int16", "ShortStorage"),
    DType("U16", 2, "uint16"),
    DType("F16", 2, "float16", "HalfStorage"),
    DType("BF16", 2, "bfloat16", "BFloat16Storage"),
    DType("I32", 4, "int32", "IntStorage"),
    DType("U32", 4, "uint32"),
    DType("F32", 4, "float32", "FloatStorage"),
    DType("C64", 8, "complex64", "ComplexFloatStorage", word=4),
    DType("F64", 8, "float64", "DoubleStorage"),
    DType("I64", 8, "int64", "LongStorage"),
    DType("U64", 8, "uint64"),
)

BY_NAME = {d.name: d for d in DTYPES}
BY_TORCH = {d.torch: d for d in DTYPES}
BY_STORAGE = {d.storage: d for d in DTYPES if d.storage}
