"""What the nodes of a graph use its initializers for.

Source: onnx 1.23.2, `docs/Operators.md`.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

_REDUCTIONS = ("L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "Sum", "SumSquare")
OPERANDS = {
    "ConstantOfShape": (0,),
    "CumSum": (1,),
    "Expand": (1,),
    "OneHot": (1,),
    "Pad": (1, 3),
    "Reshape": (1,),
    "Resize": (3,),
    "Slice": (1, 2, 3, 4),
    "Split": (1,),
    "Squeeze": (1,),
    "Tile": (1,),
    "TopK": (1,),
    "Trilu": (1,),
    "Unsqueeze": (1,),
    **{f"Reduce{name}": (1,) for name in _REDUCTIONS},
}
"""Inputs of ONNX's own operators that say a shape, axes or counts, which no weight does."""
_SECOND = 1
"""Place of the matrix of weights among the inputs of MatMul and Gemm."""


IDENTITY = "Identity"


@dataclass(slots=True)
class Uses:
    """The uses of some values.

    Attributes:
        of: The values that are looked for, and other names that were found for them.
        operands: Those that give a node its shape, axes or counts.
        others: How many nodes use them for anything else.
        turned: Those that a product takes as (in, out); torch has such a matrix as (out, in).
        aliases: Other names of the values: what an Identity makes of one.
    """

    of: set[str] = field(default_factory=set)
    operands: set[str] = field(default_factory=set)
    others: Counter[str] = field(default_factory=Counter)
    turned: set[str] = field(default_factory=set)
    aliases: dict[str, str] = field(default_factory=dict)

    def add(self, operator: str, inputs: Sequence[str], *, transposed: bool) -> None:
        """Take a node.

        Args:
            operator: Its type; empty for one that is not ONNX's own.
            inputs: Names of what it takes.
            transposed: Whether it is a Gemm that transposes its second operand.
        """
        places = OPERANDS.get(operator, ())
        for index, name in enumerate(inputs):
            if name not in self.of:
                continue
            if index in places:
                self.operands.add(name)
            else:
                self.others[name] += 1
            if index == _SECOND and (operator == "MatMul" or (operator == "Gemm" and not transposed)):
                self.turned.add(name)

    def name(self, inputs: Sequence[str], outputs: Sequence[str]) -> bool:
        """Take an Identity of the outermost graph; whether it gives one of the values another name."""
        if len(inputs) != 1 or len(outputs) != 1 or inputs[0] not in self.of or outputs[0] in self.of:
            return False
        self.of.add(outputs[0])
        self.aliases[outputs[0]] = self.aliases.get(inputs[0], inputs[0])
        return True
