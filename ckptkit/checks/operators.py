"""CK117: operators of an ONNX graph that a runtime needs native code for."""

from ckptkit.checks import Rule
from ckptkit.checks.notes import check_notes
from ckptkit.model.finding import Severity

RULES = (
    Rule(
        "CK117",
        "custom-operator",
        Severity.WARNING,
        0,
        "An ONNX graph names operators that neither ONNX nor the file itself defines.",
        "An ONNX file holds no code. For an operator of another domain a runtime must be given a library, "
        "and that is code of whoever wrote it; `com.microsoft` is built into ONNX Runtime and into no other. "
        "The tensors are read all the same.",
        "Load no operator library that comes with a model from strangers. For another runtime, export the "
        "model with the operators of ONNX alone.",
        check=check_notes("CK117", Severity.WARNING),
    ),
)
