"""Where the file does not settle the network there is no graph, and one question says what is open."""

import functools
import json
from pathlib import Path

import pytest
import stable_baselines3
import torch
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor, NatureCNN
from torch import nn

import ckptkit
from ckptkit.model.recovered import Status
from tests.readers.sb3_models import BOX, Env, members
from tests.recovery.sb3_cases import ACTIONS
from tests.recovery.sb3_files import exchange, question, recovered, saved, state_of

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")


class Doubled(nn.ReLU):
    """An activation of the user's own, named like none of torch's."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 2 * super().forward(x)


class ReLU(Doubled):
    """An activation of the user's own under torch's name."""


class WideStride(NatureCNN):
    """An extractor with NatureCNN's names and sizes that computes something else."""

    def forward(self, observations: torch.Tensor) -> torch.Tensor:
        return super().forward(observations.flip(-1))


class Normed(BaseFeaturesExtractor):
    """An extractor of the user's own."""

    def __init__(self, space, features_dim: int = 6):
        super().__init__(space, features_dim)
        self.net = nn.Sequential(nn.Linear(3, features_dim), nn.Tanh())

    def forward(self, observations: torch.Tensor) -> torch.Tensor:
        return self.net(observations)


class MyPolicy(ActorCriticPolicy):
    """A policy of the user's own with the names of SB3's."""

    def _predict(self, observation, deterministic: bool = False):
        return 2 - super()._predict(observation, deterministic)


def by_value(cls: type) -> type:
    """Return a copy of `cls` that cloudpickle stores with its code."""
    return type(cls.__name__, (cls,), {"__module__": "__main__", "extra": lambda self: None})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.zip"


@pytest.fixture
def ppo(path: Path) -> Path:
    saved(path)
    return path


def test_a_missing_tensor(ppo: Path) -> None:
    state = state_of(ppo)
    del state["mlp_extractor.policy_net.2.weight"]
    assert "mlp_extractor.policy_net" in question(exchange(ppo, state))


def test_a_missing_head(ppo: Path) -> None:
    state = {name: value for name, value in state_of(ppo).items() if not name.startswith("action_net")}
    assert "action_net.weight" in question(exchange(ppo, state))


def test_a_missing_bias_is_no_bias(ppo: Path) -> None:
    state = state_of(ppo)
    del state["value_net.bias"]
    graph = recovered(exchange(ppo, state)).graph
    assert graph is not None
    assert {layer.name: layer for layer in graph.layers}["value_net"].attrs["bias"] is False


def test_an_extra_tensor(ppo: Path) -> None:
    found = recovered(exchange(ppo, state_of(ppo) | {"attention.weight": torch.zeros(2, 2)}))
    assert found.graph is None
    assert found.unexplained == ("attention.weight",)
    assert found.questions == ("what uses attention.weight?",)


def test_an_extra_layer_of_the_same_sequential(ppo: Path) -> None:
    state = state_of(ppo) | {"mlp_extractor.policy_net.3.weight": torch.ones(8)}
    assert "policy_net" in question(exchange(ppo, state))


def test_a_tensor_beside_a_layers_own(ppo: Path) -> None:
    found = recovered(exchange(ppo, state_of(ppo) | {"action_net.scale": torch.ones(3)}))
    assert found.graph is None
    assert "action_net.scale" in found.questions[0]


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("mlp_extractor.policy_net.0.weight", (8, 4)),
        ("mlp_extractor.policy_net.2.weight", (8, 9)),
        ("mlp_extractor.policy_net.0.bias", (9,)),
        ("action_net.weight", (3, 8, 1)),
        ("value_net.weight", (1, 7)),
    ],
)
def test_a_tensor_of_another_shape(ppo: Path, name: str, shape: tuple[int, ...]) -> None:
    found = recovered(exchange(ppo, state_of(ppo) | {name: torch.zeros(shape)}))
    assert found.graph is None
    assert found.questions
    assert name.rpartition(".")[0] in found.questions[0]


@pytest.mark.parametrize("algorithm", ["PPO", "DQN"])
def test_a_head_that_does_not_fit_the_action_space(path: Path, algorithm: str) -> None:
    saved(path, algorithm)
    head = "action_net" if algorithm == "PPO" else "q_net.q_net.4"
    state = state_of(path) | {f"{head}.weight": torch.zeros(4, 8), f"{head}.bias": torch.zeros(4)}
    assert "gives 4 numbers, and the action space needs 3" in question(exchange(path, state))


