"""What training code calls: describe, create, save, load and resume networks; find the latest file.

Everything here takes and gives live torch objects. Each function is imported when it is first asked for.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ckptkit.training.latest import LatestCheckpoint, SkippedFile, find_latest_checkpoint
    from ckptkit.training.model_config import ModelConfig
    from ckptkit.training.networks import create_model_from_config
    from ckptkit.training.opening import LoadedModel, load_model_checkpoint
    from ckptkit.training.resuming import Resumed, load_for_training
    from ckptkit.training.saving import save_for_training, save_model_checkpoint

MODULES = {
    "LatestCheckpoint": "latest",
    "LoadedModel": "opening",
    "ModelConfig": "model_config",
    "Resumed": "resuming",
    "SkippedFile": "latest",
    "create_model_from_config": "networks",
    "find_latest_checkpoint": "latest",
    "load_for_training": "resuming",
    "load_model_checkpoint": "opening",
    "save_for_training": "saving",
    "save_model_checkpoint": "saving",
}
"""Public names and the modules that have them."""

__all__ = [
    "LatestCheckpoint",
    "LoadedModel",
    "ModelConfig",
    "Resumed",
    "SkippedFile",
    "create_model_from_config",
    "find_latest_checkpoint",
    "load_for_training",
    "load_model_checkpoint",
    "save_for_training",
    "save_model_checkpoint",
]


def __getattr__(name: str) -> object:
    """Import the module of a public name when that is first asked for."""
    if name not in MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{MODULES[name]}"), name)
