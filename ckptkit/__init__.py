"""Versioned, hashed, validated bundles from any Stable-Baselines3 or PyTorch checkpoint.

Nothing in a checkpoint is executed, and `import ckptkit` imports neither torch nor numpy.
"""

from typing import TYPE_CHECKING

from ckptkit.version import SPEC_VERSION, __version__

if TYPE_CHECKING:
    from ckptkit.api import convert, export_onnx, inspect, load, migrate, read, recover, validate

__all__ = [
    "SPEC_VERSION",
    "__version__",
    "convert",
    "export_onnx",
    "inspect",
    "load",
    "migrate",
    "read",
    "recover",
    "validate",
]


def __getattr__(name: str) -> object:
    """Import the pipeline when one of its functions is first asked for."""
    if name in {"convert", "export_onnx", "inspect", "load", "migrate", "read", "recover", "validate"}:
        from ckptkit import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
