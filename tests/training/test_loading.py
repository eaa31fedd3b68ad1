"""Loading: every layout of the system, what migrates, what is assumed, and what must be asked."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import ckptkit
from ckptkit.errors import ArchitectureError, CkptkitError, NotACheckpointError, UsageError
from tests.corpus import corpus_files
from tests.recovery.seed_models import Dqn, model_config, versioned
from tests.training.networks import EIGHT, NAMES, SHAPE, agree, configured, own_module

CORPUS = [path for path in corpus_files("seed_systems/asteroids") if path.suffix == ".pth"]


def written(tree: object, path: Path) -> Path:
    torch.save(tree, path)
    return path


@pytest.mark.parametrize("combination", EIGHT, ids=NAMES)
def test_a_bare_state_dict_of_each_combination_loads_and_says_what_was_assumed(
    combination: tuple[bool, bool, bool], tmp_path: Path
) -> None:
    config = configured(*combination)
    made = own_module(config)
    loaded = ckptkit.load_model_checkpoint(
        written(made.state_dict(), tmp_path / "dqn_best.pth"), input_shape=SHAPE
    )
    model, found, info = loaded
    assert (found, info) == (config, {})
    assert list(model.state_dict()) == list(made.state_dict())
    agree(model, made)
    assert any("without version" in line for line in loaded.migrations)
    assert any(line.startswith("double_dqn = False (default") for line in loaded.assumed)
    assert any(line.startswith("activation = ReLU") for line in loaded.assumed)


def test_a_current_file_migrates_nothing(tmp_path: Path) -> None:
    config = configured(True, False, False)
    ckptkit.save_model_checkpoint(ckptkit.create_model_from_config(config), config, {}, tmp_path / "a.pth")
    assert ckptkit.load_model_checkpoint(tmp_path / "a.pth").migrations == ()


@pytest.mark.parametrize("to", ["v2", "deploy"])
def test_converted_files_load_as_their_source_does(to: str, tmp_path: Path) -> None:
    made = own_module(configured(True, True, True))
    source = written(made.state_dict(), tmp_path / "dqn_10.pth")
    ckptkit.convert(source, to, tmp_path / "out", input_shape=SHAPE, assume=["asteroids"])
    loaded = ckptkit.load_model_checkpoint(tmp_path / "out")
    assert loaded.config == configured(True, True, True)
    assert loaded.migrations == ()
    agree(loaded.model, made)
    names = [name for name, _ in loaded.model.named_parameters()]
    assert names == [name for name, _ in made.named_parameters()]


def test_a_named_dict_takes_its_fields_from_the_json_beside_it(tmp_path: Path) -> None:
    config = configured(False, True, False, double_dqn=True)
    made = own_module(config)
    names = {"model_name": "m", "model_class": "DistributionalDQN"}
    path = written(
        {"model_state_dict": made.state_dict(), **names, "training_info": {"frame_idx": 3}},
        tmp_path / "m.pth",
    )
    (tmp_path / "m.json").write_text(json.dumps({**names, "model_config": config.to_json()}))
    model, found, info = ckptkit.load_model_checkpoint(path)
    assert (found, info) == (config, {"frame_idx": 3})
    agree(model, made)


@pytest.mark.parametrize("prefix", ["_orig_mod.", "module.", "module._orig_mod.", "_orig_mod.module."])
def test_names_lose_what_wrappers_put_before_them(prefix: str, tmp_path: Path) -> None:
    made = own_module(configured(True, False, True))
    state = {f"{prefix}{name}": value for name, value in made.state_dict().items()}
    loaded = ckptkit.load_model_checkpoint(written(state, tmp_path / "a.pth"), input_shape=SHAPE)
    assert list(loaded.model.state_dict()) == list(made.state_dict())
    assert any(f"{prefix}conv.0.weight: now conv.0.weight" in line for line in loaded.migrations)
    agree(loaded.model, made)


def test_numbers_of_numpy_in_a_file_are_plain_afterwards(tmp_path: Path) -> None:
    made = Dqn(SHAPE, 4)
    words = model_config(made, SHAPE, n_action=np.int64(4), n_steps=np.int32(3), n_step_learning=True)
    info = {"frame_idx": np.int64(5), "mean_eval_reward": np.float64(1.5)}
    path = written({**versioned(made, words), "training_info": info}, tmp_path / "a.pth")
    _, config, found = ckptkit.load_model_checkpoint(path)
    assert (config.n_action, type(config.n_action), config.n_steps) == (4, int, 3)
    assert (found, type(found["mean_eval_reward"])) == ({"frame_idx": 5, "mean_eval_reward": 1.5}, float)


def test_what_has_no_effect_or_no_place_is_left_out_and_said(tmp_path: Path) -> None:
    made = Dqn(SHAPE, 4)
    words = model_config(made, SHAPE, n_atoms=51, v_min=-10.0, colour="red")
    loaded = ckptkit.load_model_checkpoint(written(versioned(made, words), tmp_path / "a.pth"))
    assert (loaded.config.n_atoms, loaded.config.v_min) == (None, None)
    said = "\n".join(loaded.migrations)
    assert "n_atoms = 51 has no effect" in said
    assert "v_min = -10.0 has no effect" in said
    assert "model_config.colour is no field" in said


def test_a_lost_range_is_asked_for_and_the_argument_settles_it(tmp_path: Path) -> None:
    made = own_module(configured(True, True, False))
    weights = {name: value for name, value in made.state_dict().items() if name != "support"}
    path = written(weights, tmp_path / "a.pth")
    with pytest.raises(ArchitectureError, match=r"over which range.*model_config="):
        ckptkit.load_model_checkpoint(path, input_shape=SHAPE)
    loaded = ckptkit.load_model_checkpoint(
        path, input_shape=SHAPE, model_config={"v_min": 0.0, "v_max": 5.0, "double_dqn": True}
    )
    assert loaded.config == configured(True, True, False, double_dqn=True)
    assert "v_min = 0.0 (model_config=)" in loaded.assumed
    x = torch.rand(3, *SHAPE)
    torch.testing.assert_close(loaded.model(x)["q_values"], made(x)["q_values"])


def test_an_argument_that_contradicts_the_file_is_refused_with_every_field(tmp_path: Path) -> None:
    made = Dqn(SHAPE, 4)
    path = written(versioned(made, model_config(made, SHAPE)), tmp_path / "a.pth")
    with pytest.raises(UsageError, match=r"dueling_dqn is False, not True; n_action is 4, not 5"):
        ckptkit.load_model_checkpoint(path, model_config={"dueling_dqn": True, "n_action": 5})
    with pytest.raises(ArchitectureError, match="84"):
        ckptkit.load_model_checkpoint(path, input_shape=(3, 84, 84))
    bare = written(made.state_dict(), tmp_path / "b.pth")
    with pytest.raises(ArchitectureError, match="n_action is 5"):
        ckptkit.load_model_checkpoint(bare, input_shape=SHAPE, model_config={"n_action": 5})


def test_words_in_the_file_that_contradict_its_tensors_are_refused(tmp_path: Path) -> None:
    made = Dqn(SHAPE, 4, atoms=5)
    words = model_config(made, SHAPE, n_action=3, dueling_dqn=True)
    with pytest.raises(ArchitectureError) as caught:
        ckptkit.load_model_checkpoint(written(versioned(made, words), tmp_path / "a.pth"))
    assert "n_action is 3" in str(caught.value)
    assert "dueling_dqn is True" in str(caught.value)


def test_a_flipped_bit_is_named(tmp_path: Path) -> None:
    config = configured(False, False, False)
    path = tmp_path / "a.pth"
    ckptkit.save_model_checkpoint(ckptkit.create_model_from_config(config), config, {}, path)
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 1
    path.write_bytes(data)
    with pytest.raises(CkptkitError, match=r"a\.pth.*(corrupt|differs)"):
        ckptkit.load_model_checkpoint(path)


def test_what_is_no_network_of_the_system_is_refused_by_name(tmp_path: Path) -> None:
    other = written(nn.Linear(3, 2).state_dict(), tmp_path / "a.pth")
    with pytest.raises(ArchitectureError, match="holds no Asteroids network"):
        ckptkit.load_model_checkpoint(other)
    with pytest.raises(NotACheckpointError):
        ckptkit.load_model_checkpoint(tmp_path / "absent.pth")


def test_optimizer_and_model_of_a_loaded_file_count_parameters_alike(tmp_path: Path) -> None:
    config = configured(True, True, True)
    model = ckptkit.create_model_from_config(config, seed=1)
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.rand(2, *SHAPE))["q_values"].sum().backward()
    optimizer.step()
    path = tmp_path / "a.pt"
    ckptkit.save_for_training(path, model, optimizer, model_config=config)
    again = ckptkit.load_model_checkpoint(path).model
    other = torch.optim.Adam(again.parameters())
    ckptkit.load_for_training(path, again, other)
    for mine, its in zip(optimizer.state.values(), other.state.values(), strict=True):
        assert torch.equal(mine["exp_avg"], its["exp_avg"])


@pytest.mark.corpus
@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.parent.name)
def test_the_corpus_loads_with_its_recorded_outputs(path: Path) -> None:
    expected: Any = np.load(path.parent / "expected.npz")
    model, _, _ = ckptkit.load_model_checkpoint(path, input_shape=expected["obs"].shape[1:])
    with torch.no_grad():
        outputs = model(torch.from_numpy(expected["obs"]))
    np.testing.assert_allclose(outputs["q_values"].numpy(), expected["q"], 1e-5, 1e-5)
    assert outputs["action"].tolist() == expected["q"].argmax(1).tolist()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"n_steps": 0}, "n_steps must be at least 1"),
        ({"noisy_std_init": "x"}, "noisy_std_init must be a number"),
        ({"double_dqn": 1, "game": 5}, "double_dqn must be true or false, is 1; game must be a string"),
    ],
)
def test_words_of_a_file_that_no_configuration_takes_are_refused_with_the_file(
    words: dict[str, Any], said: str, tmp_path: Path
) -> None:
    made = Dqn(SHAPE, 4)
    path = written(versioned(made, model_config(made, SHAPE, **words)), tmp_path / "a.pth")
    with pytest.raises(ArchitectureError, match=rf"a\.pth: its model_config is no ModelConfig: {said}"):
        ckptkit.load_model_checkpoint(path)


def test_an_argument_with_a_field_that_there_is_not_is_refused(tmp_path: Path) -> None:
    path = written(Dqn(SHAPE, 4).state_dict(), tmp_path / "a.pth")
    with pytest.raises(UsageError, match="has colour, which is no field"):
        ckptkit.load_model_checkpoint(path, model_config={"colour": 1})
