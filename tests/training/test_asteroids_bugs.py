"""Each known bug of the system's own loader, and what happens here instead."""

from pathlib import Path

import pytest
import torch
from torch import nn

import ckptkit
from ckptkit import ModelConfig
from ckptkit.errors import ArchitectureError, UsageError
from tests.recovery.seed_models import Dqn, model_config, versioned
from tests.training.networks import SHAPE, agree


def written(tree: object, path: Path) -> Path:
    torch.save(tree, path)
    return path


@pytest.mark.parametrize("noisy", [False, True])
@pytest.mark.parametrize("dueling", [False, True])
@pytest.mark.parametrize("ends", [(-10.0, 10.0), (0.0, 0.7), (-3.5, 100.0)])
def test_bug_legacy_distributional_files_load_with_the_range_in_support(
    tmp_path: Path, dueling: bool, noisy: bool, ends: tuple[float, float]
) -> None:
    made = Dqn(SHAPE, 4, dueling=dueling, noisy=noisy, atoms=11, ends=ends).eval()
    path = written(made.state_dict(), tmp_path / "dqn_best.pth")
    loaded = ckptkit.load_model_checkpoint(path, input_shape=SHAPE)
    assert loaded.config.distributional_dqn
    assert (loaded.config.n_atoms, loaded.config.v_min) == (11, pytest.approx(ends[0]))
    assert loaded.config.v_max == pytest.approx(ends[1])
    agree(loaded.model, made)


@pytest.mark.parametrize("ends", [(0.0, 10.0), (-5.0, 0.0)])
def test_bug_a_range_that_ends_at_zero_stays_at_zero(tmp_path: Path, ends: tuple[float, float]) -> None:
    low, high = ends
    config = ModelConfig(
        input_shape=SHAPE, n_action=4, distributional_dqn=True, n_atoms=5, v_min=low, v_max=high
    )
    model = ckptkit.create_model_from_config(config)
    assert model.state_dict()["support"].tolist() == torch.linspace(low, high, 5).tolist()
    path = tmp_path / "a.pth"
    ckptkit.save_model_checkpoint(model, config, {}, path)
    assert (ckptkit.load_model_checkpoint(path).config.v_min, config.v_max) == ends
    made = Dqn(SHAPE, 4, atoms=5, ends=ends)
    theirs = written(versioned(made, model_config(made, SHAPE)), tmp_path / "b.pth")
    assert (ckptkit.load_model_checkpoint(theirs).config.v_min, high) == ends
    lost = {name: value for name, value in made.state_dict().items() if name != "support"}
    dropped = written(
        {**versioned(made, model_config(made, SHAPE)), "model_state_dict": lost}, tmp_path / "c.pth"
    )
    x = torch.rand(2, *SHAPE)
    with torch.no_grad():
        outputs = ckptkit.load_model_checkpoint(dropped).model(x)["q_values"]
        torch.testing.assert_close(outputs, made.eval()(x)["q_values"])


def test_bug_the_input_shape_is_that_of_the_weights_and_not_of_an_environment(tmp_path: Path) -> None:
    made = Dqn((2, 44, 44), 3)
    path = written(made.state_dict(), tmp_path / "dqn_asteroids_100.pth")
    loaded = ckptkit.load_model_checkpoint(path)
    assert loaded.config.input_shape == (2, 44, 44)
    assert any(line.startswith("input_shape = 2,44,44") for line in loaded.assumed)
    for wrong in ((4, 44, 44), (2, 84, 84), (44, 44), (2, 52, 44)):
        with pytest.raises(ArchitectureError, match="which image does it take"):
            ckptkit.load_model_checkpoint(path, input_shape=wrong)
    # All images whose last pixels no convolution reaches fit as well; the one that is named is taken.
    assert ckptkit.load_model_checkpoint(path, input_shape=(2, 50, 51)).config.input_shape == (2, 50, 51)


def test_bug_a_shape_that_no_square_fits_is_a_question_and_not_a_guess(tmp_path: Path) -> None:
    path = written(Dqn((2, 44, 36), 3).state_dict(), tmp_path / "a.pth")
    with pytest.raises(ArchitectureError, match=r"which image does it take.*input_shape="):
        ckptkit.load_model_checkpoint(path)


@pytest.mark.parametrize(
    "tree",
    [
        {"epoch": 3, "optimizer_state_dict": {"state": {}, "param_groups": []}, "loss": torch.tensor(1.0)},
        {"encoder_state_dict": nn.Conv2d(4, 32, 8, 4).state_dict(), "epoch": 1, "input_shape": (4, 84, 84)},
        {"weights": {"layer.weight": torch.zeros(2, 2)}},
    ],
    ids=["optimizer", "pretraining", "other"],
)
def test_bug_a_file_without_version_and_model_is_not_called_a_legacy_network(
    tmp_path: Path, tree: object
) -> None:
    with pytest.raises(ArchitectureError, match="holds no Asteroids network"):
        ckptkit.load_model_checkpoint(written(tree, tmp_path / "a.pth"))


def test_bug_an_architecture_is_never_found_by_trying_classes(tmp_path: Path) -> None:
    plain = dict(Dqn(SHAPE, 20).state_dict())
    loaded = ckptkit.load_model_checkpoint(written(plain, tmp_path / "a.pth"), input_shape=SHAPE)
    assert any(line.startswith("distributional_dqn = False") for line in loaded.assumed)
    extra = {**plain, "value_stream.0.weight": torch.zeros(512, 64)}
    with pytest.raises(ArchitectureError):
        ckptkit.load_model_checkpoint(written(extra, tmp_path / "b.pth"), input_shape=SHAPE)


def test_bug_a_configuration_is_checked_before_a_network_is_built() -> None:
    with pytest.raises(UsageError, match="distributional_dqn without n_atoms, v_min, v_max"):
        ModelConfig(input_shape=SHAPE, n_action=4, distributional_dqn=True)