def test_quantiles_that_do_not_divide(path: Path) -> None:
    saved(path, "QRDQN")
    head = "quantile_net.quantile_net.4"
    state = state_of(path) | {f"{head}.weight": torch.zeros(7, 8), f"{head}.bias": torch.zeros(7)}
    assert "do not divide into 3 actions" in question(exchange(path, state))


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ("policy_class", "the file does not say its class"),
        ("policy_kwargs", "policy_kwargs"),
        ("observation_space", "the observation space"),
        ("action_space", "the action space"),
    ],
)
def test_lost_data(ppo: Path, field: str, words: str) -> None:
    assert words in question(exchange(ppo, **{field: None}))


def test_an_algorithm_that_the_fields_do_not_tell(ppo: Path) -> None:
    lost = {"clip_range": None, "gae_lambda": None}
    assert "which algorithm" in question(exchange(ppo, **lost))


def test_an_unknown_keyword(ppo: Path) -> None:
    given = {"net_arch": [8, 8], "attention": True}
    assert "what does attention do?" in question(exchange(ppo, policy_kwargs=given))


@pytest.mark.parametrize(
    "activation",
    [functools.partial(nn.LeakyReLU, 0.3), lambda: nn.ELU(2.0), Doubled, ReLU, by_value(ReLU), nn.Softmax2d],
    ids=["partial", "lambda", "own", "own-by-torchs-name", "by-value", "of-images"],
)
def test_an_activation_of_another_kind(path: Path, activation: object) -> None:
    saved(path, activation_fn=activation, net_arch=[])
    assert recovered(path).graph is not None, "a network without hidden layers has none"
    saved(path, activation_fn=activation, net_arch=[4])
    assert "activation" in question(path)


@pytest.mark.parametrize("policy", [MyPolicy, by_value(ActorCriticPolicy), by_value(MyPolicy)])
def test_a_policy_of_the_users_own(path: Path, policy: type) -> None:
    model = stable_baselines3.PPO(policy, Env(BOX, ACTIONS["discrete"]), n_steps=8, batch_size=8)
    model.save(path)
    assert policy.__name__ in question(path) or "which policy" in question(path)


def test_a_policy_by_value_that_claims_sb3s_module(path: Path) -> None:
    copy = type("ActorCriticPolicy", (ActorCriticPolicy,), {"__module__": ActorCriticPolicy.__module__})
    copy.__qualname__ = "made.<locals>.ActorCriticPolicy"
    model = stable_baselines3.PPO(copy, Env(BOX, ACTIONS["discrete"]), n_steps=8, batch_size=8)
    model.save(path)
    assert "a class by value" in question(path)


@pytest.mark.parametrize("extractor", [WideStride, by_value(NatureCNN)])
def test_an_extractor_with_the_names_of_nature_cnn(path: Path, extractor: type) -> None:
    saved(path, observation="image", features_extractor_class=extractor)
    assert f"what does the features extractor {extractor.__module__}" in question(path)


def test_an_extractor_of_the_users_own(path: Path) -> None:
    saved(path, features_extractor_class=Normed)
    assert "Normed compute? it is a class of the user's own" in question(path)


def test_an_extractor_by_value_says_what_its_code_names(path: Path) -> None:
    body = dict(Normed.__dict__) | {"__module__": "__main__"}
    for name in ("__dict__", "__weakref__"):
        body.pop(name, None)

    def init(self, space, features_dim=6):
        BaseFeaturesExtractor.__init__(self, space, features_dim)
        self.net = nn.Sequential(nn.Linear(3, features_dim), nn.Tanh())

    init.__module__ = "__main__"
    made = type("Mine", (BaseFeaturesExtractor,), body | {"__init__": init})
    saved(path, features_extractor_class=made)
    asked = question(path)
    assert "Mine compute?" in asked
    assert "its code names Sequential, Linear, Tanh" in asked


def test_convolutions_of_other_sizes_are_no_nature_cnn(path: Path) -> None:
    saved(path, observation="image", features_extractor_kwargs={"features_dim": 8})
    state = state_of(path)
    for name in list(state):
        if name.endswith("cnn.0.weight"):
            state[name] = torch.zeros(32, 1, 5, 5)
    assert "is no NatureCNN" in question(exchange(path, state))


