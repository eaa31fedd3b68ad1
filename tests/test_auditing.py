"""The audit hook itself: each harmful act is noticed, and so is each part of the trap."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.corpus import CHECKOUT

HARMFUL = {
    "import": "import this_is_no_module",
    "write": "open({path!r}, 'w').close()",
    "remove": "import os; os.remove({path!r})",
    "exec": "exec('1 + 1')",
    "compile": "compile('1', 'x', 'eval')",
    "code": "(lambda: 0).__code__.replace(co_name='x')",
    "process": "import subprocess; subprocess.run(['true'])",
    "system": "import os; os.system('true')",
    "socket": "import socket; socket.socket().close()",
    "unpickle": "import pickle; pickle.loads(b'cos\\nsystem\\n.')",
}


@pytest.mark.parametrize("kind", HARMFUL)
def test_the_hook_sees(kind: str, tmp_path: Path) -> None:
    """The hook itself is tested: each harmful act is noticed."""
    target = tmp_path / "file"
    target.write_text("x")
    act = HARMFUL[kind].format(path=str(target))
    code = (
        "import contextlib, os, pickle, socket, subprocess\n"
        "from tests.auditing import audit\n"
        "with audit() as record, contextlib.suppress(ImportError):\n"
        f"    {act}\n"
        "print(len(record.violations), 'this_is_no_module' in record.imports)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True, check=True
    )
    count, imported = run.stdout.split()
    assert imported == "True" if kind == "import" else int(count) >= 1


def test_the_trap_sees_an_import_of_what_is_loaded() -> None:
    code = (
        "import site\n"
        "from tests.auditing import audit\n"
        "with audit() as record:\n"
        "    exec('import json, site', {'__name__': 'ckptkit.readers'})\n"
        "print(*record.violations)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True, check=True
    )
    assert "ckptkit.readers imports site" in run.stdout
    assert "imports json" not in run.stdout


def test_the_trap_sees_a_call_of_what_hostile_files_name() -> None:
    code = (
        "import multiprocessing, os\n"
        "from tests.auditing import audit\n"
        "with audit() as record:\n"
        "    multiprocessing.current_process().is_alive()\n"
        "    harmless = len(record.violations)\n"
        "    eval('os.getpid()', {'__name__': 'ckptkit.readers', 'os': os})\n"
        "print(harmless, *record.violations)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True, check=True
    )
    assert run.stdout.startswith("0 ")
    assert "ckptkit.readers calls os.getpid" in run.stdout
