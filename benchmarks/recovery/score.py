"""Ask ckptkit which network each file of the zoo is, and compare with the truth."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import ckptkit
from benchmarks.recovery.case import Case
from benchmarks.recovery.header import write
from benchmarks.recovery.network import OPEN, PROVEN, WITHIN, Truth
from benchmarks.recovery.truth import among, equal
from benchmarks.recovery.variants import STRANGER
from ckptkit import recovery
from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.recovered import Field, Hints, Recovered, Status

GENERIC = "generic"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What ckptkit said of one file.

    Attributes:
        case: The file, without its tensors.
        family: Which family claimed it.
        wrong: Fields that are said to be proven and are not what the network was made with.
        inexact: Fields that the state dict tells, and that are not proven.
        outside: Fields whose truth is neither the value nor among the alternatives.
        candidates: For each field that the state dict leaves a set for, how many candidates there are.
        unexplained: Tensors named as unexplained, the stranger not counted.
        silent: Tensors that are neither in the graph nor named, or not at all named.
        accepted: Whether a file that no network of the family has was taken for one.
        open_questions: What keeps the graph from being made although the user has said everything.
        milliseconds: Processor time of `ckptkit.recover` on the file; None where it was not asked so.
    """

    case: Case
    family: str
    wrong: tuple[str, ...] = ()
    inexact: tuple[str, ...] = ()
    outside: tuple[str, ...] = ()
    candidates: tuple[int, ...] = ()
    unexplained: tuple[str, ...] = ()
    silent: tuple[str, ...] = ()
    accepted: bool = False
    open_questions: tuple[str, ...] = field(default=())
    milliseconds: float | None = None

    @property
    def failures(self) -> list[str]:
        """Return what is wrong with it, one line each."""
        words = {
            "proven and wrong": self.wrong,
            "not proven though told": self.inexact,
            "truth not among the candidates": self.outside,
            "unexplained": () if self.case.refused else self.unexplained,
            "not named": self.silent,
            "no graph": self.open_questions,
            "accepted": ("shape mutated",) if self.accepted else (),
        }
        if not self.case.refused and self.family != self.case.family:
            words["claimed by"] = (self.family or "nobody",)
        return [f"{word}: {', '.join(items[:4])}" for word, items in words.items() if items]


def score(case: Case, folder: Path) -> Outcome:
    """Write a file, ask ckptkit about it, and compare.

    Args:
        case: The file.
        folder: Where to write it.
    """
    path = folder / "weights.safetensors"
    write(case.header, path)
    checkpoint = opened(case, path)
    bare = recovery.recover(checkpoint, Hints())
    hinted = recovery.recover(checkpoint, hints(case))
    outcome = Outcome(
        case=replace(case, header={}),
        family=bare.family,
        silent=unnamed(case, bare) + unnamed(case, hinted),
        milliseconds=None if case.tied or case.beside else timed(path),
    )
    if case.refused:
        return replace(outcome, accepted=any(taken(case, found) for found in (bare, hinted)))
    rows = [row for found in (bare, hinted) for row in compared(case.truth, found.config)]
    told = [(name, grade, verdict) for name, grade, verdict in compared(case.truth, bare.config)]
    return replace(
        outcome,
        wrong=unique(name for name, _, verdict in rows if verdict == "wrong"),
        inexact=unique(name for name, grade, verdict in told if grade == PROVEN and verdict != "exact"),
        outside=unique(name for name, grade, verdict in rows if verdict == "outside" and grade != OPEN),
        candidates=tuple(
            len(candidates(bare.config[name]))
            for name, truth in case.truth.items()
            if truth.grade == WITHIN and name in bare.config
        ),
        unexplained=unique(n for found in (bare, hinted) for n in found.unexplained if n != STRANGER),
        open_questions=hinted.questions if hinted.graph is None and wired(case) else (),
    )


def wired(case: Case) -> bool:
    """Whether one who says what weights cannot tell has to get a graph."""
    return not case.stranger and case.family != GENERIC


def opened(case: Case, path: Path) -> Checkpoint:
    """Read the file; ties and entries that safetensors cannot say are put in afterwards."""
    checkpoint = ckptkit.read(path)
    tensors = dict(checkpoint.tensors)
    for name, entry in case.header.items():
        if entry.tied:
            tensors[name] = tensors[entry.tied]
    order = {name: tensors[name] for name in case.header}
    config = case.beside.get("model_config", {})
    rest = {name: value for name, value in case.beside.items() if name != "model_config"}
    return replace(checkpoint, tensors=order, model_config=config, training_info=rest)


def hints(case: Case) -> Hints:
    """Return what a user who knows the network says."""
    return Hints(case.input_shape, case.assume)


def timed(path: Path) -> float:
    """Return the milliseconds of processor time of the call that a user makes; it uses one thread."""
    start = time.process_time()
    ckptkit.recover(path)
    return (time.process_time() - start) * 1000


def taken(case: Case, found: Recovered) -> bool:
    """Whether a state dict that is no network of its kind was taken for one.

    The generic recoverer takes any; there the layer that contradicts itself must not pass for one.
    """
    if case.family != GENERIC:
        return found.graph is not None or found.family == case.family
    layers = [one for name, one in found.config.items() if name.startswith("modules.")]
    own = [one.status for one in layers if case.changed in one.evidence]
    return found.graph is not None or any(status is not Status.UNKNOWN for status in own)


def compared(truth: Mapping[str, Truth], config: Mapping[str, Field]) -> list[tuple[str, str, str]]:
    """Return for each field of the truth its name, its grade, and `exact`, `within`, `wrong` or `outside`."""
    return [(name, one.grade, verdict(one, config.get(name))) for name, one in truth.items()]


def verdict(truth: Truth, said: Field | None) -> str:
    """Return how one field compares with the truth."""
    if said is None:
        return "outside"
    if said.status is Status.PROVEN:
        return "exact" if equal(said.value, truth.value) else "wrong"
    return "within" if among(truth.value, candidates(said)) else "outside"


def candidates(said: Field) -> list[object]:
    """Return the values that a field may have: its own, unless it is open, and the alternatives."""
    is_open = said.value is None and said.status is not Status.ASSUMED
    return [*([] if is_open else [said.value]), *said.alternatives]


def unnamed(case: Case, found: Recovered) -> tuple[str, ...]:
    """Return tensors of which nothing is said: no layer of the graph owns them, no list names them.

    Without a graph only a file that nobody claims can be judged: then every tensor is unexplained.
    """
    if found.graph is None:
        named = {*found.unexplained, *(name for one in found.config.values() for name in one.evidence)}
        missing = [STRANGER] if case.stranger else []
        if found.family in ("", GENERIC):
            missing = list(case.header)
        return tuple(name for name in missing if name not in named)
    paths = {path for layer in found.graph.layers for path in (layer.name, *layer.aliases)}
    return tuple(
        name
        for name in case.header
        if name not in found.unexplained
        and not any(name == path or name.startswith(f"{path}.") for path in paths)
    )


def unique(names: object) -> tuple[str, ...]:
    """Return names once each, in order."""
    return tuple(dict.fromkeys(names))


def scored(cases: Sequence[Case], folder: Path) -> list[Outcome]:
    """Score files one after another."""
    return [score(case, folder) for case in cases]
