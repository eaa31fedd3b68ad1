"""Every torch file of the corpus gives the tensors that torch reads."""

import json
from functools import cache
from pathlib import Path

import pytest

import ckptkit
from ckptkit.digest import tensor_sha256
from ckptkit.errors import UnknownVersionError
from ckptkit.model.dtype import BY_TORCH
from ckptkit.model.finding import Verdict
from ckptkit.storage.probe import Probe
from tests.corpus import corpus_files, corpus_root

FOLDERS = ("seed_systems", "metta_real")
SUFFIXES = (".pt", ".pth")


@cache
def _truth(folder: str) -> dict[str, dict[str, tuple[str, list[int], str]]]:
    root = corpus_root()
    assert root is not None
    return json.loads((root / folder / "tensors.json").read_text())


FILES = [(folder, path) for folder in FOLDERS for path in corpus_files(folder, suffixes=SUFFIXES)]


@pytest.mark.corpus
@pytest.mark.parametrize(("folder", "path"), FILES, ids=[f"{f}-{p.parent.name}-{p.stem}" for f, p in FILES])
def test_tensors_are_those_that_torch_reads(folder: str, path: Path) -> None:
    root = corpus_root()
    assert root is not None
    wanted = _truth(folder)[path.relative_to(root / folder).as_posix()]
    probe = Probe(path)
    if probe.torch is not None and _states_future_version(probe.torch.root):
        with pytest.raises(UnknownVersionError, match="is 3"):
            ckptkit.read(path)
        return
    checkpoint = ckptkit.read(path)
    found = {name: [t.dtype.name, list(t.shape), tensor_sha256(t)] for name, t in checkpoint.tensors.items()}
    assert found == {name: [BY_TORCH[d].name, shape, sha] for name, (d, shape, sha) in wanted.items()}
    assert checkpoint.verdict in (Verdict.DATA_ONLY, Verdict.CONTAINS_CODE)
    assert checkpoint.carries_code or checkpoint.verdict is Verdict.DATA_ONLY


def _states_future_version(root: object) -> bool:
    return isinstance(root, dict) and root.get("checkpoint_format_version") == 3


@pytest.mark.corpus
def test_corpus_is_not_empty() -> None:
    assert len(FILES) >= 26
