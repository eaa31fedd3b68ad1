"""Extractors by value: the graph is that of torch where code leaves one reading, else a question says why."""

import types
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - as everybody calls it
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import nn

import ckptkit
from ckptkit.model.recovered import Hints, Status
from ckptkit.recovery import recover
from tests.readers.sb3_models import read
from tests.recovery import sb3_oracle
from tests.recovery.comparing import compare, run_onnx, session
from tests.recovery.sb3_cases import mlp
from tests.recovery.sb3_files import question, recovered, saved

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")


def made(init: Callable[..., None], forward: Callable[..., torch.Tensor], **more: object) -> type:
    """Return a class of two functions that is stored with its code."""
    for function in (init, forward, *more.values()):
        if isinstance(function, types.FunctionType):
            function.__module__ = "__main__"
    body = {"__init__": init, "forward": forward, "__module__": "__main__", "__qualname__": "Own"}
    return type("Own", (BaseFeaturesExtractor,), body | more)


def two(self, observation_space, features_dim: int = 7) -> None:
    BaseFeaturesExtractor.__init__(self, observation_space, features_dim)
    self.fc1 = nn.Linear(observation_space.shape[0], 7)
    self.fc2 = nn.Linear(7, features_dim)
    self.act = nn.ELU(alpha=0.3)


def stacked(self, observation_space, features_dim: int = 5) -> None:
    BaseFeaturesExtractor.__init__(self, observation_space, features_dim)
    first = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4, eps=1e-3), nn.ReLU(inplace=True))
    self.net = nn.Sequential(first, nn.Dropout(0.2), nn.Linear(4, features_dim), nn.SiLU())


def looped(self, observation_space, widths=(6, 4), activation=nn.Tanh) -> None:
    BaseFeaturesExtractor.__init__(self, observation_space, features_dim=widths[-1])
    layers, width = [], observation_space.shape[0]
    for other in widths:
        layers.append(nn.Linear(width, other))
        layers.append(activation())
        width = other
    self.net = nn.Sequential(*layers)


def enclosed() -> Callable[..., None]:
    """Return an `__init__` that takes names from the function around it."""
    base, width = BaseFeaturesExtractor, 5

    def init(self, observation_space, features_dim: int = 4) -> None:
        base.__init__(self, observation_space, features_dim)
        self.net = nn.Sequential(nn.Linear(3, width), nn.GELU(), nn.Linear(width, features_dim))

    return init


def plain(self, x):
    return self.net(x)


def residual(self, x):
    y = torch.tanh(self.fc1(x))
    return F.relu(self.fc2(y)) * 0.5 + y / 2.0


def flat(self, x):
    return self.act(self.fc2(self.fc1(x.view(x.size(0), -1))))


READ = {
    "residual": (made(two, residual), {}),
    "flat": (made(two, flat), {}),
    "stacked": (made(stacked, plain), {"features_dim": 9}),
    "enclosed": (made(enclosed(), plain), {}),
    "looped": (made(looped, plain), {"widths": (5, 6, 3), "activation": nn.Tanh}),
}


@pytest.mark.parametrize("name", READ)
def test_the_graph_is_that_of_the_class(tmp_path: Path, name: str) -> None:
    cls, kwargs = READ[name]
    path = tmp_path / "own.zip"
    model = saved(path, features_extractor_class=cls, features_extractor_kwargs=kwargs)
    feed = sb3_oracle.observations(model)
    wanted = sb3_oracle.expected(mlp("PPO", "box", "discrete"), model, feed)
    found = recovered(path)
    compare(run_onnx(session(found, read(path)), feed), wanted)
    assert found.config["features_extractor_layers"].status is Status.PROVEN
    assert "code of Own.forward" in str(found.config["features_extractor_layers"].evidence)


def two_readings(self, x):
    return self.net(x) if x.shape[0] > 1 else self.net(x) * 2


def in_place(self, x):
    y = self.net(x)
    z = F.relu(y, True)
    return y + z


