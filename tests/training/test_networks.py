"""The eight combinations: created, saved, loaded, exported, and always the same outputs; and trainable."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

import ckptkit
from ckptkit.training import create_model_from_config
from ckptkit.training.networks import shapes
from tests.training.networks import ATOMS, CLOSE, EIGHT, NAMES, agree, configured, observations, own_module


@pytest.mark.parametrize("combination", EIGHT, ids=NAMES)
def test_each_combination_is_created_saved_loaded_and_exported(
    combination: tuple[bool, bool, bool], tmp_path: Path
) -> None:
    config = configured(*combination)
    model = create_model_from_config(config, seed=1)
    assert list(model.state_dict()) == list(shapes(config)) == list(own_module(config).state_dict())
    agree(model, own_module(config, model))
    path = tmp_path / "dqn_100.pth"
    written = ckptkit.save_model_checkpoint(model, config, {"frame_idx": 100}, path)
    assert written is not None
    (result,) = ckptkit.validate(path, level=3).results
    assert (result.level, result.findings) == (3, ())
    loaded, found, info = ckptkit.load_model_checkpoint(path)
    assert (found, info) == (config, {"frame_idx": 100})
    assert list(loaded.state_dict()) == list(model.state_dict())
    assert [name for name, _ in loaded.named_parameters()] == [name for name, _ in model.named_parameters()]
    for name, value in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value)
    agree(loaded, model)
    ckptkit.export_onnx(path, tmp_path / "policy.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "policy.onnx", providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    outputs = dict(zip(names, session.run(None, {"obs": observations().numpy()}), strict=True))
    with torch.no_grad():
        wanted = model.eval()(observations())
    assert outputs.keys() == wanted.keys()
    for name, value in wanted.items():
        np.testing.assert_allclose(outputs[name], value.numpy(), **CLOSE, err_msg=name)


@pytest.mark.parametrize("combination", EIGHT, ids=NAMES)
def test_each_combination_learns(combination: tuple[bool, bool, bool]) -> None:
    model = create_model_from_config(configured(*combination), seed=2)
    assert model.training
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    losses = []
    for _ in range(8):
        loss = (model(observations())["q_values"] - 2.0).square().mean()
        optimizer.zero_grad()
        loss.backward()
        assert all(value.grad is not None for value in model.parameters())
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]


def test_a_seed_gives_the_same_weights_and_leaves_the_generator_alone() -> None:
    config = configured(True, True, True)
    torch.manual_seed(5)
    before = torch.get_rng_state()
    one, other = (create_model_from_config(config, seed=3) for _ in range(2))
    assert torch.equal(torch.get_rng_state(), before)
    for name, value in one.state_dict().items():
        assert torch.equal(other.state_dict()[name], value)
    drawn = create_model_from_config(config)
    assert not torch.equal(drawn.state_dict()["conv.0.weight"], one.state_dict()["conv.0.weight"])


def test_convolutions_and_linear_layers_start_as_torchs_own() -> None:
    model = create_model_from_config(configured(False, False, False), seed=4)
    with torch.random.fork_rng():
        torch.manual_seed(4)
        first = torch.nn.Conv2d(3, 32, 8, 4)
    assert torch.equal(model.state_dict()["conv.0.weight"], first.weight)
    columns = model.state_dict()["fc.0.weight"].shape[1]
    assert model.state_dict()["fc.0.weight"].abs().max() <= columns**-0.5


def test_noise_starts_as_configured_is_drawn_while_training_and_not_in_evaluation() -> None:
    model = create_model_from_config(configured(False, False, True, noisy_std_init=0.25), seed=1)
    state = model.state_dict()
    torch.testing.assert_close(state["fc.2.weight_sigma"], torch.full((4, 512), 0.25 * 512**-0.5))
    x = observations()
    with torch.no_grad():
        assert not torch.equal(model(x)["q_values"], model(x)["q_values"])
        model.eval()
        assert torch.equal(model(x)["q_values"], model(x)["q_values"])


def test_atoms_are_evenly_between_the_ends_and_zero_stays_zero() -> None:
    model = create_model_from_config(configured(True, True, False))
    assert torch.equal(model.state_dict()["support"], torch.linspace(0.0, 5.0, ATOMS))
    assert "support" not in dict(model.named_parameters())
    chances = model.eval()(observations())["probabilities"]
    torch.testing.assert_close(chances.sum(2), torch.ones(5, 4))


def test_the_network_acts() -> None:
    model = create_model_from_config(configured(True, False, True), seed=1)
    actions, _ = model.predict(observations().numpy())
    assert actions.shape == (5,)
    assert set(actions) <= set(range(4))
