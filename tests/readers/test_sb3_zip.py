"""SB3 zips: SB3 and torch are the oracles, over every algorithm and kind of space."""

import io
import zipfile

import numpy as np
import pytest
import sb3_contrib
import stable_baselines3 as sb3
import torch
from gymnasium import spaces
from gymnasium.wrappers import TimeLimit
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor

from ckptkit.model.finding import Verdict
from ckptkit.model.inert import ClassRef
from ckptkit.model.tensor import Tensor
from ckptkit.readers import find, sb3_zip
from ckptkit.storage.probe import Probe
from tests.readers.sb3_models import (
    BOX,
    SMALL,
    Env,
    changed,
    digests,
    members,
    ppo,
    read,
    torch_digests,
    write,
)

BUFFER = {"buffer_size": 2}
ON_POLICY = {"n_steps": 8, "batch_size": 8}
CONTINUOUS = spaces.Box(-2.0, 2.0, (2,))
ALGORITHMS = {
    "A2C": (sb3.A2C, "MlpPolicy", spaces.Discrete(3), {}),
    "DDPG": (sb3.DDPG, "MlpPolicy", CONTINUOUS, BUFFER),
    "DQN": (sb3.DQN, "MlpPolicy", spaces.Discrete(3), BUFFER),
    "PPO": (sb3.PPO, "MlpPolicy", spaces.MultiBinary(2), ON_POLICY),
    "SAC": (sb3.SAC, "MlpPolicy", CONTINUOUS, BUFFER),
    "TD3": (sb3.TD3, "MlpPolicy", CONTINUOUS, BUFFER),
    "ARS": (sb3_contrib.ARS, "LinearPolicy", CONTINUOUS, {}),
    "CrossQ": (sb3_contrib.CrossQ, "MlpPolicy", CONTINUOUS, BUFFER),
    "MaskablePPO": (sb3_contrib.MaskablePPO, "MlpPolicy", spaces.Discrete(3), ON_POLICY),
    "QRDQN": (sb3_contrib.QRDQN, "MlpPolicy", spaces.Discrete(3), BUFFER),
    "RecurrentPPO": (sb3_contrib.RecurrentPPO, "MlpLstmPolicy", spaces.Discrete(3), ON_POLICY),
    "TQC": (sb3_contrib.TQC, "MlpPolicy", CONTINUOUS, BUFFER),
    "TRPO": (sb3_contrib.TRPO, "MlpPolicy", CONTINUOUS, ON_POLICY),
}


@pytest.mark.parametrize("name", ALGORITHMS)
def test_every_algorithm(name, tmp_path):
    cls, policy, action, kwargs = ALGORITHMS[name]
    extra = {"lstm_hidden_size": 4} if name == "RecurrentPPO" else {}
    net = {} if name == "ARS" else {"policy_kwargs": dict(SMALL) | extra}
    model = cls(policy, Env(BOX, action), seed=0, **kwargs, **net)
    path = tmp_path / "model.zip"
    model.save(path)
    checkpoint = read(path)
    found = members(path)
    assert checkpoint.model_config["algorithm"] == name
    assert checkpoint.format_version == sb3.__version__
    assert checkpoint.verdict is Verdict.DATA_ONLY
    assert not checkpoint.notes
    assert digests(checkpoint.tensors) == torch_digests(found["policy.pth"])
    assert list(checkpoint.tensors) == list(model.policy.state_dict())
    expected = {n.removesuffix(".pth") for n in found if n.endswith(".pth")} - {"policy"}
    assert set(checkpoint.training_state) - {"data"} == expected
    assert checkpoint.model_config["policy_class"].name == type(model.policy).__name__
    assert dict(checkpoint.model_config["policy_kwargs"]) == plain(model.policy_kwargs)


def plain(kwargs):
    return {k: ClassRef(v.__module__, v.__name__) if isinstance(v, type) else v for k, v in kwargs.items()}


def test_the_thirteen_algorithms_are_all_there():
    assert len(ALGORITHMS) == 13


SPACES = [
    spaces.Box(np.array([-1.5, -np.inf], np.float32), np.array([0.1, np.inf], np.float32)),
    spaces.Box(0, 255, (36, 36, 3), np.uint8),
    spaces.Discrete(4),
    spaces.MultiDiscrete([3, 2]),
    spaces.MultiBinary(3),
    spaces.Dict(a=spaces.Box(-1.0, 2.0, (2,)), b=spaces.Discrete(2)),
]


