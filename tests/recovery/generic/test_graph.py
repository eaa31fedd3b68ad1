"""A plain chain is drawn once the user vouches for it, and gives what torch gives; never before."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

import ckptkit
from ckptkit.errors import ArchitectureError
from ckptkit.recovery.generic import PREMISE
from ckptkit.recovery.profiles import ACTIVATIONS
from tests.recovery.generic.nets import Dueling
from tests.recovery.seed_models import Noisy


def saved(net: nn.Module, folder: Path) -> Path:
    torch.save(net.state_dict(), folder / "net.pth")
    return folder / "net.pth"


class Nature(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cnn = nn.Sequential(
            nn.Conv2d(4, 8, 8, 4),
            nn.ReLU(),
            nn.Conv2d(8, 16, 4, 2),
            nn.ReLU(),
            nn.Conv2d(16, 16, 3, 1),
            nn.ReLU(),
        )
        self.fc1, self.fc2 = nn.Linear(16 * 49, 12), nn.Linear(12, 6)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc2(self.fc1(self.cnn(x).flatten(1)).relu())


@pytest.mark.parametrize(("profile", "kind"), list(ACTIVATIONS.items()))
def test_a_perceptron_with_each_activation(profile: str, kind: str, tmp_path: Path) -> None:
    act = getattr(nn, kind)
    net = nn.ModuleDict(
        {"net": nn.Sequential(nn.Linear(5, 9), act(), nn.Linear(9, 9), act(), nn.Linear(9, 3))}
    )
    path = saved(net, tmp_path)
    module = ckptkit.load(path, assume=[profile])
    x = torch.randn(7, 5)
    assert torch.equal(module(x)["output"], net["net"](x))
    assert list(module.state_dict()) == list(net.state_dict())
    assert f"activation = {kind} (profile {profile})" in ckptkit.recover(path, assume=[profile]).assumed


def test_a_convolutional_network_needs_three_words(tmp_path: Path) -> None:
    net = Nature()
    path = saved(net, tmp_path)
    words: list[dict[str, object]] = [
        {},
        {"assume": ["relu"]},
        {"assume": ["relu", "unpadded"]},
        {"input_shape": (4, 84, 84), "assume": ["relu"]},
        {"input_shape": (4, 84, 84), "assume": ["unpadded"]},
    ]
    for some in words:
        found = ckptkit.recover(path, **some)  # type: ignore[arg-type]
        assert found.graph is None, some
        assert any("give --" in question for question in found.questions)
    module = ckptkit.load(path, input_shape=(4, 84, 84), assume=["relu", "unpadded"])
    x = torch.rand(3, 4, 84, 84)
    assert torch.equal(module(x)["output"], net(x))


@pytest.mark.parametrize("shape", [(4, 60, 60), (3, 84, 84), (4, 84), (4, 1000000, 84)])
def test_an_image_that_does_not_fit_is_no_graph(shape: tuple[int, ...], tmp_path: Path) -> None:
    found = ckptkit.recover(saved(Nature(), tmp_path), input_shape=shape, assume=["relu", "unpadded"])
    assert found.graph is None
    assert found.questions


@pytest.mark.parametrize("layer", [nn.Linear, Noisy])
@pytest.mark.parametrize("atoms", [0, 5])
def test_dueling_and_distributional_heads(layer: type[nn.Module], atoms: int, tmp_path: Path) -> None:
    net = Dueling(6, 4, atoms, layer)
    path = saved(net, tmp_path)
    words = ["relu", "dueling", *(["c51"] if atoms else [])]
    for word in words:
        assert ckptkit.recover(path, assume=[other for other in words if other != word]).graph is None
    x = torch.randn(9, 5)
    features = net.features(x)
    value, advantage = net.value(features), net.advantage(features)
    if atoms:
        value, advantage = value.unflatten(1, (1, atoms)), advantage.unflatten(1, (4, atoms))
    q_values = value + advantage - advantage.mean(1, keepdim=True)
    if atoms:
        q_values = (q_values.softmax(2) * net.support).sum(2)
    out = ckptkit.load(path, assume=words)(x)
    torch.testing.assert_close(out["q_values"], q_values)
    assert torch.equal(out["action"].flatten(), q_values.argmax(1))


def test_it_exports(tmp_path: Path) -> None:
    import numpy as np
    import onnxruntime

    net = Nature()
    done = ckptkit.export_onnx(
        saved(net, tmp_path), tmp_path / "net.onnx", input_shape=(4, 84, 84), assume=["relu", "unpadded"]
    )
    assert any("profile unpadded" in line for line in done.assumed)
    x = np.random.default_rng(0).random((2, 4, 84, 84), np.float32)
    (out,) = onnxruntime.InferenceSession(tmp_path / "net.onnx").run(None, {"obs": x})
    np.testing.assert_allclose(out, net(torch.from_numpy(x)).detach().numpy(), atol=1e-5)


def sequential(*layers: nn.Module) -> nn.ModuleDict:
    return nn.ModuleDict({"net": nn.Sequential(*layers)})


@pytest.mark.parametrize(
    "make",
    [
        lambda: sequential(nn.Linear(4, 4), nn.Linear(4, 2)),
        lambda: sequential(nn.Linear(4, 4), nn.ReLU(), nn.Dropout(), nn.Linear(4, 2)),
        lambda: sequential(nn.Linear(4, 4), nn.LayerNorm(4), nn.ReLU(), nn.Linear(4, 2)),
        lambda: sequential(nn.Linear(4, 4), nn.PReLU(), nn.Linear(4, 2)),
        lambda: nn.ModuleDict({"emb": nn.Embedding(4, 4), "fc": nn.Linear(4, 2)}),
        lambda: nn.ModuleDict({"a": nn.Linear(4, 3), "b": nn.Linear(4, 2)}),
        lambda: nn.ModuleDict({"a": nn.Linear(4, 8), "b": nn.Linear(9, 2)}),
        lambda: nn.ModuleDict({name: nn.Linear(4, 4) for name in ("q_proj", "k_proj", "v_proj")}),
        lambda: nn.ModuleDict({name: sequential(nn.Linear(4, 4)) for name in ("online", "target")}),
        lambda: nn.ModuleDict(dict.fromkeys(("a", "b"), nn.Linear(4, 4))),
        lambda: nn.ModuleDict({"a": nn.GRU(4, 4), "b": nn.Linear(4, 2)}),
        lambda: nn.utils.parametrizations.weight_norm(sequential(nn.Linear(4, 2))["net"][0]),
    ],
)
def test_what_is_no_plain_chain_has_no_graph(make: Callable[[], nn.Module], tmp_path: Path) -> None:
    path = saved(make(), tmp_path)
    for profile in ACTIVATIONS:
        found = ckptkit.recover(path, assume=[profile, "unpadded", "dueling", "c51"], input_shape=(4,))
        assert found.graph is None
        assert found.questions
    with pytest.raises(ArchitectureError):
        ckptkit.load(path, assume=["relu"])


def test_two_activations_are_a_question(tmp_path: Path) -> None:
    path = saved(sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2)), tmp_path)
    found = ckptkit.recover(path, assume=["relu", "tanh"])
    assert found.graph is None
    assert any("relu and tanh" in question for question in found.questions)


def test_names_that_count_backwards_are_a_question(tmp_path: Path) -> None:
    net = nn.ModuleDict({"fc2": nn.Linear(4, 4), "fc1": nn.Linear(4, 4), "fc10": nn.Linear(4, 2)})
    found = ckptkit.recover(saved(net, tmp_path), assume=["relu"])
    assert found.graph is None
    assert any("which comes first, fc2 or fc1?" in question for question in found.questions)


def test_the_order_that_is_taken_is_said(tmp_path: Path) -> None:
    net = nn.ModuleDict({"a": nn.Linear(4, 4), "b": nn.Linear(4, 4)})
    found = ckptkit.recover(saved(net, tmp_path), assume=["relu"])
    assert "layers = a,b (profile relu: in the order of the file)" in found.assumed


def test_the_premise_is_said(tmp_path: Path) -> None:
    found = ckptkit.recover(saved(nn.Linear(3, 4), tmp_path))
    assert found.fields["premise"]["value"] == PREMISE
    assert found.fields["premise"]["status"] == "assumed"
