"""Every writer, as one call that makes or replaces something in a folder."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ckptkit import api
from ckptkit.cli.output import emit
from ckptkit.errors import CkptkitError
from ckptkit.model.migration import Fate
from ckptkit.storage import baseline_file
from tests.conftest import safetensors_bytes
from tests.corpus import CHECKOUT

FIXTURES = CHECKOUT / "fixtures"
NETWORK = FIXTURES / "conformance" / "network" / "bundle"
"""A deploy bundle with a graph and recorded outputs."""
UNSOUND = FIXTURES / "conformance" / "content-digest" / "bundle"
"""A bundle with a finding."""
AGENT = FIXTURES / "sb3" / "ppo" / "model.zip"
SIDECARS = ("feature_extractor.dill", "feature_extractor_kwargs.json")
STATE_DICT = FIXTURES / "conformance" / "state-dict" / "state.pt"
WEIGHTS = "weights.safetensors"
STATED = "model.pt"


@dataclass(frozen=True)
class Writer:
    """One way to write.

    Attributes:
        write: What is called with the folder.
        prepare: Puts what is read, and the old state, into the folder.
        moves: Whether it takes several steps that the same command finishes: any file may then be that of
            before or after, if it is no other in either.
        check: Raises where what must hold at every moment does not.
        together: Whether it puts several files beside each other: one that is killed may leave a mix, which
            is said of the checkpoint of that name, until the next run.
        needs_torch: Whether it imports torch.
    """

    write: Callable[[Path], object]
    prepare: Callable[[Path], None]
    moves: bool = False
    check: Callable[[Path], None] = lambda _: None
    together: str = ""
    needs_torch: bool = False


def weights(folder: Path, value: int = 1) -> None:
    """Put a small checkpoint into a folder."""
    data = bytes([0, 0, value, 63] * 6)
    made = safetensors_bytes({"weight": ("F32", [2, 3], data), "bias": ("F32", [2], data[:8])})
    (folder / WEIGHTS).write_bytes(made)


def converting(to: str, name: str) -> Writer:
    def prepare(folder: Path) -> None:
        weights(folder, 2)
        api.convert(folder / WEIGHTS, to, folder / name)
        weights(folder)

    return Writer(lambda folder: api.convert(folder / WEIGHTS, to, folder / name, force=True), prepare)


def converting_agent(name: str) -> Writer:
    def prepare(folder: Path) -> None:
        shutil.copyfile(AGENT, folder / "agent.zip")
        old = folder / name if name.endswith(".zip") else folder / name / f"{name}.zip"
        old.parent.mkdir(exist_ok=True)
        old.write_bytes(b"old")

    return Writer(lambda folder: api.convert(folder / "agent.zip", "sb3", folder / name, force=True), prepare)


def converting_set(source: str, *beside: str, old: bool = True) -> Writer:
    """Convert an agent of several files, over another one or where there is none."""

    def prepare(folder: Path) -> None:
        shutil.copytree(FIXTURES / "sb3" / source.partition("/")[0], folder / "in")
        for name in beside if old else ():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_bytes(b"old")
        if old:
            shutil.copyfile(AGENT, folder / "made.zip")

    def write(folder: Path) -> object:
        return api.convert(folder / "in" / source.partition("/")[2], "sb3", folder / "made.zip", force=old)

    return Writer(write, prepare, together="made.zip")


def exporting(output: str) -> Writer:
    def prepare(folder: Path) -> None:
        shutil.copytree(NETWORK, folder / "bundle")
        (folder / (output or "bundle/model.onnx")).write_bytes(b"old")

    def write(folder: Path) -> object:
        return api.export_onnx(folder / "bundle", folder / output if output else None, force=bool(output))

    return Writer(write, prepare)


def migrating(name: str, **options: Any) -> Writer:
    def prepare(folder: Path) -> None:
        if name == WEIGHTS:
            weights(folder)
        else:
            shutil.copyfile(STATE_DICT, folder / name)

    def write(folder: Path) -> None:
        for file in api.migrate(folder, **options).files:
            if file.fate in {Fate.FAILED, Fate.REFUSED}:
                raise CkptkitError(file.reason, where=file.path)

    return Writer(write, prepare, moves=True)


def saving() -> Writer:
    def save(folder: Path, value: float) -> None:
        from ckptkit.training import create_model_from_config, save_model_checkpoint
        from tests.training.networks import configured

        config = configured(True, True, False)
        model = create_model_from_config(config, seed=1)
        save_model_checkpoint(model, config, {"frame_idx": value}, folder / STATED)

    return Writer(lambda folder: save(folder, 1), lambda folder: save(folder, 2), needs_torch=True)


def training() -> Writer:
    def save(folder: Path, step: int) -> None:
        import torch

        from ckptkit.training import save_for_training

        with torch.random.fork_rng():
            torch.manual_seed(step)
            model = torch.nn.Linear(3, 2)
        save_for_training(folder / STATED, model, torch.optim.Adam(model.parameters()), rng=False, step=step)

    return Writer(lambda folder: save(folder, 1), lambda folder: save(folder, 2), needs_torch=True)


def accepting() -> Writer:
    def prepare(folder: Path) -> None:
        shutil.copytree(UNSOUND, folder / "bundle")
        baseline_file.save(folder / "baseline.json", ())

    def write(folder: Path) -> object:
        found = api.validate(folder / "bundle", level=2)
        return api.write_baseline(found, folder / "baseline.json", reason="seen")

    return Writer(write, prepare)


def reporting() -> Writer:
    def prepare(folder: Path) -> None:
        (folder / "report.json").write_text("old\n" * 5000)

    return Writer(lambda folder: emit("new\n" * 9000, str(folder / "report.json")), prepare)


WRITERS: dict[str, Writer] = {
    "deploy": converting("deploy", "made"),
    "v2": converting("v2", "made.pt"),
    "sb3-zip": converting_agent("made.zip"),
    "sb3-folder": converting_agent("made"),
    "sb3-set": converting_set("vecnormalize/agent.zip", "made/vecnormalize.pkl"),
    "sb3-set-new": converting_set("vecnormalize/agent.zip", old=False),
    "sb3-set-flat": converting_set("extractor_by_value/PPO_extractor_by_value", *SIDECARS),
    "onnx-file": exporting("made.onnx"),
    "onnx-in-bundle": exporting(""),
    "migrate": migrating(STATED),
    "migrate-renamed": migrating(WEIGHTS),
    "migrate-no-backup": migrating(STATED, backup=False),
    "migrate-deploy": migrating(WEIGHTS, to="deploy"),
    "save-for-training": training(),
    "save-model-checkpoint": saving(),
    "baseline": accepting(),
    "report": reporting(),
}