@pytest.mark.parametrize(
    ("algorithm", "changed", "words"),
    [
        ("PPO", {"net_arch": [9, 9]}, "net_arch = [9, 9]"),
        ("PPO", {"net_arch": {"pi": [8, 8], "vf": [8]}}, "net_arch"),
        ("DQN", {"net_arch": [8]}, "net_arch = [8]"),
        ("SAC", {"net_arch": {"pi": [8, 8], "qf": [5]}}, "net_arch"),
        ("SAC", {"n_critics": 3}, "n_critics = 3"),
        ("QRDQN", {"n_quantiles": 13}, "n_quantiles = 13"),
        ("TQC", {"n_quantiles": 13}, "n_quantiles = 13"),
        ("CrossQ", {"batch_norm": False}, "batch_norm = False"),
        ("ARS", {"with_bias": False}, "with_bias = False"),
        ("RecurrentPPO", {"lstm_hidden_size": 9}, "lstm_hidden_size = 9"),
        ("RecurrentPPO", {"n_lstm_layers": 2}, "n_lstm_layers = 2"),
        ("RecurrentPPO", {"enable_critic_lstm": False}, "enable_critic_lstm = False"),
        ("RecurrentPPO", {"lstm_kwargs": {"batch_first": True}}, "batch_first"),
    ],
)
def test_words_that_tensors_contradict(
    path: Path, algorithm: str, changed: dict[str, object], words: str
) -> None:
    saved(path, algorithm, action="box" if algorithm in ("SAC", "TQC", "CrossQ") else "discrete")
    assert recovered(path).graph is not None
    assert words in question(exchange(path, policy_kwargs=changed))


def test_an_extractor_width_that_tensors_contradict(path: Path) -> None:
    saved(path, observation="image", features_extractor_kwargs={"features_dim": 8})
    given = {"net_arch": [8, 8], "features_extractor_kwargs": {"features_dim": 16}}
    assert "features_dim = 16" in question(exchange(path, policy_kwargs=given))


def test_an_algorithm_with_an_action_space_that_it_has_no_policy_for(path: Path) -> None:
    saved(path, "DQN")
    other = path.with_name("other.zip")
    saved(other, action="box")
    box = json.loads(members(other)["data"])["action_space"]
    assert "DQN has no policy for a Box" in question(exchange(path, action_space=box))


def test_a_default_that_depends_on_an_unstated_release_only_matters_where_it_is_used(path: Path) -> None:
    saved(path, "ARS", action="box", squash_output=False)
    assert "which release wrote this?" in question(exchange(path, version=""))
    saved(path, "ARS", action="box")
    assert recovered(exchange(path, version="")).graph is not None


def test_half_shared_extractors(path: Path) -> None:
    saved(path, observation="image", features_extractor_kwargs={"features_dim": 8})
    state = state_of(path)
    name = "vf_features_extractor.linear.0.weight"
    state[name] = state[name].clone()
    assert "shares some of its tensors" in question(exchange(path, state))


def test_what_is_assumed_names_its_profile(ppo: Path) -> None:
    found = recovered(ppo)
    assert found.config["activation_fn"].status is Status.ASSUMED
    assert found.config["activation_fn"].evidence[0] == "profile stable-baselines3"
    assert found.assumed == ("activation_fn = Tanh (profile stable-baselines3: default from 0.8 to 2.9)",)
    assert found.config["net_arch"].status is Status.PROVEN
    assert found.config["net_arch"].value == {"pi": [8, 8], "vf": [8, 8]}


@pytest.mark.parametrize(
    ("algorithm", "given", "words"),
    [
        ("SAC", {"clip_mean": "2"}, "'2' is no finite number"),
        ("SAC", {"clip_mean": -1.0}, "clip_mean = -1.0"),
        ("SAC", {"clip_mean": float("inf")}, "no finite number"),
        ("PPO", {"squash_output": "yes"}, "'yes' is neither true nor false"),
        ("PPO", {"activation_fn": "ReLU"}, "activation"),
        ("PPO", {"activation_fn": None}, "activation"),
    ],
)
def test_keywords_of_another_kind(path: Path, algorithm: str, given: dict[str, object], words: str) -> None:
    saved(path, algorithm, action="box", use_sde=True)
    assert words in question(exchange(path, policy_kwargs=given))


def test_a_name_with_an_endless_index(ppo: Path) -> None:
    name = f"mlp_extractor.policy_net.{'9' * 5000}.weight"
    assert name in recovered(exchange(ppo, state_of(ppo) | {name: torch.zeros(1)})).unexplained


def test_what_a_bundles_own_source_had_lost_stays_open(path: Path, tmp_path: Path) -> None:
    saved(path, activation_fn=lambda: nn.ELU(2.0))
    bundle = tmp_path / "bundle.pt"
    ckptkit.convert(path, "v2", bundle)
    assert "activation" in question(bundle, "rl-snake")
