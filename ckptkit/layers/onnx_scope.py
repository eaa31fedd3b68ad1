"""The part of an ONNX graph that one layer adds to."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import onnx

    from ckptkit.model.architecture import ValueType


ELEMENTS = {
    "BOOL": "BOOL",
    "U8": "UINT8",
    "I8": "INT8",
    "I16": "INT16",
    "I32": "INT32",
    "I64": "INT64",
    "F16": "FLOAT16",
    "BF16": "BFLOAT16",
    "F32": "FLOAT",
    "F64": "DOUBLE",
}
"""ONNX element types by safetensors spelling."""


class OnnxScope:
    """Collects nodes and constants; names follow from the layer, so two runs give the same bytes.

    Attributes:
        layer: Name of the layer that is being lowered.
        types: Types of that layer's inputs.
        nodes: All nodes so far, in order.
        constants: Small initializers that belong to no tensor of the checkpoint.
        used: State-dict names that nodes refer to, in the order of first use.
    """

    def __init__(self) -> None:
        self.layer = ""
        self.types: Sequence[ValueType] = ()
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.used: dict[str, None] = {}
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

    def parameter(self, name: str) -> str:
        """Return the initializer of the layer's parameter `name`: its state-dict name."""
        full = f"{self.layer}.{name}" if name else self.layer
        self.used[full] = None
        return full

    def _name(self, op: str) -> str:
        name = f"{self.layer}/{op}_{self._count}"
        self._count += 1
        return name
