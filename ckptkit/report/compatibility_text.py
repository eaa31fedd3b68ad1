"""How far a checkpoint fits, as text."""

from collections.abc import Iterator

from ckptkit.model.compatibility import Compatibility, Fit
from ckptkit.report.styled import Line, line

STYLES = {Fit.FULL: "good", Fit.PARTIAL: "warn", Fit.NONE: "bad"}
WORDS = {Fit.FULL: "note", Fit.PARTIAL: "misfit", Fit.NONE: "breaks"}
LABEL = 9


def lines(found: Compatibility) -> Iterator[Line]:
    """Yield the verdict, each reason, what lies beside, and the ways out."""
    yield line((found.path, "name"), f" against {found.against}: ", (str(found.fit), STYLES[found.fit]))
    for reason in found.reasons:
        label = f"{WORDS[reason.fit]:<{LABEL}}"
        yield line((label, STYLES[reason.fit]), f"{reason.aspect} · {reason.place}: {reason.message}")
    yield line(
        (f"{'compared':<{LABEL}}", "dim"), ", ".join(found.compared) or "nothing: neither side says enough"
    )
    for name in found.beside:
        yield line((f"{'beside':<{LABEL}}", "dim"), name)
    for way in found.ways:
        yield line((f"{'way out':<{LABEL}}", "note"), way)
