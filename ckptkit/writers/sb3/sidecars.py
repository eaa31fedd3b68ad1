"""What stands beside the zip: statistics, and the extractor's sidecars of RL-Snake's layout.

A legacy source still has its sidecars, and they are copied byte for byte. A bundle carries neither
the code of a class by value nor the files; from it, the keyword arguments are written anew, and the
class is named where the sidecar named it too.
"""

import json
import os
from collections.abc import Collection, Mapping
from pathlib import Path

from ckptkit.errors import TargetExistsError
from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.inert import ClassRef
from ckptkit.model.tree import to_json
from ckptkit.writers.sb3 import statistics
from ckptkit.writers.sb3.changes import Changes
from ckptkit.writers.sb3.object_pickle import checked

DILL = "feature_extractor.dill"
KWARGS = "feature_extractor_kwargs.json"


def files(checkpoint: Checkpoint, stem: str, changes: Changes) -> dict[str, bytes]:
    """Return the contents of the files to write, by path relative to the zip's folder.

    Args:
        checkpoint: The source.
        stem: Name of the zip without its suffix.
        changes: Gets what is written otherwise, and what is not.

    Raises:
        NotExportableError: A space has no form in gymnasium.
    """
    found = _sidecars(checkpoint, changes)
    for step in checkpoint.preprocessing:
        if step.get("type") == statistics.TYPE:
            path = f"{stem}/{statistics.NAME}"
            found[path] = statistics.pickle(step, checkpoint.spaces)
            changes.change(f"{path}: the statistics, with gymnasium spaces; they belong to the zip")
    return found


def _sidecars(checkpoint: Checkpoint, changes: Changes) -> dict[str, bytes]:
    if checkpoint.bundle is None:
        return {
            file.path: file.source.read(0, file.source.size)
            for file in checkpoint.files
            if file.role == "sidecar" and file.path in (DILL, KWARGS)
        }
    said = checkpoint.model_config.get("features_extractor")
    if not isinstance(said, Mapping) or said.get("source") not in (DILL, KWARGS):
        return {}
    found = {KWARGS: json.dumps(to_json(said.get("kwargs", {})), indent=4).encode()}
    changes.change(f"{KWARGS}: written anew from the bundle")
    named = said.get("class")
    if said.get("by") == "reference" and isinstance(named, ClassRef):
        found[DILL] = checked(named, DILL)
        changes.change(f"{DILL}: written anew, a reference to {named}")
    elif said.get("source") == DILL:
        changes.drop(
            DILL, "a class by value: a bundle keeps its name and not its code; take the original file"
        )
    return found


def refuse_strays(target: Path, contents: Collection[str]) -> None:
    """Refuse a zip beside files that would be taken for its own, and that are not written with it.

    Args:
        target: The zip.
        contents: Paths of the files that are.

    Raises:
        TargetExistsError: There is one.
    """
    taken = [f"{target.stem}/{statistics.NAME}"]
    if target.absolute().parent.name == target.stem:
        taken += [DILL, KWARGS]
    for path in taken:
        place = target.parent.joinpath(*path.split("/"))
        if path not in contents and os.path.lexists(place):
            what = f"is of another agent, and would be taken for a part of {target.name}"
            raise TargetExistsError(what, where=str(place), fix="move it away, or choose another path")
