"""The hidden names under which something waits while it is written, put aside or about to take a place."""

SUFFIX = ".ckptkit-tmp"
"""End of the name of what is being written."""
ASIDE = ".ckptkit-old"
"""End of the name under which an old directory waits where the system cannot exchange two."""
NEW = ".ckptkit-new"
"""End of the name under which a finished bundle waits to replace a file of its own name."""


def is_leftover(name: str) -> bool:
    """Whether a name is that of something that a run was writing, or had put aside, when it was killed."""
    return name.startswith(".") and name.endswith((NEW, SUFFIX, ASIDE))
