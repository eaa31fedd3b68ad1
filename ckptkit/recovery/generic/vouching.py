"""Fields that only the user's word settles, and the questions that ask for it."""

from collections.abc import Mapping

from ckptkit.errors import ArchitectureError
from ckptkit.recovery.builder import GraphBuilder
from ckptkit.recovery.evidence import Findings
from ckptkit.recovery.generic import drawing, geometry
from ckptkit.recovery.generic.chain import Chain, plain
from ckptkit.recovery.generic.drawing import Settled
from ckptkit.recovery.generic.geometry import Steps
from ckptkit.recovery.generic.widths import gives, takes
from ckptkit.recovery.profiles import ACTIVATIONS

UNPADDED = "unpadded"
DUELING = "dueling"
C51 = "c51"


def settle(findings: Findings, found: Chain) -> Settled:
    """Record what the user vouches for of a chain, and ask for the rest."""
    activation = _activation(findings, found)
    steps = _steps(findings, found) if found.convolutions else ()
    shape = _input_shape(findings, found)
    return Settled(activation, shape, steps, _atoms(findings, found))


def check(findings: Findings, found: Chain) -> None:
    """Ask what no profile answers: places that are not one activation, heads of a form that none has."""
    for line in drawing.disordered(found):
        findings.ask(f"which comes first, {line}? the file has them the other way than their names count")
    for line in drawing.crowded(found):
        findings.ask(
            f"what stands in a Sequential with {line}? a profile puts one activation between each two"
        )
    try:
        drawing.buildable(found)
    except ArchitectureError as error:
        findings.ask(f"how is it drawn? {error}")


def _activation(findings: Findings, found: Chain) -> str:
    given = [name for name in ACTIVATIONS if name in findings.hints.assume]
    if len(given) == 1:
        layers = dict.fromkeys(one.group.path for line in found.lines for one in line)
        findings.assume("layers", list(layers), word=f"profile {given[0]}: in the order of the file")
        findings.assume("activation", ACTIVATIONS[given[0]], word=f"profile {given[0]}")
        return ACTIVATIONS[given[0]]
    findings.unknown("activation", list(ACTIVATIONS.values()))
    if given:
        findings.ask(f"which activation is it? --assume names {' and '.join(given)}")
    else:
        count = len(found.convolutions) + len(found.linear) + sum(map(len, found.heads))
        findings.ask(
            f"is it a plain chain, and what stands between its {count} layers? no tensor says (give --assume "
            f"{' or --assume '.join(ACTIVATIONS)})"
        )
    return ""


def _input_shape(findings: Findings, found: Chain) -> tuple[int, ...]:
    first, given = (found.convolutions or (found.first_linear,))[0], findings.hints.input_shape
    evidence = findings.names.source[first.group.name(next(iter(first.group.leaves)))]
    if not found.convolutions:
        return findings.flat_shape(takes(plain(first)) or 0, evidence)
    if given is not None:
        findings.assume("input_shape", list(given), word="--input-shape")
        return given
    runs = list(geometry.images(found.kernels, found.places))
    findings.unknown("input_shape", runs)
    channels = takes(plain(first))
    if runs:
        axes = geometry.AXES[len(found.kernels[0])]
        sizes = ",".join(str(run[0]) for run in (runs[0][axis] for axis in axes) if isinstance(run, list))
        findings.ask(
            f"which image does it take? strides, padding and size together bring it to {found.places} places "
            f"(give --input-shape {channels},{sizes} or what it was)"
        )
    return ()


def _steps(findings: Findings, found: Chain) -> Steps:
    """Record the ways to bring the image down, and return the one that profile `unpadded` leaves."""
    shape, channels = findings.hints.input_shape, takes(plain(found.convolutions[0]))
    if shape is None:
        return ()
    if len(shape) != len(found.kernels[0]) + 1 or shape[0] != channels:
        axes = ",".join("HWD"[: len(found.kernels[0])])
        findings.ask(
            f"which image does it take? its first layer takes {channels} channels "
            f"(give --input-shape {channels},{axes})"
        )
        return ()
    if len(found.kernels) > geometry.MOST_LAYERS:
        findings.ask(f"which strides has it? {len(found.kernels)} convolutions are more than are searched")
        return ()
    ways = geometry.solve(shape[1:], found.kernels, found.places)
    findings.unknown("geometry", [geometry.as_json(steps) for steps in ways.found])
    fits = geometry.unpadded_ways(shape[1:], found.kernels, found.places)
    if UNPADDED in findings.hints.assume and len(fits.found) == 1 and not fits.cut:
        word = f"profile {UNPADDED}: {geometry.RULE}"
        for name, value in geometry.as_json(fits.found[0]).items():
            findings.assume(f"conv_{name}", value, word=word)
        return fits.found[0]
    _ask_steps(findings, found, len(ways.found), len(fits.found))
    return ()


def _ask_steps(findings: Findings, found: Chain, ways: int, fits: int) -> None:
    shape = ",".join(map(str, findings.hints.input_shape or ()))
    if not ways:
        findings.ask(
            f"how does {shape} come to {found.places} places? no strides, paddings and poolings do it"
        )
    elif fits == 1:
        findings.ask(
            f"which strides and padding has it? {ways} ways or more fit, one of them by the rule "
            f"{geometry.RULE} (give --assume {UNPADDED})"
        )
    else:
        findings.ask(
            f"which strides and padding has it? {ways} ways or more fit, {fits} of them by the rule "
            f"{geometry.RULE}, and no flag names one"
        )


def _atoms(findings: Findings, found: Chain) -> int:
    """Return the atoms of each action, and ask for what heads and atoms stand for."""
    field = findings.config.get("support")
    held = field.value if field is not None and isinstance(field.value, Mapping) else {}
    atoms = int(str(held.get("n_atoms", 0))) if found.support else 0
    ends = [gives(plain(line[-1])) or 0 for line in (found.heads or (found.linear,))]
    if found.support and (not atoms or ends[-1] % atoms or C51 not in findings.hints.assume):
        flag = f" (give --assume {C51})" if atoms and ends[-1] % atoms == 0 else ""
        findings.ask(f"are the {ends[-1]} rows actions times {atoms} atoms, with a softmax over each?{flag}")
    elif found.support:
        findings.assume("distributional", True, word=f"profile {C51}")
    if found.heads and (ends[0] != (atoms or 1) or DUELING not in findings.hints.assume):
        flag = f" (give --assume {DUELING})" if ends[0] == (atoms or 1) else ""
        findings.ask(f"do two heads of {ends[0]} and {ends[1]} rows make Q = V + A - mean of A?{flag}")
    elif found.heads:
        findings.assume("dueling", "V + A - mean of A", word=f"profile {DUELING}")
    return atoms


def draw(findings: Findings, builder: GraphBuilder, found: Chain, settled: Settled) -> None:
    """Add the chain's layers to the graph."""
    drawing.draw(builder, findings.names, found, settled)
