"""RL-Snake's extractor without a word of the file: alone, or in a policy of which only weights are left."""

import json
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from ckptkit import api, recovery
from ckptkit.model.recovered import Hints, Status
from ckptkit.recovery import rl_snake
from tests.recovery import sb3_oracle
from tests.recovery.comparing import compare, run_onnx, session
from tests.recovery.sb3_cases import mlp
from tests.recovery.seed_models import save
from tests.recovery.test_engine import mutations, reshaped
from tests.recovery.test_rl_snake import extractor

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")
SNAKE = Hints(None, ("rl-snake",))


def network(*, normed: bool, layers: int, size: int = 7, width: int = 6) -> nn.Sequential:
    """Return the Sequential of the class, or of the earlier one, with no weight as a new one has it."""

    def parts() -> Iterator[nn.Module]:
        before = size
        for _ in range(layers):
            yield nn.Linear(before, width)
            yield from (nn.LayerNorm(width), nn.ReLU(), nn.Dropout(0.3)) if normed else (nn.ReLU(),)
            before = width

    made = nn.Sequential(*parts()).eval()
    sb3_oracle.randomise(made, 3)
    return made


PREFIXES = ("linear.", "features_extractor.linear.", "pi_features_extractor.linear.", "module.linear.")


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("normed", [False, True])
@pytest.mark.parametrize("layers", [1, 3])
def test_the_extractor_alone(tmp_path: Path, normed: bool, layers: int, prefix: str) -> None:
    made = network(normed=normed, layers=layers)
    checkpoint = save({f"{prefix}{n}": v for n, v in made.state_dict().items()}, tmp_path / "net.pth")
    claims = [family.id for family in recovery.families() if family.claims(checkpoint)]
    assert claims == ["rl-snake"]
    bare = recovery.recover(checkpoint, Hints())
    assert bare.graph is None
    assert any("--assume rl-snake" in question for question in bare.questions)
    found = recovery.recover(checkpoint, SNAKE)
    fields = {name: found.config[name] for name in ("features_dim", "n_layers", "observation_size")}
    assert [field.value for field in fields.values()] == [6, layers, 7]
    assert all(field.status is Status.PROVEN for field in fields.values())
    x = np.random.default_rng(0).standard_normal((4, 7)).astype(np.float32)
    with torch.no_grad():
        wanted = {"features": made(torch.from_numpy(x)).numpy()}
    compare(run_onnx(session(found, checkpoint), {"obs": x}), wanted)


@pytest.mark.parametrize("normed", [False, True])
def test_no_extractor_with_one_shape_mutated_is_accepted(tmp_path: Path, normed: bool) -> None:
    state = {f"linear.{n}": v for n, v in network(normed=normed, layers=3).state_dict().items()}
    checkpoint = save(state, tmp_path / "net.pth")
    for key, tensor in checkpoint.tensors.items():
        for axis, shape in mutations(tensor.shape):
            if (key, axis) == ("linear.0.weight", 1):
                continue
            changed = {**checkpoint.tensors, key: reshaped(tensor, shape)}
            assert not rl_snake.claims(replace(checkpoint, tensors=changed)), (key, shape)


@pytest.mark.parametrize("names", [("linear.0", "linear.3"), ("linear.1", "linear.3"), ("encoder.linear.0",)])
def test_other_networks_are_not_taken_for_it(tmp_path: Path, names: tuple[str, ...]) -> None:
    shapes = {"weight": (6, 6), "bias": (6,)}
    state = {f"{name}.{kind}": torch.zeros(*shape) for name in names for kind, shape in shapes.items()}
    assert recovery.recover(save(state, tmp_path / "net.pth"), SNAKE).family != "rl-snake"


def test_a_foreign_tensor_is_named(tmp_path: Path) -> None:
    state = {f"linear.{n}": v for n, v in network(normed=True, layers=2).state_dict().items()}
    checkpoint = save({**state, "stranger.weight": torch.zeros(3, 7)}, tmp_path / "net.pth")
    found = recovery.recover(checkpoint, SNAKE)
    assert (found.family, found.graph, found.unexplained) == ("rl-snake", None, ("stranger.weight",))


def test_a_shape_that_does_not_fit_is_a_question(tmp_path: Path) -> None:
    state = {f"linear.{n}": v for n, v in network(normed=False, layers=2, size=12).state_dict().items()}
    checkpoint = save(state, tmp_path / "net.pth")
    assert recovery.recover(checkpoint, Hints((3, 4), ("rl-snake",))).graph is not None
    wrong = recovery.recover(checkpoint, Hints((3, 5), ("rl-snake",)))
    assert wrong.graph is None
    assert "--input-shape says 3,5, and linear.0.weight takes 12 numbers" in wrong.questions[0]


@pytest.mark.parametrize("normed", [False, True])
@pytest.mark.parametrize("algorithm", ["PPO", "DQN"])
def test_a_policy_of_which_only_weights_are_left(tmp_path: Path, algorithm: str, normed: bool) -> None:
    cls = extractor("rl_snake.agents.feature_extractor", normed=normed)
    kwargs = {"features_dim": 5, "n_layers": 3}
    case = mlp(algorithm, "box", "discrete", features_extractor_class=cls, features_extractor_kwargs=kwargs)
    model = sb3_oracle.make(case)
    checkpoint = save(model.policy.state_dict(), tmp_path / "policy.pth")
    for given in (Hints(), Hints(None, ("stable-baselines3",))):
        bare = recovery.recover(checkpoint, given)
        assert bare.graph is None
        assert any("--assume rl-snake" in question for question in bare.questions)
    found = recovery.recover(checkpoint, SNAKE)
    assert found.family == "sb3-policy"
    assert {name: found.config[name].value for name in kwargs} == kwargs
    assert {found.config[name].status for name in kwargs} == {Status.PROVEN}
    feed = sb3_oracle.observations(model)
    compare(run_onnx(session(found, checkpoint), feed), sb3_oracle.expected(case, model, feed))


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"features_dim": 6, "n_layers": 2}, ""),
        ({"features_dim": 8}, "says features_dim = 8"),
        ({"n_layers": 5}, "says n_layers = 5"),
    ],
)
def test_keywords_beside_a_zip_without_data_are_compared(
    tmp_path: Path, said: dict[str, int], words: str
) -> None:
    case = mlp("PPO", "box", "discrete", features_extractor_class=extractor("rl_snake.agents"))
    model = sb3_oracle.make(case)
    folder = tmp_path / "PPO_snake"
    folder.mkdir()
    torch.save(model.policy.state_dict(), folder / "policy.pth")
    with zipfile.ZipFile(folder / "PPO_snake.zip", "w") as archive:
        archive.write(folder / "policy.pth", "policy.pth")
    (folder / "policy.pth").unlink()
    (folder / "feature_extractor.dill").write_bytes(b"crl_snake.agents.feature_extractor\nLinearQNet\n.")
    (folder / "feature_extractor_kwargs.json").write_text(json.dumps(said))
    checkpoint = api.read(folder / "PPO_snake.zip")
    found = recovery.recover(checkpoint, Hints(None, ("stable-baselines3",)))
    assert found.family == "sb3-policy"
    if words:
        assert found.graph is None
        assert words in found.questions[0]
        return
    assert found.graph is not None, found.questions
    feed = sb3_oracle.observations(model)
    value = model.policy.predict_values(torch.as_tensor(feed["obs"])).detach().numpy()
    compare(run_onnx(session(found, checkpoint), feed), {"value": value})
