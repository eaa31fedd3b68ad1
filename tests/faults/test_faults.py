"""Every writer under a full disk, a broken disk, missing permissions, Ctrl-C and kill, at each of its steps.

What stands there afterwards is the old state or the new, what was said is true, and no litter outlives the
next run.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ckptkit.model.extras import missing
from tests.corpus import CHECKOUT
from tests.faults.writers import WRITERS

ALL = ("kill", "interrupt", "full", "broken", "forbidden")
EXTRAS = {
    "onnx-file": "onnx",
    "onnx-in-bundle": "onnx",
    "save-for-training": "torch",
    "save-model-checkpoint": "torch",
}
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="stops forked children")


@pytest.mark.slow
@pytest.mark.parametrize("writer", WRITERS)
def test_a_fault_at_any_step_leaves_the_old_or_the_new(writer: str, tmp_path: Path) -> None:
    extra = EXTRAS.get(writer)
    if extra and missing(extra, extra):
        pytest.skip(f"{extra} is not installed")
    run = subprocess.run(
        [sys.executable, "-m", "tests.faults.driver", str(tmp_path), writer, *ALL],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout)
    assert {"write", "fsync"} < set(found["calls"])
    assert len(found["calls"]) >= 8
    assert not found["problems"], "\n".join(found["problems"])
    assert "Traceback" not in run.stderr
