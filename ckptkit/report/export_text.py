"""What `export onnx` did, as text."""

from collections.abc import Iterator

from ckptkit.model.results import Export, Parity
from ckptkit.report.styled import Line, line
from ckptkit.report.words import plural, size

LABEL = 10
WEIGHTS = "model.safetensors"


def lines(done: Export) -> Iterator[Line]:
    """Yield one line a step: exported, parity, assumed, notes, wrote."""
    weights = f"weights shared with {WEIGHTS}" if done.shared else "weights inside"
    more = " · VecNormalize folded in" if done.normalized else ""
    yield _step("exported", f"opset {done.opset} · outputs {', '.join(done.outputs)} · {weights}{more}")
    if done.parity is not None:
        yield _step("parity", _parity(done.parity), "good")
    for assumed in done.assumed:
        yield _step("assumed", assumed)
    for note in done.notes:
        label = "parity" if note.kind == "parity" else "note"
        yield _step(label, f"{note.location}: {note.message}" if note.location else note.message)
    yield _step("wrote", _wrote(done))
    yield _step("content", f"sha256 {done.content_digest}")


def _step(label: str, text: str, style: str = "") -> Line:
    return line((f"{label:<{LABEL}}", "dim"), (text, style))


def _parity(parity: Parity) -> str:
    count = plural(parity.observations, "observation")
    text = f"{count} · max |Δ| {parity.largest:.1e} (limit {parity.limit:.0e} absolute or relative)"
    if parity.actions is not None:
        text += f" · actions equal {parity.actions}/{parity.observations}"
    return f"{text} · against {parity.evaluator}"


def _wrote(done: Export) -> str:
    if done.dry_run:
        return f"nothing: a dry run; {done.target} is as it was"
    total = size(sum(count for _, count, _ in done.files))
    if done.shared:
        return f"{', '.join(path for path, _, _ in done.files)} in {done.target} · {total}"
    return f"{done.target} · {total}"
