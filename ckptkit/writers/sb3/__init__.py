"""Stable-Baselines3's own zip, in the form of today's release, from an agent of any release."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ckptkit.digest import Leaf, content_digest
from ckptkit.errors import IntegrityError, NotExportableError
from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.inert import ClassRef
from ckptkit.model.manifest import MODEL, TRAINING
from ckptkit.model.results import Altered, Written
from ckptkit.storage.atomic import new_directory, new_files
from ckptkit.storage.output import Output, create
from ckptkit.version import __version__
from ckptkit.writers import Writer
from ckptkit.writers.origin import refuse_changed, sources
from ckptkit.writers.sb3 import data, fields, optimizers, policy, sidecars, weights
from ckptkit.writers.sb3.archive import Archive, torch_member
from ckptkit.writers.sb3.changes import Changes
from ckptkit.writers.sb3.object_pickle import NAMES, references

_SYSTEM = "stable-baselines3"


@dataclass(frozen=True, slots=True)
class Agent:
    """An agent in today's form, before a byte is written.

    Attributes:
        fields: Everything that `data` holds.
        weights: The policy's state dict.
        members: Trees of the other `.pth` members, by name without the suffix.
        sidecars: Contents of the files beside the zip, by path relative to its folder.
        changes: What was altered on the way.
    """

    fields: Mapping[str, object]
    weights: weights.Weights
    members: Mapping[str, object]
    sidecars: Mapping[str, bytes]
    changes: Changes


def agent(checkpoint: Checkpoint, target: Path) -> Agent:
    """Return what will be written for a checkpoint.

    Args:
        checkpoint: An SB3 zip, or a bundle made from one.
        target: Where the result shall be; its name decides where statistics go.

    Raises:
        NotExportableError: It is no SB3 agent, or one that today's SB3 cannot express.
        TargetExistsError: As `sidecars.refuse_strays`.
    """
    algorithm, named = _claims(checkpoint)
    changes = Changes()
    renamed = weights.rename(checkpoint.tensors, algorithm, changes)
    _refuse_lost(renamed, checkpoint)
    named = policy.policy_class(named, changes)
    given = checkpoint.model_config.get("policy_kwargs")
    kwargs = policy.policy_kwargs(algorithm, named, given, renamed, changes)
    training = checkpoint.training_state if isinstance(checkpoint.training_state, Mapping) else {}
    rates = optimizers.learning_rates(training)
    source = data.Source(algorithm, data.said(checkpoint), checkpoint.spaces, named, kwargs, rates, changes)
    made = data.build(source)
    members = optimizers.members(algorithm, training, renamed, made, changes)
    beside = sidecars.files(checkpoint, target.stem, changes)
    if _is_zip(target):
        sidecars.refuse_strays(target, beside)
    _tell(algorithm, checkpoint, made, changes)
    return Agent(made, renamed, members, beside, changes)


def _is_zip(target: Path) -> bool:
    """Whether a zip is to be written, and no folder of the agent's name."""
    return target.suffix.lower() == ".zip"


def _claims(checkpoint: Checkpoint) -> tuple[str, ClassRef]:
    config = checkpoint.model_config
    if config.get("system") != _SYSTEM:
        what = f"a {checkpoint.format} checkpoint is no Stable-Baselines3 agent"
        raise NotExportableError(
            what, where=checkpoint.path, fix="--to v2 and --to deploy take any checkpoint"
        )
    algorithm, named = config.get("algorithm"), config.get("policy_class")
    if algorithm not in fields.ALGORITHMS or not isinstance(named, ClassRef):
        what = f"the policy class {named or '(none)'} does not tell which algorithm's `load` it is for"
        raise NotExportableError(what, where=checkpoint.path)
    return str(algorithm), named


def _refuse_lost(renamed: weights.Weights, checkpoint: Checkpoint) -> None:
    """Refuse weights that no network of today's SB3 has a place for."""
    lost = [name for name in renamed.tensors if name.startswith("sde_features_extractor.")]
    if lost:
        what = f"{lost[0]} is of a separate exploration network, which SB3 has no longer"
        raise NotExportableError(what, where=checkpoint.path)


def _tell(algorithm: str, checkpoint: Checkpoint, made: Mapping[str, object], changes: Changes) -> None:
    """Note what the user of the zip has to know."""
    changes.change(f"spaces: written as gymnasium's; opens with {algorithm}.load of SB3 {fields.VERSION}")
    before = checkpoint.training_info.get("sb3_version")
    if before != fields.VERSION:
        changes.change(f"version: {fields.VERSION}, was {before or 'not stated'}")
    _tell_goals(checkpoint, changes)
    for named in references(list(made.values())):
        if not NAMES.fullmatch(f"{named.module}:{named.name}"):
            package = named.module.partition(".")[0]
            needs = f"the package {package!r} must be importable to load"
            if package == "__main__":
                needs = f"the script that loads it must define {named.name} itself"
            message = f"{named} is named and not carried: {needs}"
            changes.note("needs-package", message, "data:policy_kwargs")


def _tell_goals(checkpoint: Checkpoint, changes: Changes) -> None:
    """Note how an agent of HER before 1.1, whose class wrapped another, is given its goals."""
    space = checkpoint.spaces.get("observation")
    if "model_class" in data.said(checkpoint) and isinstance(space, Mapping) and space.get("type") == "Box":
        message = (
            "trained by HER before SB3 1.1: the policy takes one vector, the observation with the "
            "desired goal behind it, and no dictionary"
        )
        changes.note("goals", message, "data:observation_space")


