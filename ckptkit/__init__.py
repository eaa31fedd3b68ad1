"""Versioned, hashed, validated bundles from any Stable-Baselines3 or PyTorch checkpoint.

Nothing in a checkpoint is executed, and `import ckptkit` imports neither torch nor numpy.
"""

from ckptkit.version import SPEC_VERSION, __version__

__all__ = ["SPEC_VERSION", "__version__"]
