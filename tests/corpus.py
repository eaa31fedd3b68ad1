"""Where the corpus of real checkpoints is, and what is in it.

Tests that use it carry `@pytest.mark.corpus`. They are skipped by name where it is absent; where
`CI` is set and it is present, a skipped one is a failure (`tests/conftest.py`).
"""

import os
from collections.abc import Iterable
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
FOLDERS = ("metta_real", "sb3_agents", "sb3_cases", "seed_systems")
SUFFIXES = (".dill", ".mpt", ".pkl", ".pt", ".pth", ".zip")


def corpus_root() -> Path | None:
    """Return the corpus folder: `$CKPTKIT_CORPUS`, else `../shared/corpus`; None where it is absent."""
    named = os.environ.get("CKPTKIT_CORPUS")
    root = Path(named) if named else CHECKOUT.parent / "shared" / "corpus"
    return root.resolve() if root.is_dir() else None


def corpus_files(*folders: str, suffixes: Iterable[str] = SUFFIXES) -> list[Path]:
    """Return the checkpoint files of `folders` (all of them where none is named), sorted by path.

    Empty where the corpus is absent, so that it can feed `parametrize` while tests are collected.
    """
    root = corpus_root()
    if root is None:
        return []
    wanted = frozenset(suffixes)
    found = (path for folder in folders or FOLDERS for path in (root / folder).rglob("*"))
    return sorted(path for path in found if path.suffix in wanted and path.is_file())
