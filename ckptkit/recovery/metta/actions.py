"""Which actions a network's scores are of, and what they are called."""

from ckptkit.model.checkpoint import Checkpoint
from ckptkit.recovery.evidence import Findings
from ckptkit.recovery.metta.described import NAMES, action_names
from ckptkit.recovery.metta.reading import EMBEDDING, INDICES, Reading

COUNT, ACTIVE = "n_actions", "active_indices"


def named(checkpoint: Checkpoint, count: int | None, findings: Findings) -> None:
    """Record `action_names`, which no tensor holds.

    Args:
        checkpoint: What was read.
        count: Number of actions; None where the tensors do not say.
        findings: What is known so far.
    """
    lists = action_names(checkpoint)
    distinct: list[list[str]] = []
    for names in lists.values():
        distinct += [names] if names not in distinct else []
    if len(distinct) == 1 and count in (None, len(distinct[0])):
        findings.prove(NAMES, distinct[0], *lists)
    else:
        findings.unknown(NAMES, distinct)


def actions(reading: Reading, checkpoint: Checkpoint, findings: Findings) -> None:
    """Record the actions of a brain: which of its embeddings they are, how many, and their names."""
    head = reading.head
    if head is None:
        _without_head(checkpoint, findings)
        return
    weight = reading.own(f"{EMBEDDING}.weight")
    findings.prove("_action_embeds_.num_embeddings", head.rows, weight)
    findings.prove("_action_embeds_.embedding_dim", head.width, weight)
    if head.active is not None:
        own = reading.own(INDICES)
        findings.prove(ACTIVE, list(head.active), own)
        findings.prove(COUNT, len(head.active), own)
        named(checkpoint, len(head.active), findings)
        return
    findings.unknown(COUNT, sorted({len(names) for names in action_names(checkpoint).values()}))
    named(checkpoint, None, findings)
    if findings.family in findings.hints.assume:
        findings.assume(ACTIVE, "all")
        return
    findings.unknown(ACTIVE)
    empty = INDICES in reading.names.tensors
    there = f"{reading.own(INDICES)} is empty" if empty else f"there is no {INDICES}"
    findings.ask(
        f"which of the {head.rows} embeddings are actions? {there}, and the environment chooses them "
        "(give --assume metta for the scores of all, without a choice)"
    )


def _without_head(checkpoint: Checkpoint, findings: Findings) -> None:
    findings.prove("_action_", None, "there is no _action_.W")
    lists = action_names(checkpoint)
    counts = sorted({len(names) for names in lists.values()})
    if len(counts) == 1:
        findings.constrain(COUNT, counts[0], (), *lists)
    else:
        findings.unknown(COUNT, counts)
    named(checkpoint, None, findings)
