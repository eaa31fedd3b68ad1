"""Versioned, hashed, validated bundles from any Stable-Baselines3 or PyTorch checkpoint.

Nothing in a checkpoint is executed, and `import ckptkit` imports neither torch nor numpy.
"""

from typing import TYPE_CHECKING

from ckptkit.version import SPEC_VERSION, __version__

if TYPE_CHECKING:
    from ckptkit import runs
    from ckptkit.api import (
        check_compatibility,
        convert,
        diff,
        export_onnx,
        inspect,
        load,
        load_parts,
        migrate,
        read,
        recover,
        repair,
        scan,
        survey,
        validate,
    )
    from ckptkit.training import (
        ModelConfig,
        create_model_from_config,
        find_latest_checkpoint,
        load_for_training,
        load_model_checkpoint,
        save_for_training,
        save_model_checkpoint,
    )

__all__ = [
    "SPEC_VERSION",
    "ModelConfig",
    "__version__",
    "check_compatibility",
    "convert",
    "create_model_from_config",
    "diff",
    "export_onnx",
    "find_latest_checkpoint",
    "inspect",
    "load",
    "load_for_training",
    "load_model_checkpoint",
    "load_parts",
    "migrate",
    "read",
    "recover",
    "repair",
    "runs",
    "save_for_training",
    "save_model_checkpoint",
    "scan",
    "survey",
    "validate",
]


def __getattr__(name: str) -> object:
    """Import the pipeline when one of its functions is first asked for."""
    if name in {
        "check_compatibility",
        "convert",
        "diff",
        "export_onnx",
        "inspect",
        "load",
        "load_parts",
        "migrate",
        "read",
        "recover",
        "repair",
        "scan",
        "survey",
        "validate",
    }:
        from ckptkit import api

        return getattr(api, name)
    if name == "runs":
        import importlib

        return importlib.import_module("ckptkit.runs")
    if name in __all__:
        from ckptkit import training

        return getattr(training, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
