"""How processes are started: as copies only where nothing else runs in this one."""

import subprocess
import sys
from pathlib import Path

import pytest

CHILD = """
import _thread, threading, time
from ckptkit.api.processes import _may_copy
found = [_may_copy()]
held = threading.Event()
other = threading.Thread(target=held.wait)
other.start()
found.append(_may_copy())
held.set()
other.join()
until = time.monotonic() + 10
while not _may_copy() and time.monotonic() < until:  # the system takes a moment to forget it
    time.sleep(0.01)
found.append(_may_copy())
lock = threading.Lock()
lock.acquire()
_thread.start_new_thread(lock.acquire, ())  # as a library's, unknown to `threading`
found.append(_may_copy())
print(found)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="copies are made on Linux alone")
def test_a_process_with_other_threads_is_not_copied() -> None:
    run = subprocess.run([sys.executable, "-c", CHILD], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[True, False, True, False]"


OTHER = """
import sys
from ckptkit.api.processes import _may_copy
found = [_may_copy()]
for sys.platform in ("darwin", "win32"):
    found.append(_may_copy())
print(found)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="copies are made on Linux alone")
def test_other_systems_start_new_interpreters() -> None:
    run = subprocess.run([sys.executable, "-c", OTHER], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[True, False, False]"


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
