"""Which era of Keisei wrote a checkpoint: each added entries to the dict around the network."""

from collections.abc import Mapping

from ckptkit.model.checkpoint import Checkpoint
from ckptkit.recovery.evidence import Findings
from ckptkit.recovery.keisei.reading import OldReading, Reading

ERAS = (
    ("epochs", frozenset(["epoch", "step", "world_size"])),
    ("E5", frozenset(["elo_state"])),
    ("E5", frozenset(["metrics_history"])),
    ("E4", frozenset(["lr_schedule_type"])),
    ("E3", frozenset(["black_wins", "white_wins", "draws"])),
    ("E2", frozenset(["global_timestep", "total_episodes_completed"])),
    ("E1", frozenset(["optimizer_state_dict"])),
)
"""Entries that an era has and those before it lack, newest first."""
OWN = frozenset(["black_wins", "white_wins", "draws"])
"""Entries that together no other system is known to have: they name Keisei."""
OLD = "actor_critic"


def entries(checkpoint: Checkpoint) -> frozenset[str]:
    """Return the names of the entries beside the network."""
    trees = (checkpoint.training_info, checkpoint.model_config, checkpoint.training_state)
    found = {str(key) for tree in trees if isinstance(tree, Mapping) for key in tree}
    return frozenset(found | {dropped.path for dropped in checkpoint.dropped})


def names_system(checkpoint: Checkpoint) -> bool:
    """Whether the file's own entries name the system."""
    return entries(checkpoint) >= OWN


def record(checkpoint: Checkpoint, reading: Reading, findings: Findings) -> None:
    """Record the field `era`; a file of weights alone does not say it."""
    if isinstance(reading, OldReading):
        findings.prove("era", OLD, reading.names.source["conv.weight"])
        return
    known = entries(checkpoint)
    for era, keys in ERAS:
        if known >= keys:
            findings.prove("era", era, *sorted(keys))
            return
    findings.unknown("era", list(dict.fromkeys(era for era, _ in ERAS)))
