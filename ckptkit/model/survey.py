"""What an inert tree holds, told apart by content first and by the words of its keys second."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Flag
from functools import lru_cache

from ckptkit.model.inert import Instance
from ckptkit.model.modules import attributes, is_module
from ckptkit.model.naming import is_filler
from ckptkit.model.refusals import why_refused
from ckptkit.model.tensor import Tensor

MAX_DEPTH = 100
"""Deeper containers count as something other than tensors."""


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


TRAINING_WORDS = _set(
    """
    amp gradscaler lr opt optim optimiser optimisers optimizer optimizers rng sched scheduler schedulers
    scaler
    """
)
NETWORK_WORDS = _set(
    """
    actor advantage agent backbone body critic d decoder discriminator dynamics ema embedder encoder
    extractor g generator head icm model models module modules net nets network networks params
    parameters policies policy predictor q qf q1 q2 qf1 qf2 state_dict student swa target teacher torso
    v value vf weights world
    """
)
STATISTIC_WORDS = _set(
    """
    buffer count history info infos loss losses mean metric metrics normalizer obs replay returns reward
    rewards rms rollout running statistics stats std var
    """
)
_CONFIG_KEYS = _set(
    """
    action_dim args hidden_size hidden_sizes hyper_parameters input_shape kwargs model_class model_name
    model_type n_actions net_arch network_type num_actions obs_dim obs_shape observation_shape policy_class
    policy_kwargs state_dim
    """
)
_CONFIG_WORDS = _set("arch architecture cfg conf config configuration hparams hyperparameters hyperparams")
_OTHER_CONFIG_WORDS = _set("algo data env eval logger optimizer run train trainer training")
"""Words of keys under which lies a description of something else than the network."""
_OPTIMIZER_KEYS = frozenset(("param_groups", "state"))
_SCHEDULER_KEYS = frozenset(("last_epoch", "_step_count", "_last_lr", "base_lrs"))
_SCALER_KEYS = frozenset(("growth_factor", "backoff_factor", "growth_interval"))


_RANDOM = re.compile("rng|random", re.IGNORECASE)
"""Found in every key that may say of something else than a container that it is a generator's state."""
_SCALARS = frozenset((bool, int, float, str))


class Holds(Flag):
    """Kinds of leaves below a value."""

    NOTHING = 0
    TENSOR = 1
    MODULE = 2
    OTHER = 4
    TRAINING = 8


def words(key: object) -> frozenset[str]:
    """Return the lower-case words of a key, `GStateDict` and `g_state_dict` alike; empty for no text."""
    return _words(key) if isinstance(key, str) else frozenset()


@lru_cache(maxsize=4096)
def _words(key: str) -> frozenset[str]:
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", key).lower()
    return frozenset(re.split(r"[^a-z0-9]+", spaced))


def is_network_key(key: object) -> bool:
    """Whether a key reads as the name of a network or of its weights."""
    return bool(words(key) & NETWORK_WORDS) or (isinstance(key, str) and key.lower().endswith("state_dict"))


def is_statistic_key(key: object) -> bool:
    """Whether a key reads as a record of training, such as running means, and not as weights."""
    return bool(words(key) & STATISTIC_WORDS)


def is_config_key(key: object) -> bool:
    """Whether a key reads as the description of a network or its hyper-parameters."""
    if isinstance(key, str) and key.lower() in _CONFIG_KEYS:
        return True
    named = words(key)
    return bool(named & _CONFIG_WORDS) and not named & _OTHER_CONFIG_WORDS


def is_training(key: object, value: object) -> bool:
    """Whether an entry is state of an optimizer, scheduler, gradient scaler or random generator.

    The words of a key count for containers alone, except that they say of anything that it is the
    state of a random generator.
    """
    contains = isinstance(value, dict | list | tuple | Instance)
    if not contains and not (isinstance(key, str) and _RANDOM.search(key)):
        return False
    if isinstance(value, dict):
        known = (_OPTIMIZER_KEYS, _SCHEDULER_KEYS, _SCALER_KEYS)
        if any(len(keys & value.keys()) > 1 for keys in known):
            return True
    named = words(key)
    if "rng" in named or {"random", "state"} <= named:
        return True
    return contains and not is_module(value) and bool(named & TRAINING_WORDS)


def is_bare_training(root: object) -> bool:
    """Whether a file holds the state of one optimizer, scheduler or scaler and nothing else."""
    return isinstance(root, dict) and is_training(None, root) and not any(map(is_network_key, root))


def children(value: object) -> Iterator[tuple[object, object]]:
    """Yield the entries of a container or the attributes of an object; nothing for a module or a leaf."""
    match value:
        case dict():
            yield from value.items()
        case list() | tuple():
            yield from enumerate(value)
        case Instance() if not is_module(value) and not why_refused(value):
            yield from attributes(value).items()


@dataclass(slots=True)
class Survey:
    """Answers `holds` for every value of one tree, each container looked at once."""

    _known: dict[int, Holds] = field(default_factory=dict)

    def holds(self, value: object, depth: int = 0) -> Holds:
        """Return the kinds of leaves below `value`; never raises.

        None and torch's extra state are no leaves. An empty container holds nothing. Training state
        counts as `OTHER` besides whatever tensors it has.
        """
        if value is None:
            return Holds.NOTHING
        if isinstance(value, Tensor) or why_refused(value):
            return Holds.TENSOR
        if is_module(value):
            return Holds.MODULE
        if not isinstance(value, dict | list | tuple | Instance) or depth > MAX_DEPTH:
            return Holds.OTHER
        if id(value) not in self._known:
            self._known[id(value)] = Holds.NOTHING  # what a container that holds itself adds
            self._known[id(value)] = self._below(value, depth)
        return self._known[id(value)]

    def _below(self, value: object, depth: int) -> Holds:
        found = added = Holds.OTHER if isinstance(value, Instance) else Holds.NOTHING
        for key, item in children(value):
            if type(item) in _SCALARS:
                if Holds.OTHER not in found and not is_filler(key, item):
                    found |= Holds.OTHER
                continue
            if is_filler(key, item):
                continue
            held = self.holds(item, depth + 1)
            if held is not added:  # most items are tensors, like the one before
                found |= held
                added = held
            if is_training(key, item):
                found |= Holds.OTHER | Holds.TRAINING
        return found

    def is_pure(self, value: object) -> bool:
        """Whether `value` is a mapping in which everything is a tensor."""
        return isinstance(value, dict) and self.holds(value) == Holds.TENSOR
