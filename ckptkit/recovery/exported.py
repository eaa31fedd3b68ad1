"""What the operators of an exported graph say against an activation that a profile assumes."""

from collections.abc import Mapping
from dataclasses import replace

from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.recovered import Recovered, Status

OPERATORS = "operators"
"""Field of `model_config` that has the operators of an ONNX graph, with their number."""
FIELDS = ("activation", "activation_fn")
ACTIVATIONS = {
    "ELU": ("Elu",),
    "GELU": ("Gelu", "Erf", "Tanh"),
    "LeakyReLU": ("LeakyRelu",),
    "ReLU": ("Relu",),
    "SELU": ("Selu",),
    "SiLU": ("Swish", "Sigmoid"),
    "Sigmoid": ("Sigmoid",),
    "Softplus": ("Softplus",),
    "Tanh": ("Tanh",),
}
"""What exporters make of each activation: any one of these operators."""
_KNOWN = frozenset(operator for made in ACTIVATIONS.values() for operator in made)


def held_to_graph(checkpoint: Checkpoint, found: Recovered) -> Recovered:
    """Return what was recovered, without its graph where the file has another activation than was assumed.

    An optimised graph, whose operators are not ONNX's alone, may have it inside another one and says nothing.
    """
    stated = checkpoint.model_config.get(OPERATORS)
    if found.graph is None or not isinstance(stated, Mapping) or any("::" in str(name) for name in stated):
        return found
    for name in FIELDS:
        field = found.config.get(name)
        made = ACTIVATIONS.get(str(field.value)) if field and field.status is Status.ASSUMED else None
        if field is not None and made and not any(operator in stated for operator in made):
            has = ", ".join(sorted(_KNOWN & stated.keys())) or "no activation"
            question = (
                f"which activation has it? {field.value} is assumed, and the graph that the file was "
                f"exported as has {has}"
            )
            return replace(found, graph=None, questions=(question, *found.questions))
    return found
