"""Every writer under a full disk, a broken disk, missing permissions, Ctrl-C and kill, at each of its steps.

What stands there afterwards is the old state or the new, what was said is true, and no litter outlives the
next run. No command and no module that writes is left out.
"""

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import click
import pytest

from ckptkit.cli.app import group
from ckptkit.model.extras import missing
from tests.corpus import CHECKOUT
from tests.faults.layer import Faults, injected
from tests.faults.upkeep import UPKEEP
from tests.faults.writers import WRITERS

ALL = ("kill", "interrupt", "full", "broken", "forbidden")
SWEPT = WRITERS | UPKEEP
EXTRAS = {
    "onnx-file": "onnx",
    "onnx-in-bundle": "onnx",
    "save-for-training": "torch",
    "save-model-checkpoint": "torch",
}
SETS = {"sb3-set": 3, "sb3-set-new": 5, "sb3-set-flat": 6}
"""Writers that may leave a mix until the next run, and how many of all their faults do: a kill between two
renames, and what refuses the second rename twice. A folder that is made for the first counts as one."""
REMOVERS = frozenset(["prune", "slot-delete"])
"""What writes nothing."""
REPORT = ("report",)
COMMANDS: dict[str, tuple[str, ...]] = {
    "baseline": ("baseline",),
    "cache clean": (),
    "cache dir": (),
    "compat": REPORT,
    "convert": ("deploy", "v2", "sb3-zip", "sb3-folder", *SETS),
    "diff": REPORT,
    "explain": REPORT,
    "export onnx": ("onnx-file", "onnx-in-bundle", *REPORT),
    "inspect": REPORT,
    "migrate": (*(name for name in WRITERS if name.startswith("migrate")), *REPORT),
    "recover": REPORT,
    "repair": (*(name for name in UPKEEP if name.startswith("repair")), *REPORT),
    "rules": REPORT,
    "runs list": REPORT,
    "runs prune": ("prune", *REPORT),
    "runs publish": ("publish", "publish-first", "publish-again", *REPORT),
    "runs select": REPORT,
    "runs verify": REPORT,
    "scan": REPORT,
    "validate": REPORT,
}
"""What of a command is swept: all that it writes. The results cache is sqlite's to keep whole."""
WRITING = {
    "atomic": {"new_file", "new_files", "new_directory", "clear_leftovers"},
    "duplicate": {"copy_file", "copy_files"},
    "output": {"create"},
    "removing": {"discard"},
    "replacing": {"take_place", "step_aside", "waiting"},
    "swap": {"put_in_place", "made_folders", "remove"},
}
"""Functions of `storage` that change the disk, by module."""
WRITING_MODULES = frozenset(["artifact_index", "baseline_file"])
"""Modules of `storage` that others import whole."""
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="stops forked children")


def skip_without(writer: str) -> None:
    extra = EXTRAS.get(writer)
    if extra and missing(extra, extra):
        pytest.skip(f"{extra} is not installed")


@pytest.mark.slow
@pytest.mark.parametrize("writer", SWEPT)
def test_a_fault_at_any_step_leaves_the_old_or_the_new(writer: str, tmp_path: Path) -> None:
    skip_without(writer)
    run = subprocess.run(
        [sys.executable, "-m", "tests.faults.driver", str(tmp_path), writer, *ALL],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert "Traceback" not in run.stderr, run.stderr
    found = json.loads(run.stdout)
    calls = found["calls"]
    if writer in REMOVERS:
        assert {"os.rename", "os.remove"} < set(calls)
    else:
        assert {"write", "fsync"} < set(calls)
        assert len(calls) >= 8
    assert not found["problems"], "\n".join(found["problems"])
    assert found["mixes"] == SETS.get(writer, 0)


def leaves(command: click.Command, name: str = "") -> Iterator[str]:
    """Yield the names of all commands that do something."""
    if not isinstance(command, click.Group):
        yield name
        return
    context = click.Context(command)
    for each in command.list_commands(context):
        inner = command.get_command(context, each)
        assert inner is not None
        yield from leaves(inner, f"{name} {each}".strip())


def test_every_command_names_what_of_it_is_swept() -> None:
    assert set(leaves(group)) == set(COMMANDS)
    assert {name for each in COMMANDS.values() for name in each} <= set(SWEPT)


def imported(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield module and name of each import from `ckptkit.storage`, wherever it stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("ckptkit.storage"):
            for alias in node.names:
                yield (node.module or "").removeprefix("ckptkit.storage").removeprefix("."), alias.name


@cache
def writing_modules() -> frozenset[str]:
    """Return the modules outside `storage` that can change the disk."""
    found = set()
    for path in sorted((CHECKOUT / "ckptkit").rglob("*.py")):
        name = ".".join(path.relative_to(CHECKOUT).with_suffix("").parts).removesuffix(".__init__")
        if name.startswith("ckptkit.storage"):
            continue
        names = imported(ast.parse(path.read_text(encoding="utf-8")))
        if any(what in WRITING.get(module, ()) or what in WRITING_MODULES for module, what in names):
            found.add(name)
    return frozenset(found)


def test_no_module_that_writes_is_left_out(tmp_path: Path) -> None:
    """Which modules a writer goes through is seen, not said."""
    for writer in EXTRAS:
        skip_without(writer)
    wanted = writing_modules()
    assert len(wanted) >= 12
    seen: set[str] = set()
    for name, writer in SWEPT.items():
        folder = tmp_path / name
        folder.mkdir()
        writer.prepare(folder)
        with injected(Faults(folder)) as faults:
            writer.write(folder)
        seen |= faults.through
    assert wanted - seen == set()
