"""Measure how far ONNX Runtime's outputs are from those that a network must give."""

from pathlib import Path

from ckptkit.checks.differing import Recorded, compare, differs, largest
from ckptkit.errors import ParityError
from ckptkit.graph.evaluation import by_runtime
from ckptkit.model.results import Parity

ACTION = "action"


def measure(model: bytes | Path, expected: Recorded, evaluator: str) -> Parity:
    """Run a model in ONNX Runtime and compare.

    Args:
        model: A self-contained model, or the path of one beside its external data.
        expected: Inputs, outputs and tolerance.
        evaluator: What computed the outputs.

    Raises:
        ParityError: An output differs by more than the tolerance.
        ArchitectureError: ONNX Runtime refuses the model.
    """
    got = by_runtime(model if isinstance(model, bytes) else model.resolve(), expected.inputs)
    for difference in compare(got, expected):
        raise ParityError(
            f"{difference}: ONNX Runtime against {evaluator}; nothing was written",
            fix="please report it with the checkpoint's architecture",
        )
    floats = [name for name, value in expected.outputs.items() if value.dtype.kind == "f"]
    actions = None
    if ACTION in expected.outputs:
        apart = differs(got[ACTION], expected.outputs[ACTION], expected)
        actions = int((~apart.reshape(len(apart), -1).any(axis=1)).sum())
    return Parity(
        evaluator=evaluator,
        observations=len(next(iter(expected.outputs.values()))),
        largest=max((largest(got[name], expected.outputs[name]) for name in floats), default=0.0),
        limit=expected.absolute,
        actions=actions,
    )
