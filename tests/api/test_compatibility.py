"""How far a checkpoint fits, and every reason why no further."""

import json
import shutil
from pathlib import Path

import gymnasium
import numpy as np
import pytest
import torch

import ckptkit
from ckptkit import api
from ckptkit.api import compatibility
from ckptkit.api.misfits import misfits
from ckptkit.errors import NotACheckpointError, UsageError
from ckptkit.model.compatibility import Aspect, Compatibility, Facts, Fit
from tests.corpus import CHECKOUT
from tests.recovery.seed_models import Dqn, Tower, model_config, versioned

FIXTURES = CHECKOUT / "fixtures"
PPO = FIXTURES / "sb3" / "ppo" / "model.zip"
SHAPE = (2, 36, 36)


def reasons(found: Compatibility, aspect: Aspect) -> dict[str, Fit]:
    return {reason.place: reason.fit for reason in found.reasons if reason.aspect is aspect}


@pytest.fixture
def dqn(tmp_path: Path) -> Path:
    made = Dqn(SHAPE, 4)
    path = tmp_path / "dqn.pth"
    torch.save(versioned(made, model_config(made, SHAPE)), path)
    return path


def test_a_file_fits_the_bundle_made_from_it(tmp_path: Path) -> None:
    api.convert(PPO, "deploy", tmp_path / "bundle")
    found = ckptkit.check_compatibility(PPO, tmp_path / "bundle")
    assert found.fit is Fit.FULL
    assert {Aspect.SPACES, Aspect.ARCHITECTURE, Aspect.TENSORS, Aspect.VERSIONS} <= set(found.compared)
    assert (found.beside, found.ways) == ((), ())


def test_other_agents_do_not_fit_and_the_ways_out_are_named(tmp_path: Path) -> None:
    shutil.copy(PPO, tmp_path / "ppo.zip")
    shutil.copy(FIXTURES / "sb3" / "dqn" / "model.zip", tmp_path / "dqn.zip")
    found = ckptkit.check_compatibility(tmp_path / "ppo.zip", tmp_path / "dqn.zip")
    assert found.fit is Fit.NONE
    assert reasons(found, Aspect.TENSORS)
    assert found.beside == (str(tmp_path / "dqn.zip"),)
    assert any(way.startswith("ckptkit diff ") for way in found.ways)


def test_each_part_of_a_space_is_compared() -> None:
    box = {"type": "Box", "shape": [3], "dtype": "float32", "low": 0.0, "high": 1.0}
    image = {"type": "Box", "shape": [4, 4], "dtype": "uint8", "low": 0.0, "high": 255.0}
    one = {"type": "Dict", "spaces": [{"key": "a", "space": box}, {"key": "b", "space": image}]}
    other = {
        "type": "Dict",
        "spaces": [
            {"key": "a", "space": box | {"dtype": "float64", "high": 2.0}},
            {"key": "c", "space": image},
        ],
    }
    have = Facts(label="a", spaces={"observation": one, "action": {"type": "Discrete", "n": 3, "start": 0}})
    want = Facts(label="b", spaces={"observation": other, "action": {"type": "Discrete", "n": 4, "start": 0}})
    found = [(reason.place, reason.fit, reason.message) for reason in misfits(have, want)]
    assert found == [
        ("observation.a", Fit.PARTIAL, "dtype is float32, and float64 is wanted"),
        ("observation.a", Fit.PARTIAL, "high is 1.0, and 2.0 is wanted"),
        ("observation.b", Fit.NONE, "is one too many"),
        ("observation.c", Fit.NONE, "is missing"),
        ("action", Fit.NONE, "n is 3, and 4 is wanted"),
    ]


def test_a_module_is_compared_by_its_state_dict(dqn: Path) -> None:
    assert ckptkit.check_compatibility(dqn, Dqn(SHAPE, 4)).fit is Fit.FULL
    other = ckptkit.check_compatibility(dqn, Dqn(SHAPE, 6))
    assert (other.fit, other.compared) == (Fit.PARTIAL, (Aspect.TENSORS,))
    assert reasons(other, Aspect.TENSORS) == {"fc.2.weight": Fit.PARTIAL, "fc.2.bias": Fit.PARTIAL}
    half = ckptkit.check_compatibility(dqn, Dqn(SHAPE, 4).half())
    assert set(reasons(half, Aspect.TENSORS).values()) == {Fit.PARTIAL}
    nothing = ckptkit.check_compatibility(dqn, torch.nn.Linear(2, 2))
    assert nothing.fit is Fit.NONE
    assert len(nothing.reasons) == 2 + len(Dqn(SHAPE, 4).state_dict())


def test_a_configuration_is_compared_field_by_field(dqn: Path) -> None:
    config = model_config(Dqn(SHAPE, 4), SHAPE)
    assert ckptkit.check_compatibility(dqn, config).fit is Fit.FULL
    found = ckptkit.check_compatibility(dqn, config | {"n_action": np.int64(6), "input_shape": [3, 36, 36]})
    assert reasons(found, Aspect.ARCHITECTURE) == {"n_action": Fit.PARTIAL, "input_shape": Fit.PARTIAL}
    unsaid = ckptkit.check_compatibility(dqn, {"n_action": 4, "colour": "red"})
    assert (unsaid.fit, [reason.place for reason in unsaid.reasons]) == (Fit.FULL, ["colour"])