def hooked(self, observation_space) -> None:
    BaseFeaturesExtractor.__init__(self, observation_space, 4)
    self.net = nn.Linear(3, 4)
    self.handle = self.net.register_forward_hook(nn.Identity)


def random(self, observation_space) -> None:
    BaseFeaturesExtractor.__init__(self, observation_space, 4)
    self.net = nn.Sequential(nn.Linear(3, 4), nn.RReLU())


def linear(self, observation_space) -> None:
    BaseFeaturesExtractor.__init__(self, observation_space, 4)
    self.net = nn.Sequential(nn.Linear(3, 4), nn.ReLU())


def view_in_place(self, observation_space) -> None:
    BaseFeaturesExtractor.__init__(self, observation_space, 4)
    self.net = nn.Linear(3, 4)
    self.act = nn.ReLU(inplace=True)


def seen_twice(self, x):
    y = self.net(x)
    return y + self.act(y)


def noisy(self, x):
    return F.dropout(self.net(x))


def helped(self, x):
    return self.twice(x)


UNREAD = {
    "branch": (made(linear, two_readings), "is not followed"),
    "in-place-argument": (made(linear, in_place), "relu"),
    "hook": (made(hooked, plain), "a method of a module"),
    "unknown-layer": (made(random, plain), "RReLU"),
    "in-place-module": (made(view_in_place, seen_twice), "in place"),
    "dropout-that-stays": (made(linear, noisy), "dropout"),
    "own-method": (made(linear, helped, twice=lambda self, x: x), "has twice of its own"),
    "own-call": (made(linear, plain, __call__=lambda self, x: x), "has __call__ of its own"),
}


@pytest.mark.parametrize("name", UNREAD)
def test_what_is_not_certain_is_a_question(tmp_path: Path, name: str) -> None:
    cls, words = UNREAD[name]
    path = tmp_path / "own.zip"
    saved(path, features_extractor_class=cls)
    assert words in question(path)
    found = recovered(path)
    assert found.graph is None
    activation = found.config.get("features_extractor_activation")
    assert activation is None or activation.status is Status.CONSTRAINED


def test_names_of_code_that_is_not_read_constrain(tmp_path: Path) -> None:
    path = tmp_path / "own.zip"
    saved(path, features_extractor_class=made(linear, two_readings))
    activation = recovered(path).config["features_extractor_activation"]
    assert (activation.value, activation.status, activation.alternatives) == (
        "ReLU",
        Status.CONSTRAINED,
        (None,),
    )


def test_a_bundle_keeps_the_reading_and_the_names(tmp_path: Path) -> None:
    """What the code was read to compute, and what it named, is said in the manifest of a conversion."""
    path = tmp_path / "own.zip"
    saved(path, features_extractor_class=made(two, residual))
    ckptkit.convert(path, "deploy", tmp_path / "v2")
    bundled = read(tmp_path / "v2")
    manifest = (tmp_path / "v2" / "ckpt.json").read_text()
    assert '"tanh"' in manifest
    again = recover(bundled, Hints())
    assert again.graph == recovered(path).graph
    assert "code of Own.__init__" in manifest


@pytest.mark.parametrize(
    "code",
    [
        {"forward": None},
        {"forward": {"call": {"attr": "net", "of": {"self": None}}, "args": [{"param": "x"}]}, "takes": "x"},
        {"forward": {"op": "+", "args": [1, 2]}, "takes": "x", "attributes": []},
        {"forward": {"param": "x"}, "takes": "x", "parameters": 3},
        {"forward": {"call": 4}},
        {"forward": {"call": {"global": "torch.cat"}, "args": [{"list": 3}, {"const": 1}]}},
    ],
)
def test_a_bundle_may_say_anything(tmp_path: Path, code: dict[str, object]) -> None:
    path = tmp_path / "own.zip"
    saved(path, features_extractor_class=made(two, residual))
    checkpoint = read(path)
    said = checkpoint.model_config["features_extractor"]
    assert isinstance(said, dict)
    said["code"] = code
    assert recover(checkpoint, Hints()).graph is None
