"""How many processors there are to work with."""

import os


def processors() -> int:
    """Return how many processors this process may use, which a container often makes fewer than there are."""
    known = getattr(os, "sched_getaffinity", None)
    return len(known(0)) if known is not None else os.cpu_count() or 1
