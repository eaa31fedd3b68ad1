"""Collect fields with what speaks for them, what was assumed, and which questions stay open."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from ckptkit.errors import ArchitectureError
from ckptkit.graph.shapes import infer, misfits
from ckptkit.model.architecture import Graph
from ckptkit.model.recovered import Field, Hints, Recovered, Status
from ckptkit.model.tensor import Tensor
from ckptkit.recovery.builder import GraphBuilder
from ckptkit.recovery.canonical import Canonical
from ckptkit.recovery.image_sizes import divisors

NAMED = 5
"""Tensors that a question names before it breaks off."""


class Findings:
    """What is known of one network while its family looks at it.

    Attributes:
        family: Id of the family.
        names: The state dict.
        hints: What the user vouches for.
        profile: The profile that applies; empty where neither file nor user names the system.
        config: Fields so far.
        questions: Open questions so far.
    """

    def __init__(self, family: str, names: Canonical, hints: Hints, *, named: bool) -> None:
        self.family = family
        self.names = names
        self.hints = hints
        self.profile = family if named or family in hints.assume else ""
        self.config: dict[str, Field] = {}
        self.questions: list[str] = []
        self._assumed: list[str] = []
        if names.prefix:
            self.prove("name_prefix", names.prefix, next(iter(names.source.values())))

    def prove(self, name: str, value: object, *evidence: str) -> None:
        """Record a value that the file states, or its shapes leave alone."""
        self.config[name] = Field(value, Status.PROVEN, evidence)

    def constrain(self, name: str, value: object, others: Sequence[object], *evidence: str) -> None:
        """Record a value beside all others that fit as well."""
        self.config[name] = Field(value, Status.CONSTRAINED, evidence, tuple(others))

    def unknown(self, name: str, others: Sequence[object] = ()) -> None:
        """Record that nothing says a value."""
        self.config[name] = Field(None, Status.UNKNOWN, (), tuple(others))

    def assume(self, name: str, value: object, others: Sequence[object] = (), word: str = "") -> None:
        """Record a value that the profile, or the user's own `word`, supplies."""
        word = word or f"profile {self.profile}"
        self.config[name] = Field(value, Status.ASSUMED, (word,), tuple(others))
        if value is not None:
            self._assumed.append(f"{name} = {_plain(value)} ({word})")

    def supply(self, name: str, value: object) -> None:
        """Record what the profile says of a field that no file holds; unknown where none applies."""
        if self.profile:
            self.assume(name, value)
        else:
            self.unknown(name)

    def flat_shape(self, size: int, evidence: str, otherwise: tuple[int, ...] = ()) -> tuple[int, ...]:
        """Record the field `input_shape` of a network that flattens observations, and return its value.

        Args:
            size: Numbers of an observation.
            evidence: The tensor that takes them.
            otherwise: Shape that the profile says; the flat one where left out.
        """
        others: list[object] = [[n, size // n] for n in divisors(size)]
        others.append({"product": size})
        given = self.hints.input_shape or (otherwise if self.profile else ()) or (size,)
        if self.hints.input_shape:
            self.assume("input_shape", list(given), (), "--input-shape")
        elif self.profile:
            self.assume("input_shape", list(given), others)
        else:
            self.constrain("input_shape", [size], others, evidence)
        if math.prod(given) != size or min(given) < 1:
            said = self.config["input_shape"].evidence[0]
            self.ask(
                f"which observation does it take? {said} says {_plain(given)}, and {evidence} takes {size} "
                f"numbers (give --input-shape {size})"
            )
        return given

    def ask(self, question: str) -> None:
        """Record a question without whose answer there is no graph."""
        self.questions.append(question)

    def note(self, line: str) -> None:
        """Record a line of what a profile supplied, or of what the outputs leave out."""
        self._assumed.append(line)

    def open(self, unexplained: tuple[str, ...]) -> Recovered:
        """Return what is known without a graph, with the questions that are open.

        Args:
            unexplained: Tensors that no relation of the family covers; they are a question.
        """
        if unexplained:
            more = " …" if len(unexplained) > NAMED else ""
            self.ask(f"what uses {', '.join(unexplained[:NAMED])}{more}? no {self.family} network has it")
        return Recovered(
            family=self.family,
            config=self.config,
            unexplained=unexplained,
            questions=tuple(self.questions),
            assumed=tuple(self._assumed),
        )

    def drawn(self, graph: Graph) -> Recovered:
        """Return what is known with `graph`, unless it does not fit its tensors exactly."""
        found, tensors = self.open(()), self._tensors()
        try:
            problems = [f"{name} {what}" for name, what in misfits(infer(graph), tensors)]
        except ArchitectureError as error:
            problems = [str(error)]
        if problems:
            return replace(found, questions=tuple(f"is it this network? {problem}" for problem in problems))
        return replace(found, graph=graph)

    def _tensors(self) -> dict[str, Tensor]:
        """Return the tensors under the file's own names."""
        return {own: self.names.tensors[name] for name, own in self.names.source.items()}

    def result(self, unexplained: tuple[str, ...], draw: Callable[[GraphBuilder], None]) -> Recovered:
        """Return what is known, with the graph where no question is open.

        Args:
            unexplained: Tensors that no relation of the family covers.
            draw: Adds the family's layers, inputs and outputs.
        """
        found = self.open(unexplained)
        if found.questions:
            return found
        builder = GraphBuilder(self._tensors())
        try:
            draw(builder)
        except ArchitectureError as error:
            return replace(found, questions=(f"is it this network? {error}",))
        return self.drawn(builder.graph())


def _plain(value: object) -> str:
    """Return a value as it is typed: 4,44,44 rather than a bracketed list."""
    if isinstance(value, dict):
        return " ".join(f"{name} {_plain(inner)}" for name, inner in value.items())
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
