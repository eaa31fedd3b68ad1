"""How much one small bundle costs to look at, in modules: what a command imports is its start-up time."""

from pathlib import Path

import pytest

from tests.architecture.test_imports import modules

FOR_SOME_FILES = frozenset(
    [
        "ckptkit.api.processes",
        "ckptkit.recovery",
        "ckptkit.storage.bytecode.classes",
        "ckptkit.storage.result_cache",
        "ckptkit.writers",
        "concurrent",
        "difflib",
        "jsonschema",
        "multiprocessing",
        "numpy",
        "platformdirs",
        "rich",
        "sqlite3",
    ]
)
"""What one sound bundle has no need of, and many files, broken ones or other formats have."""


@pytest.mark.parametrize(("command", "most"), [("inspect", 195), ("validate", 190)])
def test_one_bundle_imports_what_it_needs(command: str, most: int, bundle: Path) -> None:
    names = modules(command, bundle)
    assert not names & FOR_SOME_FILES
    assert len([name for name in names if name.startswith("ckptkit")]) <= most


def test_help_imports_its_own_six_modules() -> None:
    own = {name for name in modules("--help") if name.startswith("ckptkit")}
    assert len(own) <= 6