@pytest.mark.parametrize("space", SPACES, ids=lambda space: type(space).__name__)
def test_every_kind_of_observation(space, tmp_path):
    policy = {"Dict": "MultiInputPolicy"}.get(type(space).__name__, "MlpPolicy")
    policy = "CnnPolicy" if space.shape == (36, 36, 3) else policy
    model = ppo(policy=policy, observation=space)
    model.save(tmp_path / "m.zip")
    checkpoint = read(tmp_path / "m.zip")
    data = checkpoint.spaces["observation"]
    assert data["type"] == type(space).__name__
    assert digests(checkpoint.tensors) == torch_digests(members(tmp_path / "m.zip")["policy.pth"])
    if isinstance(space, spaces.Box):
        for side in ("low", "high"):
            stored = getattr(model.observation_space, side).ravel()
            value = data[side] if isinstance(data[side], list) else [data[side]] * stored.size
            assert value == stored.tolist()


def test_shared_storages_stay_shared(tmp_path):
    model = ppo(policy="CnnPolicy", observation=SPACES[1])
    model.save(tmp_path / "m.zip")
    tensors = read(tmp_path / "m.zip").tensors
    shared = len({t.identity for t in tensors.values()})
    assert shared == len({t.data_ptr() for t in model.policy.state_dict().values()})
    assert shared < len(tensors)


def test_optimizer_state_is_a_plain_tree(tmp_path):
    model = ppo()
    for parameter in model.policy.parameters():
        parameter.grad = torch.ones_like(parameter)
    model.policy.optimizer.step()
    model.save(tmp_path / "m.zip")
    state = read(tmp_path / "m.zip").training_state["policy.optimizer"]
    expected = model.policy.optimizer.state_dict()
    assert state["param_groups"] == expected["param_groups"]
    first = state["state"][0]["exp_avg"]
    assert isinstance(first, Tensor)
    assert first.tobytes() == expected["state"][0]["exp_avg"].numpy().tobytes()


def test_gsde_and_policy_kwargs(tmp_path):
    kwargs = dict(SMALL) | {
        "activation_fn": torch.nn.ELU,
        "log_std_init": -2.0,
        "optimizer_class": torch.optim.SGD,
    }
    ppo(action=CONTINUOUS, use_sde=True, sde_sample_freq=4, policy_kwargs=kwargs).save(tmp_path / "m.zip")
    config = read(tmp_path / "m.zip").model_config
    assert config["use_sde"] is True
    assert config["policy_kwargs"]["activation_fn"] == ClassRef("torch.nn.modules.activation", "ELU")
    assert config["policy_kwargs"]["optimizer_class"] == ClassRef("torch.optim.sgd", "SGD")
    assert config["policy_kwargs"]["log_std_init"] == -2.0


def test_a_class_by_value_is_named_and_its_code_reported(tmp_path):
    class Extractor(BaseFeaturesExtractor):
        def __init__(self, observation_space, width=5):
            super().__init__(observation_space, width)
            self.net = torch.nn.Linear(3, width)

        def forward(self, observations):
            return torch.relu(self.net(observations))

    kwargs = dict(SMALL) | {"features_extractor_class": Extractor, "features_extractor_kwargs": {"width": 6}}
    ppo(policy_kwargs=kwargs).save(tmp_path / "m.zip")
    checkpoint = read(tmp_path / "m.zip")
    said = checkpoint.model_config["features_extractor"]
    assert (said["class"].name, said["by"], said["kwargs"]) == ("Extractor", "value", {"width": 6})
    assert checkpoint.verdict is Verdict.CONTAINS_CODE
    assert checkpoint.carries_code
    assert {"class", "code"} <= {fact.kind for fact in checkpoint.code if fact.where == "data:policy_kwargs"}
    assert "data:policy_kwargs.features_extractor_class" in {d.path for d in checkpoint.dropped}


