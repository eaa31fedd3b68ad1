"""Published agents and cases of the corpus: the recovered graph gives SB3's own outputs."""

from pathlib import Path

import numpy as np
import pytest

from ckptkit import recovery
from ckptkit.graph.shapes import infer, misfits
from ckptkit.model.recovered import Hints
from tests.corpus import corpus_files, corpus_root
from tests.readers.sb3_models import read
from tests.recovery.comparing import run_onnx, session

NAMES = {
    "action": "action",
    "logits": "logits",
    "policy": "logits",
    "mean": "mean_actions",
    "value": "value",
    "q": "q_values",
    "quantiles": "quantiles",
}
STATES = ("state.0", "state.1")
FILES = corpus_files("sb3_agents", "sb3_cases", "seed_systems/snake", suffixes=[".zip"])
FLOOR = 69
pytestmark = pytest.mark.corpus


def expected(path: Path) -> dict[str, np.ndarray]:
    root = corpus_root()
    assert root is not None
    files = root / "sb3_agents" / "files"
    if path.is_relative_to(files):
        name = str(path.relative_to(files).with_suffix("")).replace("/", "__")
        return dict(np.load(root / "sb3_agents" / "expected" / f"{name}.npz"))
    near = (folder / "expected.npz" for folder in path.parents)
    return dict(np.load(next(file for file in near if file.is_file())))


def feed(made, wanted: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the inputs of the first step: no state yet, every action allowed."""
    given = {name: value for name, value in wanted.items() if name.startswith("obs")}
    batch = len(next(iter(given.values())))
    for one in made.get_inputs():
        shape = [size if isinstance(size, int) else batch for size in one.shape]
        kind = bool if "bool" in one.type else np.float32
        given.setdefault(one.name, np.full(shape, one.name == "action_mask", kind))
    return given


def close(wanted: np.ndarray, got: np.ndarray) -> None:
    assert got.size == wanted.size
    if wanted.dtype.kind in "iub":
        np.testing.assert_array_equal(got.reshape(wanted.shape), wanted)
    else:
        np.testing.assert_allclose(got.reshape(wanted.shape), wanted, rtol=1e-5, atol=1e-5)


def test_the_corpus_is_whole() -> None:
    assert len(FILES) >= FLOOR


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_the_recovered_graph_gives_sb3s_outputs(path: Path) -> None:
    checkpoint, wanted = read(path), expected(path)
    found = recovery.recover(checkpoint, Hints())
    assert found.graph is not None, found.questions
    assert not found.unexplained
    assert not list(misfits(infer(found.graph), checkpoint.tensors))
    made = session(found, checkpoint)
    given = feed(made, wanted)
    got = run_onnx(made, given)
    compared = [name for name in NAMES if name in wanted]
    assert compared
    for name in compared:
        close(wanted[name], got[NAMES[name]])
    if "state.0" in wanted:
        for name in STATES:
            close(wanted[name], got[f"next_{name}"])
        second = run_onnx(made, given | {name: wanted[name] for name in STATES})
        close(wanted["action.step2"], second["action"])
        close(wanted["state.step2.0"], second["next_state.0"])
