"""The folders of five training systems, with networks of their real form."""

from pathlib import Path

import pytest

from fixtures.system_runs import make


@pytest.fixture(scope="session")
def systems(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `asteroids`, `keisei`, `metta`, `snake` and `tetris`."""
    folder = tmp_path_factory.mktemp("systems")
    make(folder)
    return folder