def test_the_systems_own_configuration_is_one_too(dqn: Path) -> None:
    _, config, *_ = ckptkit.load_model_checkpoint(dqn)
    assert ckptkit.check_compatibility(dqn, config).fit is Fit.FULL


def test_environments_and_spaces_are_compared() -> None:
    inspection = api.inspect(PPO)
    assert ckptkit.check_compatibility(PPO, inspection.spaces).fit is Fit.FULL
    space = inspection.spaces["observation"]
    assert isinstance(space, dict)
    shape = tuple(space["shape"])

    class Env(gymnasium.Env):  # type: ignore[misc]
        observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (shape[0] + 1, *shape[1:]), np.float32)
        action_space = gymnasium.spaces.Discrete(9)

    found = ckptkit.check_compatibility(PPO, Env())
    assert (found.fit, found.against) == (Fit.NONE, "Env")
    assert {"observation", "action"} <= reasons(found, Aspect.SPACES).keys()
    spaces = gymnasium.spaces
    inner = spaces.Dict({"a": spaces.MultiBinary(3), "b": spaces.Tuple([spaces.MultiDiscrete([2, 3])])})
    assert ckptkit.check_compatibility(PPO, {"observation": inner}).fit is Fit.NONE


def test_names_of_actions_are_compared_with_their_order(tmp_path: Path) -> None:
    for name, actions in (("a", ["left", "right"]), ("b", ["right", "left"]), ("c", ["left", "jump"])):
        content: dict[str, object] = {
            "model_state_dict": {"w": torch.ones(1)},
            "metadata": {"action_names": actions},
        }
        torch.save(
            {**content, "checkpoint_format_version": 2, "model_type": "brain"}, tmp_path / f"{name}.pt"
        )
    order = ckptkit.check_compatibility(tmp_path / "a.pt", tmp_path / "b.pt")
    assert reasons(order, Aspect.ACTIONS) == {"order": Fit.PARTIAL}
    names = ckptkit.check_compatibility(tmp_path / "a.pt", tmp_path / "c.pt")
    assert reasons(names, Aspect.ACTIONS) == {"jump": Fit.PARTIAL, "right": Fit.PARTIAL}


def test_without_another_the_installation_is_compared(monkeypatch: pytest.MonkeyPatch, dqn: Path) -> None:
    found = ckptkit.check_compatibility(dqn)
    assert found.fit is Fit.FULL
    assert Aspect.EXTRAS in found.compared
    monkeypatch.setattr(compatibility, "missing", lambda extra: "onnx" if extra == "onnx" else "")
    without = ckptkit.check_compatibility(dqn)
    assert (without.fit, reasons(without, Aspect.EXTRAS)) == (Fit.PARTIAL, {"onnx": Fit.PARTIAL})
    assert "pip install 'ckptkit[onnx]'" in without.ways


def test_versions_of_libraries_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compatibility, "_installed", lambda _: "1.8.0")
    found = ckptkit.check_compatibility(PPO)
    assert reasons(found, Aspect.VERSIONS)["stable-baselines3"] is Fit.PARTIAL
    monkeypatch.setattr(compatibility, "_installed", lambda _: "")
    assert reasons(ckptkit.check_compatibility(PPO), Aspect.VERSIONS) == {}


def test_other_input_channels_alone_can_be_adapted(tmp_path: Path) -> None:
    for planes in (46, 51):
        torch.save(Tower(planes, 8, 1, None).state_dict(), tmp_path / f"{planes}.pth")
    found = ckptkit.check_compatibility(tmp_path / "46.pth", tmp_path / "51.pth")
    assert (found.fit, "--adapt input-channels=51" in found.ways[0]) == (Fit.PARTIAL, True)
    assert "stem.weight" in reasons(found, Aspect.TENSORS)


def test_an_open_question_is_partial_until_a_flag_settles_it(tmp_path: Path) -> None:
    path = tmp_path / "bare.pth"
    torch.save(Dqn(SHAPE, 4).state_dict(), path)
    assert ckptkit.check_compatibility(path).fit is Fit.PARTIAL
    known = ckptkit.check_compatibility(path, input_shape=SHAPE, assume=["asteroids"])
    assert known.fit is Fit.FULL


def test_refused_files_fit_nothing_and_unreadable_ones_are_errors(tmp_path: Path, dqn: Path) -> None:
    unknown = FIXTURES / "torch" / "versioned_unknown" / "model.pt"
    found = ckptkit.check_compatibility(unknown)
    assert (found.fit, found.reasons[0].aspect) == (Fit.NONE, Aspect.FORMAT)
    assert "3.0" in found.reasons[0].message
    assert ckptkit.check_compatibility(unknown, dqn).fit is Fit.NONE
    with pytest.raises(NotACheckpointError):
        ckptkit.check_compatibility(tmp_path / "nothing")
    with pytest.raises(UsageError, match="says nothing of a network"):
        ckptkit.check_compatibility(dqn, 17)
    with pytest.raises(UsageError, match="no plain data"):
        ckptkit.check_compatibility(dqn, {"n_action": object()})


def test_the_report_keeps_its_schema(dqn: Path) -> None:
    from ckptkit import report, schema

    for against in (None, PPO, Dqn(SHAPE, 6)):
        found = ckptkit.check_compatibility(dqn, against)
        document = json.loads(report.compatibility(found, "json"))
        assert schema.validate("compat-report-1.0", document, strict=True) == []
