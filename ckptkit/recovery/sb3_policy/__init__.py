"""Stable-Baselines3 and sb3-contrib policies of which only the state dict is left.

Names and shapes prove the networks, their sizes and what they share. The algorithm is one of a few
whose policies are the same network. What no tensor tells (activation, scaling of images, squashing)
comes from the table of defaults where somebody names profile `stable-baselines3`; a policy made with
other keywords has the very same tensors, so that even a zip without its `data` does not name it.
Outputs end at the raw heads where nothing says the action space.
"""

from ckptkit.errors import ArchitectureError
from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.recovered import Hints, Recovered
from ckptkit.recovery import Family, sb3
from ckptkit.recovery.canonical import canonical
from ckptkit.recovery.evidence import Findings
from ckptkit.recovery.relations import Misfit, UnlikeError, fits
from ckptkit.recovery.sb3_policy import drawing, fields, naming
from ckptkit.recovery.sb3_policy.acting import act
from ckptkit.recovery.sb3_policy.observing import observe
from ckptkit.recovery.sb3_policy.reading import Reading, read

NAME = "sb3-policy"
PROFILES = ("stable-baselines3", "rl-snake", "tetris")
"""Profiles that supply the defaults of Stable-Baselines3, the plainest first."""


def why_not(checkpoint: Checkpoint) -> Misfit | None:
    """Return the first relation that keeps a checkpoint from being of this family; None where all hold."""
    if sb3.claims(checkpoint):
        return Misfit("", "the file's own data says which policy it is")
    try:
        read(checkpoint)
    except UnlikeError as error:
        return error.explained(canonical(checkpoint.tensors))
    return None


def claims(checkpoint: Checkpoint) -> bool:
    """Whether all relations of the family hold, and no `data` says more than they do."""
    return not sb3.claims(checkpoint) and fits(lambda: read(checkpoint))


def recover(checkpoint: Checkpoint, hints: Hints) -> Recovered:
    """Return the architecture of a checkpoint that the family claims."""
    reading = read(checkpoint)
    findings = Findings(NAME, reading.names, hints, named=False)
    findings.profile = next((name for name in _profiles(reading) if name in hints.assume), "")
    fields.told(reading, findings)
    if not findings.profile:
        findings.ask(
            "which activations has it? names and shapes are those of a Stable-Baselines3 policy, and no "
            "tensor tells what else it was made with (give --assume stable-baselines3 to take its defaults)"
        )
    said = drawing.words(checkpoint, reading.extractor, observe(reading, findings), act(reading, findings))
    fields.untold(reading, findings, said)
    open_ = findings.open(reading.unexplained)
    if open_.questions:
        return open_
    try:
        drawn = drawing.draw(checkpoint, reading.algorithm, reading.tensors, said)
    except ArchitectureError as error:
        findings.ask(error.what)
        return findings.open(())
    fields.supplied(drawn, findings)
    return findings.drawn(naming.renamed(drawn.graph, reading.names))


def _profiles(reading: Reading) -> tuple[str, ...]:
    return PROFILES if reading.algorithm == "DQN" else PROFILES[:2]


FAMILY = Family(NAME, claims, recover, why_not)
