"""Which of the torch layouts a root object has; every root has exactly one."""

import re

from ckptkit.model.inert import Instance
from ckptkit.model.survey import Holds, Survey, is_statistic_key
from ckptkit.model.tensor import Tensor

STATE_DICT = "torch-state-dict"
CHECKPOINT = "torch-checkpoint"
MODULE = "torch-module"
DICT_V2 = "torch-dict-v2"
METTA = "metta-checkpoint"

WITH_OBJECTS = frozenset((CHECKPOINT, MODULE, METTA))
"""Layouts in which pickled objects of foreign classes are usual; code by value is not."""

WRAPPERS = frozenset(["model", "module", "net", "network", "params", "parameters", "policy", "weights"])
"""Keys that stand around a state dict even where the file holds nothing else; so do `…state_dict`."""
SCHEME_KEYS = frozenset(
    ("model_state_dict", "model_config", "training_info", "training_state", "version", "ckpt")
)
"""Keys of the versioned dict."""
_METTA_V1_KEYS = frozenset(("model_type", "uri"))


def layout(root: object) -> str:
    """Return the id of the reader that reads `root`; looks at content and raises nothing."""
    survey = Survey()
    if isinstance(root, dict):
        return _mapping_layout(root, survey)
    holds = survey.holds(root)
    if Holds.MODULE in holds:
        return MODULE
    if isinstance(root, Instance) and Holds.OTHER in holds:
        return CHECKPOINT
    mixed = isinstance(root, list | tuple) and (Holds.TENSOR | Holds.OTHER) in holds
    return CHECKPOINT if mixed else STATE_DICT


def _mapping_layout(root: dict[object, object], survey: Survey) -> str:
    if is_metta(root):
        return METTA
    if versioned(root):
        return DICT_V2
    if root and not survey.is_pure(root):
        return STATE_DICT if survey.holds(root) == Holds.NOTHING else CHECKPOINT
    return CHECKPOINT if _is_wrapped(root, survey) else STATE_DICT


def _is_wrapped(root: dict[object, object], survey: Survey) -> bool:
    """Whether a mapping of tensors alone is a state dict in a wrapper, perhaps beside statistics."""
    present = [(key, value) for key, value in root.items() if value is not None]
    others = [(key, value) for key, value in present if not _wraps(key, value, survey)]
    return len(others) < len(present) and all(
        is_statistic_key(key) or (isinstance(value, Tensor) and not value.shape) for key, value in others
    )


def _wraps(key: object, value: object, survey: Survey) -> bool:
    named = isinstance(key, str) and (key in WRAPPERS or key.endswith("state_dict"))
    return named and survey.is_pure(value)


def is_metta(root: dict[object, object]) -> bool:
    """Whether a root is a MettaAgent checkpoint: it says its version, or has what version 1 wrote."""
    if "checkpoint_format_version" in root:
        return True
    return root.keys() >= _METTA_V1_KEYS and bool(root.keys() & {"model_state_dict", "model"})


def versioned(root: dict[object, object]) -> str:
    """Return the version of a root that follows the versioned-dict scheme; empty for any other.

    The scheme is `version: "N.M"` beside `model_state_dict`. Another use of the key `version` (a number,
    an application's release, a version among keys that the scheme does not have) is the file's own.
    """
    version = root.get("version")
    if not isinstance(root.get("model_state_dict"), dict):
        return ""
    if isinstance(root.get("ckpt"), dict):
        return version if isinstance(version, str) and version else repr(version)
    if not isinstance(version, str) or not re.fullmatch(r"[0-9]+(\.[0-9]+)?", version, re.ASCII):
        return ""
    known = version.partition(".")[0] == "2"
    described = any(isinstance(root.get(key), dict) for key in ("model_config", "training_info"))
    return version if known or described or root.keys() <= SCHEME_KEYS else ""
