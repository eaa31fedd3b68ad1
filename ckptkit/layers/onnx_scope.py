"""The part of an ONNX graph that one layer adds to."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ckptkit.layers import FLOATS

if TYPE_CHECKING:
    import numpy as np
    import onnx

    from ckptkit.model.architecture import ValueType


ELEMENTS = {
    "BOOL": "BOOL",
    "U8": "UINT8",
    "I8": "INT8",
    "U16": "UINT16",
    "I16": "INT16",
    "U32": "UINT32",
    "I32": "INT32",
    "U64": "UINT64",
    "I64": "INT64",
    "F16": "FLOAT16",
    "BF16": "BFLOAT16",
    "F32": "FLOAT",
    "F64": "DOUBLE",
}
"""ONNX element types by safetensors spelling (onnx 1.17, `onnx.proto3`, `TensorProto.DataType`)."""


class OnnxScope:
    """Collects nodes and constants; names follow from the layer, so two runs give the same bytes.

    Attributes:
        layer: Name of the layer that is being lowered.
        types: Types of that layer's inputs.
        nodes: All nodes so far, in order.
        constants: Small initializers that belong to no tensor of the checkpoint.
        used: State-dict names that nodes refer to, in the order of first use.
    """

    def __init__(self, dtypes: Mapping[str, str] | None = None) -> None:
        """Begin an empty graph.

        Args:
            dtypes: Element type of each tensor by its state-dict name; what is missing is taken to
                be stored as the layer wants it.
        """
        self.layer = ""
        self.types: Sequence[ValueType] = ()
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.used: dict[str, None] = {}
        self._dtypes = dtypes or {}
        self._count = 0

    def enter(self, layer: str, types: Sequence["ValueType"]) -> None:
        """Begin the layer named `layer`, whose inputs have `types`."""
        self.layer, self.types, self._count = layer, types, 0

    def node(self, op: str, inputs: Sequence[str], outputs: int = 1, **attrs: Any) -> list[str]:
        """Add a node and return the names of its outputs."""
        from onnx import helper

        names = [self._name(op) for _ in range(outputs)]
        self.nodes.append(helper.make_node(op, list(inputs), names, name=names[0], **attrs))
        return names

    def one(self, op: str, *inputs: str, **attrs: Any) -> str:
        """Add a node with one output and return its name."""
        return self.node(op, inputs, **attrs)[0]

    def constant(self, value: "np.ndarray[Any, Any]") -> str:
        """Add a small constant and return its name."""
        from onnx import numpy_helper

        name = self._name("const")
        self.constants.append(numpy_helper.from_array(value, name))
        return name

    def ints(self, *values: int) -> str:
        """Add a 1-d int64 constant, as shape operators take, and return its name."""
        import numpy as np

        return self.constant(np.array(values, np.int64))

    def scalar(self, value: float) -> str:
        """Add a 0-d float32 constant and return its name."""
        import numpy as np

        return self.constant(np.array(value, np.float32))

    def cast(self, value: str, dtype: str) -> str:
        """Return `value` as `dtype`, in safetensors' spelling."""
        from onnx import TensorProto

        return self.one("Cast", value, to=int(getattr(TensorProto, ELEMENTS[dtype])))

    def parameter(self, name: str, dtype: str = "F32") -> str:
        """Return the value of the layer's parameter `name` as `dtype`.

        It is the initializer itself, under its state-dict name, or a cast of it where the tensor
        is stored as another floating type.
        """
        full = f"{self.layer}.{name}" if name else self.layer
        self.used[full] = None
        stored = self._dtypes.get(full, dtype)
        return self.cast(full, dtype) if stored != dtype and stored in FLOATS else full

    def _name(self, op: str) -> str:
        name = f"{self.layer}/{op}_{self._count}"
        self._count += 1
        return name
