"""The one in-memory form that every reader makes and every writer takes."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ckptkit.model.bundle import BundleFacts
from ckptkit.model.finding import Verdict
from ckptkit.model.inert import CodeFact, GlobalUse
from ckptkit.model.source import Source
from ckptkit.model.surroundings import Surroundings
from ckptkit.model.tensor import Tensor

EXPORTED = "onnx"
"""Format, and container, of a graph that was exported from a checkpoint."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file that a checkpoint was read from.

    Attributes:
        path: Relative to the checkpoint's directory, with `/`; a bare name for a single file.
        role: `weights`, `sidecar`, `statistics`, `metadata` or `manifest`.
        source: Its bytes.
    """

    path: str
    role: str
    source: Source


@dataclass(frozen=True, slots=True)
class Dropped:
    """An entry of the source that the bundle does not carry.

    Attributes:
        path: Place in the source, such as `data:lr_schedule`.
        reason: Why, in a few words.
    """

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Note:
    """A fact that a reader met and could not place; checks decide what it means.

    Attributes:
        kind: Stable word, such as `stray-sidecar`, `partial-sharing`, `unknown-field`.
        message: The fact, for people.
        location: Where in the file.
    """

    kind: str
    message: str
    location: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """Everything that one checkpoint says, with tensor bytes left on disk.

    Trees (`training_state`, `model_config`, `training_info`) hold plain Python data as
    `model.tree` defines it; only `training_state` may hold tensors.

    Attributes:
        path: As the user gave it.
        format: Id of the reader that made it.
        format_version: The version that the file states; None where it states none.
        container: `torch-zip`, `torch-legacy`, `zip`, `safetensors` or `directory`.
        files: Files read, the main one first.
        tensors: The model's state dict under its own names, in file order.
        training_state: Optimizer, scheduler, scaler and RNG state, as the file nests it.
        model_config: What the file says of the architecture, in its own field names.
        training_info: What the file says of the training.
        spaces: `{"observation": …, "action": …}` as `spec/manifest.md` defines spaces.
        preprocessing: Steps before the network, such as VecNormalize statistics.
        postprocessing: Steps behind it.
        verdict: What the file holds besides data.
        code: Executable things seen.
        globals: Every global that a pickle of the file names.
        dropped: What a bundle made from this will not carry.
        notes: Facts left for the checks.
        carries_code: Whether the format is known to carry code (SB3 before 2.7, dill sidecars).
        bundle: Facts of a v2 encoding; None for a legacy file.
        architecture: The manifest's `architecture` object, found by recovery; None where a v2
            encoding's own stands, or nothing is known.
        recovery: The manifest's `recovery` object, likewise.
        migrations: What was changed on the way to a bundle, one line each.
        surroundings: What is around the files; None where nobody has looked.
    """

    path: str
    format: str
    container: str
    format_version: str | None = None
    files: tuple[SourceFile, ...] = ()
    tensors: Mapping[str, Tensor] = field(default_factory=dict)
    training_state: object = None
    model_config: Mapping[str, object] = field(default_factory=dict)
    training_info: Mapping[str, object] = field(default_factory=dict)
    spaces: Mapping[str, object] = field(default_factory=dict)
    preprocessing: tuple[Mapping[str, object], ...] = ()
    postprocessing: tuple[Mapping[str, object], ...] = ()
    verdict: Verdict = Verdict.DATA_ONLY
    code: tuple[CodeFact, ...] = ()
    globals: tuple[GlobalUse, ...] = ()
    dropped: tuple[Dropped, ...] = ()
    notes: tuple[Note, ...] = ()
    carries_code: bool = False
    bundle: BundleFacts | None = None
    architecture: Mapping[str, object] | None = None
    recovery: Mapping[str, object] | None = None
    migrations: tuple[str, ...] = ()
    surroundings: Surroundings | None = None
