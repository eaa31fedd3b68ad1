"""The board: weights count its squares, and do not say how they lie."""

from ckptkit.recovery.evidence import Findings
from ckptkit.recovery.keisei.reading import SQUARES, Reading

FIELD = "board"
SHOGI = (9, 9)


def board(reading: Reading, findings: Findings) -> tuple[int, int]:
    """Record the field `board` and return its height and width."""
    weight = reading.names.source[f"{reading.last}.weight"]
    shape = findings.hints.input_shape
    all_boards = [(h, SQUARES // h) for h in range(1, SQUARES + 1) if SQUARES % h == 0]
    others = sorted(all_boards, key=lambda sides: (abs(sides[0] - sides[1]), sides))
    if shape is not None and (shape[:1] != (reading.planes,) or shape[1:] not in others):
        words = f"--input-shape says {','.join(map(str, shape))}"
        findings.ask(
            f"which board does it take? {words}, and its weights {reading.planes} planes of {SQUARES} squares"
        )
    elif shape is not None:
        findings.assume(FIELD, list(shape[1:]), (), "--input-shape")
        return shape[1], shape[2]
    if findings.profile:
        findings.assume(FIELD, list(SHOGI), [list(sides) for sides in others if sides != SHOGI])
    else:
        findings.constrain(FIELD, None, [list(sides) for sides in others], weight)
    return SHOGI
