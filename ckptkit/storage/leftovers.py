"""The hidden names under which something waits while it is written, put aside or about to take a place."""

import os
from pathlib import Path

SUFFIX = ".ckptkit-tmp"
"""End of the name of what is being written."""
ASIDE = ".ckptkit-old"
"""End of the name under which an old directory waits where the system cannot exchange two."""
NEW = ".ckptkit-new"
"""End of the name under which a finished bundle waits to replace a file of its own name."""
SET = ".ckptkit-set"
"""End of the name under which finished files that belong together wait to take their places."""
JOURNAL = "journal.json"
"""Of these files, beside them."""


def is_leftover(name: str) -> bool:
    """Whether a name is that of something that a run was writing, or had put aside, when it was killed."""
    return name.startswith(".") and name.endswith((NEW, SUFFIX, ASIDE, SET))


def temporary(target: Path) -> Path:
    """Return a name beside `target` that nothing has yet, and that every run knows for a leftover."""
    # Only a part of the target's name, so that a long one stays within the system's limit.
    return target.with_name(f".{target.name[:40]}.{os.urandom(4).hex()}{SUFFIX}")


def waiting_of(target: Path) -> Path:
    """Return where the files wait of which `target` is the main one."""
    return target.with_name(f".{target.name}{SET}")


def is_unfinished(target: Path) -> bool:
    """Whether a file waits to take the place of `target`, or of what stands beside it."""
    try:
        with os.scandir(waiting_of(target)) as listing:
            return any(entry.name != JOURNAL for entry in listing)
    except OSError:
        return False
