"""Optional dependencies: whether they are there, and how to get them."""

from importlib.util import find_spec

from ckptkit.errors import MissingExtraError

PARTS = {"compressed": ("lz4", "zstandard"), "onnx": ("onnx", "onnxruntime"), "torch": ("torch",)}
"""Top-level packages that each extra of ckptkit brings."""


def install_command(extra: str) -> str:
    """Return the command that installs an extra."""
    return f"pip install 'ckptkit[{extra}]'"


def missing(extra: str, *packages: str) -> str:
    """Return the first package of an extra that is not installed; empty where all are. Imports none.

    Args:
        extra: Key of `PARTS`.
        packages: The ones that matter; all of the extra where none is named.
    """
    return next((name for name in packages or PARTS[extra] if find_spec(name) is None), "")


def require(extra: str, what: str, *packages: str) -> None:
    """Refuse to go on without an extra.

    Args:
        extra: Key of `PARTS`.
        what: What is to be done with it.
        packages: As for `missing`.

    Raises:
        MissingExtraError: One of its packages is not installed; the fix is the command.
    """
    name = missing(extra, *packages)
    if name:
        raise MissingExtraError(f"{what} needs {name}, which is not installed", fix=install_command(extra))
