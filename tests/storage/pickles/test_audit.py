"""Reading a pickle imports, runs, opens and starts nothing."""

import pickle
import sys

import cloudpickle
import numpy as np

from ckptkit.errors import CkptkitError
from ckptkit.storage.pickles import load
from tests.storage.pickles.streams import name, read, text
from tests.storage.pickles.test_policy import UNSAFE

EVENTS: list[str] = []
RECORDING: list[bool] = []
FORBIDDEN = (
    "import",
    "exec",
    "compile",
    "open",
    "code.",
    "marshal.",
    "os.",
    "subprocess.",
    "socket.",
    "pickle.",
    "ctypes.",
)


def hook(event: str, arguments: tuple[object, ...]) -> None:
    if RECORDING and event.startswith(FORBIDDEN):
        EVENTS.append(f"{event} {arguments[:1]}")


sys.addaudithook(hook)


def test_nothing_happens() -> None:
    streams = [
        *UNSAFE.values(),
        *(
            pickle.dumps([np.arange(3), np.random.default_rng(0), {"a": 1}], protocol)
            for protocol in range(6)
        ),
        cloudpickle.dumps(lambda x: x + 1),
        b"\x80\x02" + name("antigravity", "x") + text("y") + b"\x85R.",
    ]
    load(b"Va\n.", where="first")  # Python imports a codec of its own when it is first used
    before = set(sys.modules)
    RECORDING.append(True)
    try:
        for stream in streams:
            try:
                read(stream)
            except CkptkitError:
                continue
    finally:
        RECORDING.clear()
    assert EVENTS == []
    assert set(sys.modules) == before
