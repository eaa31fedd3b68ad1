"""Published agents of every SB3 release: tensors as torch reads them, every cell understood."""

import hashlib
import json

import pytest

from ckptkit.model.finding import Verdict
from ckptkit.storage.sb3.schedules import SCHEDULES
from tests.corpus import corpus_files, corpus_root
from tests.readers.sb3_models import read

pytestmark = pytest.mark.corpus

ZIPS = corpus_files("sb3_agents", "sb3_cases", "seed_systems", suffixes=[".zip"])
STATISTICS = corpus_files("sb3_agents", suffixes=[".pkl"])


def relative(path):
    return str(path.relative_to(corpus_root()))


@pytest.fixture(scope="module")
def truth():
    root = corpus_root()
    agents = json.loads((root / "sb3_agents" / "tensors.json").read_text())
    systems = json.loads((root / "seed_systems" / "tensors.json").read_text())
    return {f"sb3_agents/files/{name}": t for name, t in agents.items()} | {
        f"seed_systems/{name}": t for name, t in systems.items() if name.endswith(".zip")
    }


def test_nothing_is_missing(truth):
    assert len(truth) >= 60
    assert len(ZIPS) >= 74
    assert len(STATISTICS) >= 25


@pytest.mark.parametrize("path", ZIPS, ids=relative)
def test_zip(path, truth):
    checkpoint = read(path)
    stated = truth.get(relative(path))
    found = {
        name: [list(t.shape), hashlib.sha256(t.tobytes()).hexdigest()]
        for name, t in checkpoint.tensors.items()
    }
    assert found
    assert stated is None or found == {name: rest for name, (_, *rest) in stated.items()}
    assert checkpoint.verdict in {Verdict.DATA_ONLY, Verdict.CONTAINS_CODE}
    assert "algorithm" in checkpoint.model_config
    assert {space["type"] for space in checkpoint.spaces.values()} <= {
        "Box",
        "Dict",
        "Discrete",
        "MultiDiscrete",
    }
    schedules = [checkpoint.training_info["data"].get(field) for field in SCHEDULES]
    unknown = [s for s in schedules if isinstance(s, dict) and s["schedule"] not in {"constant", "linear"}]
    assert not unknown


@pytest.mark.parametrize("path", STATISTICS, ids=relative)
def test_statistics(path):
    checkpoint = read(path)
    assert checkpoint.verdict is Verdict.DATA_ONLY
    assert len(checkpoint.preprocessing) == 1
