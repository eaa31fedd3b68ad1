"""One file that takes long holds no other back, and the output has the order of the paths all the same.

In each process that shares the work, opening the slow file waits until it is released, and every other file
that is opened is noted. The test releases the slow one once all were opened, and fails where they wait.
"""

import os
import re
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ckptkit.api.spreading import FEW
from ckptkit.model.processors import processors
from tests.conftest import safetensors_bytes
from tests.corpus import CHECKOUT

FILES = FEW + 7
SLOW = "w_000"
HOOK = f"""
import multiprocessing, os, sys, time

def hook(event, arguments):
    if event != "open" or not isinstance(arguments[0], (str, bytes)):
        return
    folder, name = os.path.split(os.fsdecode(arguments[0]))
    if not name.startswith("w_") or folder == "noted" or multiprocessing.parent_process() is None:
        return
    stem = name.partition(".")[0]
    os.close(os.open(os.path.join("noted", stem), os.O_CREAT | os.O_WRONLY, 0o600))
    while stem == "{SLOW}" and not os.path.exists("released"):
        time.sleep(0.01)

sys.addaudithook(hook)
"""
JSON = ("--format", "json")
COMMANDS = {
    "inspect a directory": ("inspect", *JSON),
    "inspect each": ("inspect", "--assume", "relu", *JSON),
    "scan": ("scan", "--jobs", "2", *JSON),
    "validate": ("validate", "--no-cache", *JSON),
    "migrate": ("migrate", *JSON),
    "recover": ("recover", *JSON),
}
"""All but `scan` take processes for so many files by themselves."""


@pytest.mark.skipif(processors() < 2, reason="there is one processor, so no process but one by itself")
@pytest.mark.parametrize("name", COMMANDS)
def test_a_slow_file_holds_no_other_back(tmp_path: Path, name: str) -> None:
    stems = [f"w_{number:03}" for number in range(FILES)]
    for folder in ("site", "noted", "models"):
        (tmp_path / folder).mkdir()
    (tmp_path / "site/sitecustomize.py").write_text(HOOK)
    for number, stem in enumerate(stems):
        data = safetensors_bytes({"net.bias": ("F32", [1], struct.pack("<f", number))})
        (tmp_path / f"models/{stem}.safetensors").write_bytes(data)
    process = subprocess.Popen(
        [sys.executable, "-m", "ckptkit", *COMMANDS[name], "models"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path / "site"), str(CHECKOUT)])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        others_go_on(tmp_path / "noted", process)
    finally:
        (tmp_path / "released").touch()
        out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    said = dict.fromkeys(re.findall(r"\"models/(w_\d+)|\"path\": \"(w_\d+)", out))
    assert ["".join(one) for one in said] == stems


def others_go_on(noted: Path, process: "subprocess.Popen[str]") -> None:
    """Wait until every file was opened, the slow one included, while that one is still waited for."""
    for _ in range(3000):
        opened = len(list(noted.iterdir()))
        if opened == FILES:
            assert process.poll() is None
            return
        assert process.poll() is None, "it ended, and the slow file was not opened by a process of its own"
        time.sleep(0.01)
    pytest.fail(f"{FILES - opened} files wait for the slow one")
