"""Load an Asteroids network from any file that the system or ckptkit ever wrote."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from ckptkit import recovery
from ckptkit.api.loading import built, refuse_damaged
from ckptkit.api.preparing import refuse_unfit
from ckptkit.api.reading import PathLike, read
from ckptkit.errors import ArchitectureError, UsageError
from ckptkit.graph.document import architecture_of
from ckptkit.model import extras
from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.recovered import Hints, Recovered
from ckptkit.model.torch_layout import DICT_V2
from ckptkit.recovery.asteroids import NAME
from ckptkit.recovery.asteroids.stated import same
from ckptkit.recovery.canonical import Canonical, canonical
from ckptkit.training.live import live_tree
from ckptkit.training.model_config import ModelConfig, plain_value, without_effect
from ckptkit.training.networks import graph_of

if TYPE_CHECKING:
    import torch

    from ckptkit.graph.torch_module import GraphModule

FIELDS = tuple(field.name for field in fields(ModelConfig))
_TRAINING_ONLY = ("double_dqn", "prioritized_replay", "n_step_learning")
_FIX = "give input_shape= or model_config= where that settles it"


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A network with what its file says of it; unpacks as `model, config, training_info`.

    Attributes:
        model: In evaluation mode, with the system's own names.
        config: What it is.
        training_info: What the file says of the training, as plain Python data.
        migrations: What was read otherwise than the file has it, one line each; empty for a current file.
        assumed: What no file says and the system, an argument or a default supplied, one line each.
        notes: What the reader had to say.
    """

    model: "GraphModule"
    config: ModelConfig
    training_info: dict[str, Any]
    migrations: tuple[str, ...] = ()
    assumed: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[Any]:
        """Yield model, configuration and training info."""
        return iter((self.model, self.config, self.training_info))


@dataclass(frozen=True, slots=True)
class _Stated:
    """The fields that a file and an argument state, and what was done to have them."""

    words: Mapping[str, object]
    migrations: tuple[str, ...]
    assumed: tuple[str, ...]


def load_model_checkpoint(
    path: PathLike,
    device: "str | torch.device" = "cpu",
    *,
    input_shape: Sequence[int] | None = None,
    model_config: ModelConfig | Mapping[str, object] | None = None,
) -> LoadedModel:
    """Rebuild an Asteroids network from its own file; nothing in it is executed, nothing is tried out.

    Versioned dicts, dicts with or without the JSON beside them, bare state dicts and bundles are read; names
    lose what `torch.compile` and data-parallel training put before them. Atoms and their range come from the
    buffer `support` where the file does not state them.

    Args:
        path: Any checkpoint of the system.
        device: Where the parameters go.
        input_shape: Channels, height and width, for a file that does not say them. Without it the smallest
            square that fits the weights is taken and listed as assumed: pixels beyond it change nothing.
        model_config: Fields for a file that does not say them; one that contradicts the file is refused.

    Raises:
        ArchitectureError: It is no Asteroids network, or a question is open; the message names it.
        UsageError: `model_config` contradicts the file.
        IntegrityError: Bytes differ from what was recorded for them.
        CkptkitError: As `read`.
    """
    extras.require("torch", "loading a network")
    checkpoint = read(path)
    refuse_unfit(checkpoint)
    refuse_damaged(checkpoint)
    names = canonical(checkpoint.tensors)
    stated = _stated(checkpoint, model_config)
    found = _recovered(checkpoint, names, stated.words, input_shape)
    merged = _merged(checkpoint, found, stated.words)
    try:
        config = ModelConfig(**merged)
    except UsageError as error:
        raise ArchitectureError(
            f"its model_config is {error.what}", where=checkpoint.path, fix=_FIX
        ) from error
    return LoadedModel(
        model=_module(checkpoint, names, found, device),
        config=config,
        training_info=live_tree(checkpoint.training_info, None),
        migrations=(*_of_form(checkpoint, names), *stated.migrations),
        assumed=(*stated.assumed, *found.assumed, *_defaults(config, merged)),
        notes=tuple(note.message for note in checkpoint.notes),
    )


