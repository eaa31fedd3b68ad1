"""CK107, CK109, CK112, CK113, CK116, CK117: what readers noticed and left for the checks to weigh."""

from collections.abc import Callable, Iterator

from ckptkit.checks import Rule
from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.finding import Finding, Severity

PLACED_NOTES = {
    "custom-operator": "CK117",
    "partial-sharing": "CK107",
    "stray-sidecar": "CK109",
    "stray-statistics": "CK109",
    "lost-data": "CK113",
    "no-model": "CK113",
    "unread": "CK113",
    "unfinished": "CK116",
}
"""Kinds of `Note` that have a rule of their own; all others are CK112."""
TOLD_ELSEWHERE = frozenset({"undecodable"})
"""Kinds of notes whose fact another rule reports: CK213 for a tree that does not decode."""


def check_notes(code: str, severity: Severity) -> Callable[[Checkpoint], Iterator[Finding]]:
    """Return a check that reports the reader's notes that belong to rule `code`."""

    def check(checkpoint: Checkpoint) -> Iterator[Finding]:
        for note in checkpoint.notes:
            if note.kind not in TOLD_ELSEWHERE and PLACED_NOTES.get(note.kind, "CK112") == code:
                yield Finding(code, severity, note.message, checkpoint.path, note.location)

    return check


RULES = (
    Rule(
        "CK107",
        "partial-sharing",
        Severity.WARNING,
        0,
        "Tensors overlap in one storage without being the same view of it.",
        "Tensors that are exactly the same view stay one in a bundle (an alias). Where they share only "
        "some bytes, a bundle stores each in full: values are equal, but a later in-place update of "
        "one no longer reaches the other, and the bundle is larger.",
        "Nothing, for inference. For training on, tie the tensors again after loading.",
        check=check_notes("CK107", Severity.WARNING),
    ),
    Rule(
        "CK109",
        "stray-sidecar",
        Severity.WARNING,
        0,
        "A file beside the checkpoint looks as if it belonged to it, and does not fit it.",
        "A sidecar from another run describes another network. It is left out of the reading, and the "
        "warning says which file and why.",
        "Move the file away, or put the right one in its place.",
        check=check_notes("CK109", Severity.WARNING),
    ),
    Rule(
        "CK112",
        "reader-note",
        Severity.INFO,
        0,
        "The reader met a fact that changes nothing in the weights and is worth knowing.",
        "Readers leave nothing out in silence: an entry that no field of a bundle stands for, or a detail "
        "of the container that another program may trip over, is mentioned.",
        "Nothing, as a rule; the message says what it is about.",
        check=check_notes("CK112", Severity.INFO),
    ),
    Rule(
        "CK113",
        "incomplete-content",
        Severity.WARNING,
        0,
        "A part that a checkpoint of this format usually has is missing or could not be read.",
        "The rest is sound, and conversion carries what is there. What is missing (the description of the "
        "spaces, say, or the weights of the network beside an optimizer's state) has to come from elsewhere.",
        "See whether the file was made by stripping another one, and convert that one if it still exists.",
        check=check_notes("CK113", Severity.WARNING),
    ),
    Rule(
        "CK116",
        "unfinished-replacement",
        Severity.ERROR,
        0,
        "Files that replace this checkpoint and what belongs to it are not all in their places.",
        "An agent with statistics or a features extractor is several files beside each other. They take "
        "their places one after the other, so a run that is killed in between leaves new files beside old "
        "ones; the rest waits in a hidden folder, `.NAME.ckptkit-set`.",
        "Wait, if ckptkit is writing there now. Else give its command again: whatever ckptkit writes into "
        "the folder next finishes what was begun. Only where one of the files was changed since, all stays "
        "as it is: convert the source again with `--force`, or remove the hidden folder.",
        check=check_notes("CK116", Severity.ERROR),
    ),
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