def alters(checkpoint: Checkpoint, target: Path) -> Altered:
    """Return what the zip has otherwise than the source, or not at all.

    Raises:
        NotExportableError: As `agent`.
    """
    changes = agent(checkpoint, target).changes
    return Altered(
        changed=tuple(changes.changed),
        dropped=tuple(changes.dropped),
        assumed=tuple(changes.assumed),
        notes=tuple(changes.notes),
    )


def write(checkpoint: Checkpoint, target: Path, force: bool) -> Written:
    """Write the zip, and beside it what belongs to it.

    Args:
        checkpoint: An SB3 agent.
        target: `NAME.zip`; any other name is a directory NAME that will hold `NAME.zip`.
        force: Whether files that stand there are replaced.

    Raises:
        NotExportableError: It is no SB3 agent, or one that today's SB3 cannot express.
        IntegrityError: A tensor's bytes differ from what the source records.
        CkptkitError: As `new_files` and `new_directory`.
    """
    made = agent(checkpoint, target)
    if _is_zip(target):
        return _write_files(checkpoint, made, target, force)
    with new_directory(target, force=force, why_not=why_not, sources=sources(checkpoint)) as folder:
        files = []
        for path, contents in made.sidecars.items():
            place = folder.joinpath(*path.split("/"))
            place.parent.mkdir(exist_ok=True)
            with create(place) as output:
                output.write(contents)
            files.append(_listed(path, contents))
        with create(folder / f"{target.name}.zip") as output:
            written = _write_zip(checkpoint, made, output)
            files.insert(0, (f"{target.name}.zip", output.size, output.sha256()))
    return _report(made, target, files, written)


def _write_files(checkpoint: Checkpoint, made: Agent, target: Path, force: bool) -> Written:
    """Write the zip and the files beside it."""
    files = []
    with new_files(target, [*made.sidecars], force=force, sources=sources(checkpoint)) as outputs:
        for path, contents in made.sidecars.items():
            outputs[path].write(contents)
            files.append(_listed(path, contents))
        output = outputs[target.name]
        written = _write_zip(checkpoint, made, output)
        files.insert(0, (target.name, output.size, output.sha256()))
    return _report(made, target, files, written)


def _listed(path: str, contents: bytes) -> tuple[str, int, str]:
    return path, len(contents), hashlib.sha256(contents).hexdigest()


def why_not(path: Path) -> str:
    """Say why a directory must not be replaced; empty where it holds what this writer writes."""
    known = {f"{path.name}.zip", sidecars.DILL, sidecars.KWARGS, path.name}
    strange = sorted(entry.name for entry in path.iterdir() if entry.name not in known)
    return f"holds {strange[0]}, which no SB3 export has" if strange else ""


def _write_zip(checkpoint: Checkpoint, made: Agent, output: Output) -> Archive:
    archive = Archive(output)
    archive.add("data", data.render(made.fields))
    members = {name: torch_member(tree, TRAINING, name) for name, tree in made.members.items()}
    archive.add_torch(f"{optimizers.VARIABLES}.pth", members.pop(optimizers.VARIABLES))
    archive.add_torch("policy.pth", torch_member(made.weights.tensors, MODEL))
    for name, member in members.items():
        archive.add_torch(f"{name}.pth", member)
    archive.add("_stable_baselines3_version", fields.VERSION.encode())
    archive.add("system_info.txt", _system_info(checkpoint))
    for copy in archive.copies:
        expected = copy.planned.tensor.sha256
        if expected and expected != copy.sha256:
            what = (
                f"tensor {copy.planned.name} differs from its digest: expected {expected}, got {copy.sha256}"
            )
            raise IntegrityError(what, where=checkpoint.path, fix="restore the file from its source")
    archive.end()
    refuse_changed(checkpoint)
    return archive


def _system_info(checkpoint: Checkpoint) -> bytes:
    """Return where the agent was trained, as far as the source says it, and by what it was rewritten."""
    info = checkpoint.training_info
    said = info.get("system_info")
    lines = [f"- {key}: {value}" for key, value in said.items()] if isinstance(said, Mapping) else []
    if not lines:
        lines = [f"- Stable-Baselines3: {info.get('sb3_version') or 'unknown'}"]
    lines = [line for line in lines if not line.startswith("- Rewritten:")]
    return "\n".join([*lines, f"- Rewritten: by ckptkit {__version__} for {fields.VERSION}", ""]).encode()


def _report(made: Agent, target: Path, files: list[tuple[str, int, str]], archive: Archive) -> Written:
    digests = {copy.planned.tensor.identity: copy.sha256 for copy in archive.copies}
    tensors = made.weights.tensors
    leaves = [Leaf(name, t.dtype.name, t.shape, digests[t.identity]) for name, t in tensors.items()]
    owners = {tensor.identity for tensor in tensors.values()}
    return Written(
        path=str(target),
        files=tuple(files),
        content_digest=content_digest(leaves),
        bundle_digest="",
        tensors=len(tensors),
        aliases=len(tensors) - len(owners),
        training_tensors=sum(copy.planned.role == TRAINING for copy in archive.copies),
    )


WRITER = Writer(
    "sb3", "a Stable-Baselines3 zip that today's release opens", write, describes=False, alters=alters
)