def _stated(checkpoint: Checkpoint, given: ModelConfig | Mapping[str, object] | None) -> _Stated:
    """Return the fields that the file states, with those of the argument that it leaves open."""
    own = _own_words(checkpoint)
    idle = without_effect(own)
    migrations = tuple(
        f"{name} = {own[name]} has no effect without distributional_dqn: left out" for name in idle
    )
    words = {name: value for name, value in own.items() if name in FIELDS and name not in idle}
    if checkpoint.format == DICT_V2 and checkpoint.bundle is None:
        unknown = [name for name in own if name not in FIELDS]
        migrations += tuple(f"model_config.{name} is no field of ModelConfig: left out" for name in unknown)
    hints = given.words() if isinstance(given, ModelConfig) else given or {}
    strange = [name for name in hints if name not in FIELDS]
    if strange:
        raise UsageError(f"model_config= has {', '.join(strange)}, which is no field of ModelConfig")
    hinted = {name: plain_value(value) for name, value in hints.items() if value is not None}
    differ = [
        f"{name} is {words[name]!r}, not {hinted[name]!r}" for name in hinted if _differs(words, hinted, name)
    ]
    if differ:
        raise UsageError(f"the file contradicts model_config=: {'; '.join(differ)}", where=checkpoint.path)
    new = {name: value for name, value in hinted.items() if name not in words}
    return _Stated(words | new, migrations, tuple(f"{name} = {new[name]} (model_config=)" for name in new))


def _own_words(checkpoint: Checkpoint) -> dict[str, object]:
    """Return what a file says of its network; None says nothing."""
    architecture = architecture_of(checkpoint) or {}
    recovered = architecture.get("config") if architecture.get("family") == NAME else None
    inner = checkpoint.model_config.get("model_config")
    said = inner if isinstance(inner, Mapping) else checkpoint.model_config
    known = recovered if isinstance(recovered, Mapping) else {}
    found = {name: value for name, value in known.items() if name in FIELDS} | dict(said)
    words = {str(name): plain_value(value) for name, value in found.items()}
    return {name: value for name, value in words.items() if value is not None}


def _differs(words: Mapping[str, object], hinted: Mapping[str, object], name: str) -> bool:
    return name in words and words[name] != hinted[name]


def _recovered(
    checkpoint: Checkpoint, names: Canonical, words: Mapping[str, object], input_shape: Sequence[int] | None
) -> Recovered:
    shape = None if input_shape is None else tuple(int(size) for size in input_shape)
    stated = replace(
        checkpoint, tensors=names.tensors, bundle=None, architecture=None, recovery=None, model_config=words
    )
    found = recovery.recover(stated, Hints(shape, (NAME,)))
    if found.family != NAME:
        why = recovery.rejections(stated).get(NAME)
        reason = f": {why.relation}" if why is not None else ""
        raise ArchitectureError(
            f"holds no Asteroids network{reason}",
            where=checkpoint.path,
            fix="ckptkit.load builds the networks of other systems, ckptkit.read gives tensors alone",
        )
    try:
        graph_of(found, _FIX)
    except ArchitectureError as error:
        error.where = checkpoint.path
        raise
    return found


def _merged(checkpoint: Checkpoint, found: Recovered, words: Mapping[str, object]) -> dict[str, object]:
    """Return the fields as they were found, in the words of the file where it has them."""
    values = {name: one.value for name, one in found.config.items() if name in FIELDS}
    known = {name: plain_value(value) for name, value in values.items() if value is not None}
    differ = [
        f"{name} is {words[name]!r}, and the tensors say {value!r}"
        for name, value in known.items()
        if name in words and not same(words[name], value)
    ]
    if differ:
        raise ArchitectureError("; ".join(differ), where=checkpoint.path, fix=_FIX)
    return known | dict(words)


def _module(
    checkpoint: Checkpoint, names: Canonical, found: Recovered, device: "str | torch.device"
) -> "GraphModule":
    # A bundle lists tensors by name. Optimizers know parameters by their place alone, so that the order of
    # parameters must be that of a network which was made anew.
    order = names.tensors if checkpoint.bundle is None else ()
    return built(checkpoint, graph_of(found), device, tensors=names.tensors, order=order)


def _of_form(checkpoint: Checkpoint, names: Canonical) -> Iterator[str]:
    """Say what about the form of a file is not that of version 2.0."""
    if checkpoint.bundle is None and checkpoint.format != DICT_V2:
        yield f"{checkpoint.format} without version: read as 2.0, its fields found in the tensors"
    renamed = [(own, name) for name, own in names.source.items() if own != name]
    if renamed:
        own, name = renamed[0]
        yield f"{len(renamed)} names lost what was put before them, such as {own}: now {name}"


def _defaults(config: ModelConfig, said: Mapping[str, object]) -> Iterator[str]:
    """Name the fields that nothing says."""
    silent = [*_TRAINING_ONLY, *(["noisy_std_init"] if config.noisy_networks else [])]
    silent += ["n_steps"] if config.n_step_learning else []
    for name in silent:
        if name not in said:
            yield f"{name} = {getattr(config, name)} (default: no file says it, and no output depends on it)"
