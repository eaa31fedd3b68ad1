"""What keeps checkpoints in order, as one call each: mending, publishing, pruning and slots."""

import hashlib
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

from ckptkit import api, runs
from ckptkit.errors import NotACheckpointError
from ckptkit.runs.slots import Slots
from tests.conftest import safetensors_bytes
from tests.faults.writers import AGENT, WEIGHTS, Writer, weights

REGISTRY = "registry"
STEPS = (100, 200, 300)
KEPT = f"model_{STEPS[-1]}.safetensors"


def repairing(break_it: Callable[[Path], Path], *, backup: bool = True) -> Writer:
    """Mend what `break_it` makes in a folder and names."""
    named: list[str] = []

    def prepare(folder: Path) -> None:
        named[:] = [break_it(folder).name]

    def write(folder: Path) -> None:
        done = api.repair(folder / named[0], write=True, backup=backup, lfs_store=folder / "objects")
        assert not done.left

    return Writer(write, prepare, moves=True)


def lost_directory(folder: Path) -> Path:
    path = folder / "agent.zip"
    with zipfile.ZipFile(AGENT) as archive:
        path.write_bytes(AGENT.read_bytes()[: archive.start_dir + 10])
    return path


def pointer(folder: Path) -> Path:
    weights(folder)
    path = folder / WEIGHTS
    data = path.read_bytes()
    oid = hashlib.sha256(data).hexdigest()
    place = folder / "objects" / oid[:2] / oid[2:4] / oid
    place.parent.mkdir(parents=True)
    place.write_bytes(data)
    path.write_text(f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {len(data)}\n")
    return path


def compiled_names(folder: Path) -> Path:
    path = folder / WEIGHTS
    path.write_bytes(safetensors_bytes({"_orig_mod.weight": ("F32", [2, 3], bytes(24))}))
    return path


def wrong_manifest(folder: Path) -> Path:
    """Make a bundle whose manifest and its digest both are wrong, beside the source that proves it."""
    weights(folder)
    bundle = folder / "bundle"
    api.convert(folder / WEIGHTS, "deploy", bundle)
    manifest = json.loads((bundle / "ckpt.json").read_bytes())
    manifest["tensors"][0]["sha256"] = "1" * 64
    wrong = (json.dumps(manifest, indent=1) + "\n").encode()
    (bundle / "ckpt.json").write_bytes(wrong)
    (bundle / "ckpt.json.sha256").write_text(f"{hashlib.sha256(wrong).hexdigest()}  ckpt.json\n")
    return bundle


def publishing(*, first: bool, again: bool = False) -> Writer:
    """Publish a second version, or the first into a new registry, or what is published already."""

    def write(folder: Path) -> object:
        return runs.publish(folder / WEIGHTS, folder / REGISTRY, "agent", aliases=["good"], require_level=0)

    def prepare(folder: Path) -> None:
        weights(folder, 2)
        if not first:
            runs.publish(folder / WEIGHTS, folder / REGISTRY, "agent", require_level=0)
            weights(folder, 2 if again else 1)

    def check(folder: Path) -> None:
        try:
            found = runs.verify(folder / REGISTRY)
        except NotACheckpointError:
            assert first, "the index is gone"
        else:
            assert not found.problems

    return Writer(write, prepare, moves=True, check=check)


def pruning() -> Writer:
    def prepare(folder: Path) -> None:
        for step in STEPS:
            weights(folder, step % 7)
            (folder / WEIGHTS).rename(folder / f"model_{step}.safetensors")

    def check(folder: Path) -> None:
        assert not api.validate(folder / KEPT).results[0].findings

    return Writer(
        lambda folder: runs.prune(folder, keep_last=1, dry_run=False), prepare, moves=True, check=check
    )


def slot(write: Callable[[Slots, Path], object]) -> Writer:
    """Act on slots, of which there is one, with a second checkpoint beside it."""

    def prepare(folder: Path) -> None:
        weights(folder, 2)
        Slots(folder).save("one", folder / WEIGHTS)
        weights(folder)

    return Writer(lambda folder: write(Slots(folder), folder), prepare)


UPKEEP: dict[str, Writer] = {
    "repair-directory": repairing(lost_directory),
    "repair-no-backup": repairing(lost_directory, backup=False),
    "repair-pointer": repairing(pointer),
    "repair-names": repairing(compiled_names),
    "repair-manifest": repairing(wrong_manifest),
    "publish": publishing(first=False),
    "publish-first": publishing(first=True),
    "publish-again": publishing(first=False, again=True),
    "prune": pruning(),
    "slot-save": slot(lambda slots, folder: slots.save("one", folder / WEIGHTS, replace=True)),
    "slot-delete": slot(lambda slots, _: slots.delete("one")),
    "slot-export": slot(lambda slots, folder: slots.export("one", folder / WEIGHTS, force=True)),
}
