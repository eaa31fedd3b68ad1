"""The hidden names under which something waits while it is written, put aside or about to take a place."""

import secrets
from pathlib import Path

SUFFIX = ".ckptkit-tmp"
"""End of the name of what is being written."""
ASIDE = ".ckptkit-old"
"""End of the name under which an old directory waits where the system cannot exchange two."""
NEW = ".ckptkit-new"
"""End of the name under which a finished bundle waits to replace a file of its own name."""
SET = ".ckptkit-set"
"""End of the name under which finished files that belong together wait to take their places."""


def is_leftover(name: str) -> bool:
    """Whether a name is that of something that a run was writing, or had put aside, when it was killed."""
    return name.startswith(".") and name.endswith((NEW, SUFFIX, ASIDE, SET))


def temporary(target: Path) -> Path:
    """Return a name beside `target` that nothing has yet, and that every run knows for a leftover."""
    # Only a part of the target's name, so that a long one stays within the system's limit.
    return target.with_name(f".{target.name[:40]}.{secrets.token_hex(4)}{SUFFIX}")
