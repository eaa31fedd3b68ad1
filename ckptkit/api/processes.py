"""A pool of processes that ends with the one that made it."""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from ckptkit.errors import CkptkitError


@contextmanager
def pool(count: int) -> Iterator[ProcessPoolExecutor]:
    """Give a pool of `count` processes.

    When the block is left by an error, by Ctrl-C say, what has begun is finished and the rest dropped.

    Raises:
        CkptkitError: One of the processes was ended from outside.
    """
    context = multiprocessing.get_context("fork" if _may_copy() else "spawn")
    executor = ProcessPoolExecutor(count, mp_context=context, initializer=_begin)
    try:
        yield executor
    except BrokenExecutor as error:
        what = "a process that shared the work was killed, often because memory ran out"
        raise CkptkitError(what, fix="let fewer work at once: --jobs 1") from error
    finally:
        executor.shutdown(cancel_futures=True)


def _may_copy() -> bool:
    """Whether a process may be a copy of this one, which starts sooner than a new interpreter.

    A copy has none of the other threads of this process, those of libraries among them, and would wait for
    ever for what they hold. Linux says how many there are.
    """
    try:
        return sys.platform == "linux" and len(list(Path("/proc/self/task").iterdir())) == 1
    except OSError:
        return False


def _begin() -> None:
    """Leave Ctrl-C to the process that made the pool, and do not outlive it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
