"""How processes are started: as copies only where nothing else runs in this one."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from ckptkit.api import processes

CHILD = """
import sys, threading
from ckptkit.api.processes import _may_copy
found = [_may_copy()]
held = threading.Event()
other = threading.Thread(target=held.wait)
other.start()
found.append(_may_copy())
held.set()
other.join()
found.append(_may_copy())
import numpy
found.append(_may_copy())
print(found)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="copies are made on Linux alone")
def test_a_process_with_other_threads_is_not_copied() -> None:
    run = subprocess.run([sys.executable, "-c", CHILD], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[True, False, True, False]"


def test_other_systems_start_new_interpreters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading, "active_count", lambda: 1)
    monkeypatch.setattr(processes, "_WITH_THREADS", ())
    for system in ("darwin", "win32"):
        monkeypatch.setattr(sys, "platform", system)
        assert not processes._may_copy()


POOL = """
import threading
from ckptkit.api.processes import pool
if __name__ == "__main__":
    held = threading.Event()
    if {other}:
        threading.Thread(target=held.wait).start()
    with pool(2) as executor:
        print(list(executor.map(abs, range(-5, 0))))
    held.set()
"""


@pytest.mark.parametrize("other", [True, False])
def test_results_are_the_same_either_way(other: bool, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(POOL.format(other=other))
    run = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True)
    assert (run.stdout, run.stderr) == ("[5, 4, 3, 2, 1]\n", "")
