"""Two networks that fit the same tensors, and where they differ."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Counterexample:
    """Two networks that load the same tensors, and an input on which they differ, for one open field.

    Attributes:
        name: Name of the field.
        first: Its value in one network.
        second: Its value in the other.
        question: What settles it.
        inputs: Inputs that were tried.
        evaluator: What computed the outputs: `torch` or `onnx.reference`.
        output: The output that differs; empty where none was found to.
        largest: Largest difference of that output; infinite where its shapes differ; None where none was
            found.
        seed: Of the inputs.
        row: Which of that seed's inputs it is.
        shapes: Shape of each input, without the batch.
        input: The input by name; None for one that is too large to write out.
        outputs: What each network gives; None where too large.
    """

    name: str
    first: str
    second: str
    question: str
    inputs: int
    evaluator: str
    output: str = ""
    largest: float | None = None
    seed: int = 0
    row: int = 0
    shapes: Mapping[str, object] = field(default_factory=dict)
    input: Mapping[str, object] = field(default_factory=dict)
    outputs: tuple[object, ...] = ()
