"""RL-Snake's extractor: assumed by its profile, and only where somebody vouches for it."""

import json
import shutil
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import nn

from ckptkit.model.recovered import Status
from tests.readers.sb3_models import read
from tests.recovery import sb3_oracle
from tests.recovery.comparing import compare, run_onnx, session
from tests.recovery.sb3_cases import mlp
from tests.recovery.sb3_files import exchange, question, recovered, saved, state_of

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")
MODULE = "rl_snake.agents.feature_extractor"


def extractor(module: str, *, normed: bool = False) -> type:
    """Return a class of RL-Snake's form, or of its earlier one, that says it is of `module`."""

    def init(self, observation_space, features_dim: int = 6, n_layers: int = 2) -> None:
        BaseFeaturesExtractor.__init__(self, observation_space, features_dim)
        self.flatten = nn.Flatten()
        layers, size = [], int(np.prod(observation_space.shape))
        for _ in range(n_layers):
            layers += [nn.Linear(size, features_dim), nn.ReLU()]
            size = features_dim
        self.linear = nn.Sequential(*layers)

    def earlier(self, observation_space, features_dim: int = 6, n_layers: int = 2) -> None:
        BaseFeaturesExtractor.__init__(self, observation_space, features_dim)
        self.flatten = nn.Flatten()
        layers, size = [], int(np.prod(observation_space.shape))
        for _ in range(n_layers):
            layers += [nn.Linear(size, features_dim), nn.LayerNorm(features_dim), nn.ReLU(), nn.Dropout(0.5)]
            size = features_dim
        self.linear = nn.Sequential(*layers)

    def forward(self, observations: torch.Tensor) -> torch.Tensor:
        return self.linear(self.flatten(observations))

    body = {"forward": forward, "__module__": module, "__qualname__": "LinearQNet"}
    body["__init__"] = earlier if normed else init
    return type("LinearQNet", (BaseFeaturesExtractor,), body)


@pytest.fixture
def by_reference(monkeypatch: pytest.MonkeyPatch) -> Callable[..., type]:
    """Return what makes a class that pickles name and do not hold."""

    def make(name: str = MODULE, **kwargs: bool) -> type:
        parts = name.split(".")
        for end in range(1, len(parts) + 1):
            place = ".".join(parts[:end])
            monkeypatch.setitem(sys.modules, place, types.ModuleType(place))
        cls = extractor(name, **kwargs)
        monkeypatch.setattr(sys.modules[name], "LinearQNet", cls, raising=False)
        return cls

    return make


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    return tmp_path / "snake.zip"


def reference(cls: type) -> bytes:
    """Return what dill writes for a class that it only names."""
    return f"c{cls.__module__}\n{cls.__name__}\n.".encode()


def check(path: Path, model, algorithm: str, *assume: str, observation: str = "box") -> None:
    action = "box" if algorithm == "SAC" else "discrete"
    feed = sb3_oracle.observations(model)
    wanted = sb3_oracle.expected(mlp(algorithm, observation, action), model, feed)
    compare(run_onnx(session(recovered(path, *assume), read(path)), feed), wanted)


@pytest.mark.parametrize("normed", [False, True])
@pytest.mark.parametrize("algorithm", ["PPO", "DQN", "SAC"])
def test_the_class_path_names_the_system(
    path: Path, by_reference: Callable[..., type], algorithm: str, normed: bool
) -> None:
    cls = by_reference(normed=normed)
    kwargs = {"features_dim": 5, "n_layers": 3}
    action = "box" if algorithm == "SAC" else "discrete"
    model = saved(
        path, algorithm, action=action, features_extractor_class=cls, features_extractor_kwargs=kwargs
    )
    check(path, model, algorithm)
    found = recovered(path)
    assert {name: found.config[name].value for name in kwargs} == kwargs
    assert {found.config[name].status for name in kwargs} == {Status.PROVEN}
    activation, layout = (found.config[f"features_extractor_{name}"] for name in ("activation", "layout"))
    assert activation.status is layout.status is Status.ASSUMED
    assert activation.evidence == ("profile rl-snake",)
    assert any("profile rl-snake" in line for line in found.assumed)


def test_matrix_observations_are_flattened(path: Path, by_reference: Callable[..., type]) -> None:
    model = saved(path, observation="matrix", features_extractor_class=by_reference())
    check(path, model, "PPO", observation="matrix")


def test_another_class_path_needs_the_users_word(path: Path, by_reference: Callable[..., type]) -> None:
    model = saved(path, features_extractor_class=by_reference("agents.networks"))
    asked = question(path)
    assert "is agents.networks.LinearQNet the LinearQNet of RL-Snake?" in asked
    assert asked.endswith("--assume rl-snake takes it as such")
    check(path, model, "PPO", "rl-snake")


def test_a_class_of_another_name_is_not_taken_as_it(path: Path, by_reference: Callable[..., type]) -> None:
    cls = by_reference()
    cls.__name__ = cls.__qualname__ = "QNet"
    sys.modules[MODULE].QNet = cls  # type: ignore[attr-defined]
    saved(path, features_extractor_class=cls)
    assert "QNet compute?" in question(path, "rl-snake")


