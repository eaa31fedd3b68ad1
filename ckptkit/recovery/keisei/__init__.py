"""Keisei Shogi: the residual tower, and the older network of one convolution.

The tower comes with or without squeeze-and-excitation. Weights prove every width, the
depth and the number of planes and actions. They say that the board has 81 squares, and not that it is
9x9; that, padding and activations are the word of profile `keisei`.
"""

from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.recovered import Hints, Recovered
from ckptkit.recovery import Family
from ckptkit.recovery.canonical import COMPILED, canonical
from ckptkit.recovery.evidence import Findings
from ckptkit.recovery.keisei import board, eras, network
from ckptkit.recovery.keisei.ratio import interval, simplest
from ckptkit.recovery.keisei.reading import TowerReading, read
from ckptkit.recovery.relations import Misfit, UnlikeError, fits

NAME = "keisei"


def why_not(checkpoint: Checkpoint) -> Misfit | None:
    """Return the first relation that keeps a checkpoint from being of this family; None where all hold."""
    names = canonical(checkpoint.tensors)
    try:
        read(names)
    except UnlikeError as error:
        return error.explained(names)
    return None


def claims(checkpoint: Checkpoint) -> bool:
    """Whether all relations of the family hold."""
    return fits(lambda: read(canonical(checkpoint.tensors)))


def recover(checkpoint: Checkpoint, hints: Hints) -> Recovered:
    """Return the architecture of a checkpoint that the family claims."""
    reading = read(canonical(checkpoint.tensors))
    findings = Findings(NAME, reading.names, hints, named=eras.names_system(checkpoint))
    source = reading.names.source
    findings.prove("input_channels", reading.planes, source[f"{reading.first}.weight"])
    findings.prove("num_actions_total", reading.actions, source[f"{reading.last}.weight"])
    if isinstance(reading, TowerReading):
        _tower(reading, findings)
    eras.record(checkpoint, reading, findings)
    compiled = [own for own in source.values() if COMPILED in own.split(".")]
    findings.prove("compiled_prefix", bool(compiled), *(compiled[:1] or [f"no name has {COMPILED}"]))
    sides = board.board(reading, findings)
    findings.supply("conv_padding", 1)
    findings.supply("activation", "ReLU")
    if not findings.profile:
        findings.ask(
            "which activations and padding has it? no file names the system that made it (give --assume "
            "keisei to take that system's, with its board of 9x9)"
        )
        findings.questions.sort(key=lambda question: "--assume" not in question)
    return findings.result(reading.unexplained, lambda builder: network.draw(builder, reading, sides))


def _tower(reading: TowerReading, findings: Findings) -> None:
    source = reading.names.source
    findings.prove("tower_width", reading.width, source["stem.weight"])
    blocks = [source[f"res_blocks.{index}.conv1.weight"] for index in range(reading.depth)]
    findings.prove("tower_depth", reading.depth, *blocks)
    if not reading.depth:
        findings.unknown("se_ratio")
    elif not reading.squeezed:
        findings.constrain("se_ratio", 0.0, [None], "there are no se layers")
    else:
        evidence = source["res_blocks.0.se.fc1.weight"]
        findings.constrain(
            "se_ratio",
            simplest(reading.squeezed, reading.width),
            [interval(reading.squeezed, reading.width)],
            evidence,
            "hidden width = max(1, int(width * se_ratio))",
        )


FAMILY = Family(NAME, claims, recover, why_not)