def test_fields_and_system_info(tmp_path):
    model = ppo(learning_rate=1e-3, seed=3)
    model.num_timesteps = 77
    model.save(tmp_path / "m.zip")
    info = read(tmp_path / "m.zip").training_info
    assert info["num_timesteps"] == 77
    assert info["system_info"]["Stable-Baselines3"] == sb3.__version__
    assert info["data"]["learning_rate"] == 1e-3
    assert info["data"]["seed"] == 3
    assert info["data"]["clip_range"] == {"schedule": "constant", "value": 0.2}
    assert info["data"]["rollout_buffer_class"] == ClassRef(
        "stable_baselines3.common.buffers", "RolloutBuffer"
    )


def test_a_deflated_copy_says_the_same(tmp_path):
    ppo().save(tmp_path / "a.zip")
    write(tmp_path / "b.zip", members(tmp_path / "a.zip"), zipfile.ZIP_DEFLATED)
    first, second = read(tmp_path / "a.zip"), read(tmp_path / "b.zip")
    assert digests(first.tensors) == digests(second.tensors)
    assert first.spaces == second.spaces


def test_a_legacy_stream_inside_says_the_same(tmp_path):
    ppo().save(tmp_path / "a.zip")
    found = members(tmp_path / "a.zip")
    buffer = io.BytesIO()
    state = torch.load(io.BytesIO(found["policy.pth"]), weights_only=True)
    torch.save(state, buffer, _use_new_zipfile_serialization=False)
    write(tmp_path / "b.zip", found | {"policy.pth": buffer.getvalue()})
    assert digests(read(tmp_path / "b.zip").tensors) == digests(read(tmp_path / "a.zip").tensors)


def test_the_suffix_does_not_matter(tmp_path):
    ppo().save(tmp_path / "a.zip")
    (tmp_path / "a.zip").rename(tmp_path / "a.pth")
    assert find(Probe(tmp_path / "a.pth")) is sb3_zip.READER


def test_lost_data_and_strange_members_are_noted(tmp_path):
    ppo().save(tmp_path / "a.zip")
    found = members(tmp_path / "a.zip")
    del found["data"]
    found["notes.txt"] = b"mine"
    checkpoint = read(write(tmp_path / "b.zip", found))
    assert [note.kind for note in checkpoint.notes] == ["lost-data", "unknown-member"]
    assert checkpoint.tensors
    assert not checkpoint.spaces
    assert "notes.txt" in {entry.path for entry in checkpoint.dropped}


def test_literals_that_only_python_writes_are_noted(tmp_path):
    ppo().save(tmp_path / "a.zip")
    checkpoint = read(changed(tmp_path / "a.zip", gamma=float("nan"), inner={"alpha": [1, float("-inf")]}))
    assert [note.kind for note in checkpoint.notes] == ["not-json", "not-json"]
    assert {note.message.split()[2].rstrip(",") for note in checkpoint.notes} == {"/gamma", "/inner/alpha/1"}
    assert checkpoint.training_info["data"]["inner"] == {"alpha": [1, float("-inf")]}


def learned(name):
    """Train a little, so that `data` holds what a run leaves in it."""
    cls, policy, action, kwargs = ALGORITHMS[name]
    extra = {"buffer_size": 50, "learning_starts": 4} if "buffer_size" in kwargs else {}
    extra |= {} if name == "ARS" else {"policy_kwargs": dict(SMALL)}
    model = cls(policy, TimeLimit(Env(BOX, action), 5), seed=0, **kwargs | extra)
    return model.learn(12)


@pytest.mark.parametrize("name", ["A2C", "ARS", "DQN", "SAC", "TD3", "TQC"])
def test_after_training(name, tmp_path):
    model = learned(name)
    model.save(tmp_path / "m.zip")
    checkpoint = read(tmp_path / "m.zip")
    assert not checkpoint.notes
    assert checkpoint.verdict is Verdict.DATA_ONLY
    assert checkpoint.training_info["data"]["start_time"] == model.start_time > 2**53
    assert checkpoint.training_info["data"]["ep_info_buffer"] == list(model.ep_info_buffer)
    assert digests(checkpoint.tensors) == torch_digests(members(tmp_path / "m.zip")["policy.pth"])
    assert "data:_last_obs" in {entry.path for entry in checkpoint.dropped}
    if name == "ARS":
        weights = checkpoint.training_state["data"]["weights"]
        assert weights.tobytes() == model.weights.numpy().tobytes()
