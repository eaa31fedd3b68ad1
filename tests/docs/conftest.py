"""A place to run the documents' blocks in."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from fixtures import system_runs
from tests.corpus import CHECKOUT
from tests.docs.blocks import demo_zip


@dataclass(frozen=True)
class Place:
    """A folder that holds what a user has, and a shell in it."""

    folder: Path
    environment: dict[str, str]

    def bash(self, script: str) -> subprocess.CompletedProcess[str]:
        """Run a script, standard error going where standard output goes."""
        return subprocess.run(
            ["bash", "-e", "-c", script],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, documents_zip: Path) -> Place:
    """An empty folder with one legacy checkpoint, `ppo.zip`, and `ckptkit` on the path."""
    return furnish(tmp_path_factory.mktemp("documents"), tmp_path_factory.mktemp("tools"), documents_zip)


@pytest.fixture(scope="module")
def systems_place(tmp_path_factory: pytest.TempPathFactory, documents_zip: Path) -> Place:
    """Likewise, with the folders of five training systems, for the documents in `docs/systems`."""
    folder = tmp_path_factory.mktemp("systems")
    system_runs.make(folder)
    return furnish(folder, tmp_path_factory.mktemp("tools"), documents_zip)


def furnish(folder: Path, tools: Path, source: Path) -> Place:
    """Make `folder` the place, with a `ckptkit` in `tools` that is the one of this checkout."""
    script = tools / "ckptkit"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m ckptkit "$@"\n')
    script.chmod(0o755)
    shutil.copy(source, folder / "ppo.zip")
    keep = {name: value for name, value in os.environ.items() if name not in {"FORCE_COLOR", "NO_COLOR"}}
    path = os.pathsep.join([str(tools), str(Path(sys.executable).parent), keep["PATH"]])
    return Place(folder, {**keep, "PATH": path, "PYTHONPATH": str(CHECKOUT), "LC_ALL": "C.UTF-8"})


@pytest.fixture(scope="session")
def documents_zip() -> Path:
    """The legacy Stable-Baselines3 zip that the documents speak of."""
    return demo_zip()
