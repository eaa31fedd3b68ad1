"""The layers of the package, as import-linter knows them from pyproject.toml."""

import re
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]


def test_import_linter_keeps_every_contract() -> None:
    code = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
    kept = re.search(r"(\d+) kept, 0 broken", run.stdout)
    assert kept
    assert int(kept[1]) >= 3