@pytest.mark.parametrize("normed", [False, True])
def test_code_by_value_proves_the_activation(path: Path, normed: bool) -> None:
    model = saved(path, features_extractor_class=extractor("__main__", normed=normed))
    check(path, model, "PPO")
    found = recovered(path)
    assert found.config["features_extractor_activation"].status is Status.PROVEN
    assert found.config["features_extractor_layers"].status is Status.PROVEN
    assert found.config["n_layers"].value == 2
    assert not any("rl-snake" in line for line in found.assumed)


def changed(forward: Callable, **names: object) -> type:
    """Return a class by value whose forward is another, or whose layers are."""

    def init(self, observation_space, features_dim: int = 6) -> None:
        BaseFeaturesExtractor.__init__(self, observation_space, features_dim)
        self.flatten = nn.Flatten()
        self.linear = nn.Sequential(nn.Linear(3, features_dim), nn.ReLU())

    body = {"__init__": init, "forward": forward, "__module__": "__main__", "__qualname__": "LinearQNet"}
    return type("LinearQNet", (BaseFeaturesExtractor,), body | names)


def plain(self, x: torch.Tensor) -> torch.Tensor:
    return self.linear(self.flatten(x))


def doubled(self, x: torch.Tensor) -> torch.Tensor:
    return torch.relu(self.linear(self.flatten(x)))


def other_layers(self, observation_space, features_dim: int = 6) -> None:
    BaseFeaturesExtractor.__init__(self, observation_space, features_dim)
    self.flatten = nn.Flatten()
    self.linear = nn.Sequential(nn.Linear(3, features_dim), nn.Tanh())


def by_string(self, observation_space, features_dim: int = 6) -> None:
    BaseFeaturesExtractor.__init__(self, observation_space, features_dim)
    self.flatten, kinds = nn.Flatten(), (nn.Linear, nn.ReLU)
    self.linear = nn.Sequential(kinds[0](3, features_dim), getattr(nn, "Tanh")())  # noqa: B009


@pytest.mark.parametrize("cls", [changed(doubled), changed(plain, __init__=other_layers)])
def test_code_by_value_is_believed_and_not_the_name(path: Path, cls: type) -> None:
    model = saved(path, features_extractor_class=by_value(cls))
    check(path, model, "PPO")
    assert not any("rl-snake" in line for line in recovered(path).assumed)


def test_code_by_value_that_is_not_read_is_a_question(path: Path) -> None:
    saved(path, features_extractor_class=by_value(changed(plain, __init__=by_string)))
    assert "that is not RL-Snake's LinearQNet" in question(path)
    assert "that is not RL-Snake's LinearQNet" in question(path, "rl-snake")


def by_value(cls: type) -> type:
    """Return a class whose functions say that they are of the main module, too."""
    for member in cls.__dict__.values():
        if isinstance(member, types.FunctionType):
            member.__module__ = "__main__"
    return cls


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"features_dim": 9, "n_layers": 2}, "says features_dim = 9"),
        ({"features_dim": 6, "n_layers": 4}, "says n_layers = 4"),
        ({"features_dim": 6, "dropout": 0.1}, "what does dropout do?"),
    ],
)
def test_keywords_that_tensors_contradict(
    tmp_path: Path, by_reference: Callable[..., type], given: dict[str, object], words: str
) -> None:
    folder = tmp_path / "PPO_snake"
    folder.mkdir()
    path = folder / "PPO_snake.zip"
    cls = by_reference()
    model = saved(path, features_extractor_class=cls)
    (folder / "feature_extractor.dill").write_bytes(reference(cls))
    sidecar = folder / "feature_extractor_kwargs.json"
    sidecar.write_text(json.dumps({"features_dim": 6, "n_layers": 2}))
    check(path, model, "PPO")
    sidecar.write_text(json.dumps(given))
    assert words in question(path)


def test_the_sidecars_name_the_system_too(tmp_path: Path, by_reference: Callable[..., type]) -> None:
    cls = by_reference("networks")
    flat = tmp_path / "snake.zip"
    model = saved(flat, features_extractor_class=cls)
    assert "--assume rl-snake" in question(flat)
    folder = tmp_path / "snake"
    folder.mkdir()
    path = Path(shutil.move(flat, folder / "snake.zip"))
    (folder / "feature_extractor.dill").write_bytes(reference(cls))
    (folder / "feature_extractor_kwargs.json").write_text("{}")
    check(path, model, "PPO")


@pytest.mark.parametrize("index", [1, 3, 6])
def test_layers_at_other_places_are_a_question(
    path: Path, by_reference: Callable[..., type], index: int
) -> None:
    saved(path, features_extractor_class=by_reference())
    prefixes = ("features_extractor", "pi_features_extractor", "vf_features_extractor")
    extra = torch.zeros(6, 6)
    state = state_of(path) | {f"{prefix}.linear.{index}.weight": extra for prefix in prefixes}
    assert "linear" in question(exchange(path, state))


def test_no_layers_are_a_question(path: Path, by_reference: Callable[..., type]) -> None:
    saved(path, features_extractor_class=by_reference())
    state = {name: value for name, value in state_of(path).items() if "features_extractor" not in name}
    assert "features_extractor.linear" in question(exchange(path, state))
