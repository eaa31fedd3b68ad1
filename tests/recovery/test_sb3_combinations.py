"""Every combination: SB3 makes and saves it, ckptkit reads and rebuilds it, all compute the same."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import ckptkit
from ckptkit import recovery
from ckptkit.graph.shapes import infer, misfits
from ckptkit.graph.torch_module import GraphModule
from ckptkit.model.recovered import Hints, Recovered, Status
from tests.readers.sb3_models import read
from tests.recovery import sb3_oracle
from tests.recovery.comparing import compare, opened, run_onnx, run_torch
from tests.recovery.sb3_cases import Case, cases

CASES = cases()
FLOOR = 250
ALGORITHMS = 13
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")


def test_there_are_enough_combinations_of_every_algorithm() -> None:
    counted = Counter(case.algorithm for case in CASES)
    assert len(CASES) >= FLOOR
    assert len(counted) == ALGORITHMS
    assert min(counted.values()) >= 10, counted


def steps(case: Case, model: Any) -> list[tuple[dict[str, np.ndarray], dict[str, np.ndarray]]]:
    feed = sb3_oracle.observations(model)
    if case.algorithm == "RecurrentPPO":
        return sb3_oracle.two_steps(case, model, feed)
    if case.algorithm == "MaskablePPO":
        feed["action_mask"] = sb3_oracle.masks(model)
    return [(feed, sb3_oracle.expected(case, model, feed))]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_rebuilt_from_its_zip_it_computes_what_sb3_does(case: Case, tmp_path: Path) -> None:
    model = sb3_oracle.make(case)
    path, bundle = tmp_path / "model.zip", tmp_path / "bundle"
    model.save(path)
    checkpoint = read(path)
    found = recovery.recover(checkpoint, Hints())
    assert found.graph is not None, found.questions
    assert not list(misfits(infer(found.graph), checkpoint.tensors))
    check_fields(case, found)
    ckptkit.convert(path, "deploy", bundle)
    module = ckptkit.load(bundle)
    state = model.policy.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in module.state_dict().items())
    assert module.state_dict().keys() == state.keys()
    made = opened(bundle / "model.onnx")
    for feed, wanted in steps(case, model):
        compare(run_onnx(made, feed), wanted)
        compare(run_torch(module, feed), wanted)
        compare({"action": predicted(module, feed)}, {"action": wanted["action"]})


def predicted(module: GraphModule, feed: dict[str, np.ndarray]) -> np.ndarray:
    """Return what the loaded module's own predict gives for the inputs of a step."""
    observation = {name: value for name, value in feed.items() if name.startswith("obs")}
    state = tuple(feed[name] for name in ("state.0", "state.1") if name in feed) or None
    mask = feed.get("action_mask")
    return module.predict(observation, state, feed.get("episode_start"), mask)[0]


def check_fields(case: Case, found: Recovered) -> None:
    """What the case states is stated again, as proven."""
    assert found.config["algorithm"].value == case.algorithm or case.algorithm == "DDPG"
    for name, value in case.kwargs.items():
        if name in found.config and name not in ("net_arch", "activation_fn"):
            assert found.config[name].value == value
            assert found.config[name].status is Status.PROVEN
    if "activation_fn" in case.kwargs and case.kwargs.get("net_arch"):
        assert found.config["activation_fn"].value == case.kwargs["activation_fn"].__name__
    assert all(field.evidence for field in found.config.values())
