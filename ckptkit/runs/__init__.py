"""What is done with the checkpoints of training runs: choose, rank, keep, prune, play and publish them.

Nothing here knows one system from another. Each function is imported when it is first asked for.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ckptkit.runs.playing import Move, play
    from ckptkit.runs.publishing import artifacts, publish, resolve, verify
    from ckptkit.runs.retaining import prune
    from ckptkit.runs.selecting import leaderboard, select
    from ckptkit.runs.slots import Slots

MODULES = {
    "Move": "playing",
    "Slots": "slots",
    "artifacts": "publishing",
    "leaderboard": "selecting",
    "play": "playing",
    "prune": "retaining",
    "publish": "publishing",
    "resolve": "publishing",
    "select": "selecting",
    "verify": "publishing",
}
"""Public names and the modules that have them."""

__all__ = [
    "Move",
    "Slots",
    "artifacts",
    "leaderboard",
    "play",
    "prune",
    "publish",
    "resolve",
    "select",
    "verify",
]


def __getattr__(name: str) -> object:
    """Import the module of a public name when that is first asked for."""
    if name not in MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{MODULES[name]}"), name)
