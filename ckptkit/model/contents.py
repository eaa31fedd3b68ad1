"""A checkpoint's tree sorted into model, training state, description and training facts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ckptkit.model.checkpoint import Dropped, Note
from ckptkit.model.naming import flatten, state_dict
from ckptkit.model.parts import split
from ckptkit.model.plain import plain
from ckptkit.model.sharing import partial_sharing
from ckptkit.model.survey import Holds, Survey, is_bare_training, is_config_key, is_training
from ckptkit.model.tensor import Tensor

_SPREAD = {"model_config": "model_config", "training_info": "training_info"}
"""Entries whose own fields are the tree of that name, rather than one entry of it."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What a torch file says, as `Checkpoint` names it."""

    tensors: Mapping[str, Tensor]
    training_state: Mapping[str, object] | None = None
    model_config: Mapping[str, object] = field(default_factory=dict)
    training_info: Mapping[str, object] = field(default_factory=dict)
    dropped: tuple[Dropped, ...] = ()
    notes: tuple[Note, ...] = ()


def state_dict_contents(
    tensors: Mapping[str, Tensor], rest: Mapping[str, object], notes: tuple[Note, ...]
) -> Contents:
    """Return the contents of a file that holds nothing but named tensors and, perhaps, stray entries.

    Args:
        tensors: The state dict.
        rest: Values that stood among the tensors, by name; plain ones are training info.
        notes: What was noticed on the way.
    """
    sorter = _Sorter()
    for key, value in rest.items():
        sorter.put("training_info", key, value)
    return sorter.contents(tensors, notes)


def contents(root: object, config_keys: frozenset[str] = frozenset()) -> Contents:
    """Sort a checkpoint's tree.

    Args:
        root: A dict, list, tuple or object; see `model.parts.split`.
        config_keys: Further entries that describe the network in this format.

    Returns:
        `training_state` holds every entry besides the model with a tensor in it or with state of an
        optimizer, scheduler, scaler or random generator; it is None where there is none.
        Fields of entries called `model_config` and `training_info` come without that level around them.

    Raises:
        UnsupportedTensorError: A tensor has no form in a bundle.
        UnreadableCheckpointError: A pickled module holds itself.
        LimitExceededError: The tree is too deep, or repeats shared parts without end.
    """
    parts = split(root)
    survey, bare = Survey(), is_bare_training(root)
    sorter = _Sorter()
    for key, value in parts.rest.items():
        holds = survey.holds(value)
        if bare or is_training(key, value) or holds & (Holds.TENSOR | Holds.TRAINING):
            sorter.put("training_state", key, value)
        elif is_config_key(key) or key in config_keys:
            sorter.put("model_config", key, value)
        else:
            sorter.put("training_info", key, value)
    if parts.modules:
        sorter.put("model_config", "modules", parts.modules)
        reason = "their classes, hooks and all but plain settings; tensors and settings are kept"
        sorter.dropped.append(Dropped("pickled modules", reason))
    return sorter.contents(parts.tensors, parts.notes)


def bundle_contents(state: object, trees: Mapping[str, object], unknown: Sequence[str]) -> Contents:
    """Return the contents of a v2 torch dict, whose fields are known and need no search.

    Args:
        state: What it has as `model_state_dict`.
        trees: Its `model_config`, `training_info` and `training_state`, as far as it has them.
        unknown: Keys that the format does not have; each becomes a note and is not read.
    """
    tensors = state_dict(state)
    if tensors is None:
        tensors = flatten(state).tensors
    found: dict[str, Mapping[str, object]] = {}
    dropped: list[Dropped] = []
    for name, tree in trees.items():
        result, records = plain(tree, name)
        dropped += records
        if isinstance(result, dict):
            found[name] = {str(key): value for key, value in result.items()}
    notes = tuple(Note("unknown-field", f"the dict's entry {key!r} was not read", key) for key in unknown)
    return Contents(
        tensors,
        found.get("training_state"),
        found.get("model_config", {}),
        found.get("training_info", {}),
        tuple(dropped),
        notes + partial_sharing(tensors),
    )


@dataclass(slots=True)
class _Sorter:
    """Collects plain entries by the tree that they belong to."""

    trees: dict[str, dict[str, object]] = field(default_factory=dict)
    dropped: list[Dropped] = field(default_factory=list)

    def put(self, tree: str, key: str, value: object) -> None:
        result, dropped = plain(value, key)
        self.dropped += dropped
        if any(record.path == key for record in dropped):
            return
        entries = self.trees.setdefault(tree, {})
        fields = result if _SPREAD.get(key) == tree and isinstance(result, dict) else None
        if fields is not None and all(isinstance(name, str) and name not in entries for name in fields):
            entries |= fields
        else:
            entries[key if key not in entries else f"{key} (entry)"] = result

    def contents(self, tensors: Mapping[str, Tensor], notes: tuple[Note, ...]) -> Contents:
        return Contents(
            tensors,
            self.trees.get("training_state"),
            self.trees.get("model_config", {}),
            self.trees.get("training_info", {}),
            tuple(self.dropped),
            notes + partial_sharing(tensors),
        )
