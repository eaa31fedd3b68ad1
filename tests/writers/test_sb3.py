"""Zips for today's Stable-Baselines3: it opens them, acts alike and goes on learning."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from gymnasium import spaces

from ckptkit import api
from ckptkit.errors import IntegrityError, NotExportableError, TargetExistsError
from tests.readers.sb3_models import Env
from tests.recovery import sb3_oracle
from tests.recovery.sb3_cases import cases
from tests.writers.sb3_agents import (
    MAKERS,
    learn,
    load,
    make,
    same_predictions,
    same_state,
    trained,
)

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*render_mode", "ignore::UserWarning:stable_baselines3", "ignore::UserWarning:sb3_contrib"
)
DICT = spaces.Dict({"b": spaces.Box(-1.0, 1.0, (2,)), "a": spaces.Discrete(3), "c": spaces.MultiBinary(2)})
IMAGE = spaces.Box(0, 255, (3, 36, 36), np.uint8)


@pytest.fixture(scope="module")
def agents(tmp_path_factory):
    """Return a function that gives a trained agent and its zip, made once for each algorithm."""
    folder, made = tmp_path_factory.mktemp("agents"), {}

    def agent(name):
        if name not in made:
            made[name] = trained(name)
            made[name].save(folder / f"{name}.zip")
        return made[name], folder / f"{name}.zip"

    return agent


def optimizers(model):
    names, _ = model._get_torch_save_params()
    parameters = model.get_parameters()
    return {name: parameters[name] for name in names}


@pytest.mark.parametrize("name", MAKERS)
def test_todays_agents_come_back_whole(name, agents, tmp_path: Path) -> None:
    model, source = agents(name)
    api.convert(source, "sb3", tmp_path / "out.zip")
    found = load(name, tmp_path / "out.zip")
    assert same_predictions(model, found)
    assert same_state(optimizers(model), optimizers(found))
    assert found.observation_space == model.observation_space
    assert found.action_space == model.action_space


@pytest.mark.parametrize("name", MAKERS)
def test_hyper_parameters_are_those_of_the_source(name, agents, tmp_path: Path) -> None:
    _, source = agents(name)
    api.convert(source, "sb3", tmp_path / "out.zip")
    before, after = load(name, source), load(name, tmp_path / "out.zip")
    for field, value in vars(before).items():
        plain = value is None or isinstance(value, bool | int | float | str | list | dict | tuple)
        if plain and field not in ("_last_obs", "batch_norm_stats"):
            assert same_state(getattr(after, field), value), field
    assert before.policy_kwargs == after.policy_kwargs
    assert before.lr_schedule(0.5) == after.lr_schedule(0.5)
    assert vars(before).keys() - vars(after).keys() == set()


@pytest.mark.parametrize("name", MAKERS)
def test_the_way_does_not_matter(name, agents, tmp_path: Path) -> None:
    _, source = agents(name)
    api.convert(source, "sb3", tmp_path / "out.zip")
    for to in ("v2", "deploy", "sb3"):
        between = tmp_path / (f"{to}.zip" if to == "sb3" else to)
        api.convert(source, to, between)
        api.convert(between, "sb3", tmp_path / "again.zip", force=True)
        one, other = (members(tmp_path / each) for each in ("out.zip", "again.zip"))
        if to == "sb3":  # it states today's version twice
            one.pop("system_info.txt"), other.pop("system_info.txt")
        assert one == other, to


def members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        assert all(info.compress_type == zipfile.ZIP_STORED for info in archive.infolist())
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.mark.parametrize("name", MAKERS)
def test_learning_goes_on(name, agents, tmp_path: Path) -> None:
    model, source = agents(name)
    api.convert(source, "sb3", tmp_path / "out.zip")
    env = Env(model.observation_space, model.action_space)
    if name == "ARS":
        env.step = lambda action: (env.observation_space.sample(), float(action[0]), True, False, {})
    found = load(name, tmp_path / "out.zip", env=env)
    before = [value.clone() for value in found.policy.parameters()]
    steps = found.num_timesteps
    learn(name, found, reset_num_timesteps=False)
    assert found.num_timesteps > steps
    assert not all(map(torch.equal, before, found.policy.parameters()))


POLICIES = {
    "PPO-CnnPolicy": ("PPO", IMAGE, "CnnPolicy", {}),
    "PPO-CnnPolicy-unshared": ("PPO", IMAGE, "CnnPolicy", {"share_features_extractor": False}),
    "A2C-MultiInputPolicy": ("A2C", DICT, "MultiInputPolicy", {}),
    "DQN-CnnPolicy": ("DQN", IMAGE, "CnnPolicy", {}),
    "SAC-CnnPolicy-shared": ("SAC", IMAGE, "CnnPolicy", {"share_features_extractor": True}),
    "TD3-MultiInputPolicy": ("TD3", DICT, "MultiInputPolicy", {"net_arch": {"pi": [4], "qf": [5, 3]}}),
    "PPO-ELU": ("PPO", spaces.MultiDiscrete([2, 3]), "MlpPolicy", {"activation_fn": torch.nn.ELU}),
    "SAC-critics": ("SAC", spaces.Discrete(4), "MlpPolicy", {"n_critics": 3, "log_std_init": -2}),
    "DQN-options": ("DQN", spaces.MultiBinary(3), "MlpPolicy", {"optimizer_kwargs": {"betas": (0.8, 0.9)}}),
    "ARS-LinearPolicy": ("ARS", spaces.Box(-1.0, 1.0, (4,), np.float64), "LinearPolicy", {}),
}


@pytest.mark.parametrize("case", POLICIES)
def test_policies_of_every_kind(case, tmp_path: Path) -> None:
    name, observation, policy, kwargs = POLICIES[case]
    model = make(name, observation, policy, policy_kwargs=kwargs)
    model.save(tmp_path / "model.zip")
    api.convert(tmp_path / "model.zip", "deploy", tmp_path / "bundle")
    for source in ("model.zip", "bundle"):
        api.convert(tmp_path / source, "sb3", tmp_path / "out.zip", force=True)
        found = load(name, tmp_path / "out.zip")
        assert same_predictions(model, found)
        assert same_state(optimizers(model), optimizers(found))
        assert found.observation_space == model.observation_space
        assert found.policy_kwargs == load(name, tmp_path / "model.zip").policy_kwargs


@pytest.mark.parametrize("case", cases()[::6], ids=lambda case: case.id)
def test_generated_agents(case, tmp_path: Path) -> None:
    model = sb3_oracle.make(case)
    model.save(tmp_path / "model.zip")
    api.convert(tmp_path / "model.zip", "sb3", tmp_path / "out.zip")
    found = load(case.algorithm, tmp_path / "out.zip")
    obs = sb3_oracle.sb3_observation(sb3_oracle.observations(model))
    one, other = (each.predict(obs, deterministic=True)[0] for each in (model, found))
    assert np.array_equal(one, other)
    assert same_state(dict(model.policy.state_dict()), dict(found.policy.state_dict()))
    assert found.observation_space == model.observation_space


@pytest.mark.parametrize("use_sde", [False, True])
@pytest.mark.parametrize("name", ["PPO", "SAC"])
def test_exploration_by_state(name, use_sde, tmp_path: Path) -> None:
    model = make(name, action=spaces.Box(-1.0, 1.0, (2,)), use_sde=use_sde, sde_sample_freq=4)
    model.save(tmp_path / "model.zip")
    api.convert(tmp_path / "model.zip", "sb3", tmp_path / "out.zip")
    found = load(name, tmp_path / "out.zip")
    assert found.use_sde == use_sde
    assert found.sde_sample_freq == 4
    assert same_predictions(model, found)


@pytest.mark.parametrize("entropy", ["auto_0.1", 0.2])
def test_entropy_coefficients(entropy, tmp_path: Path) -> None:
    model = trained("SAC", ent_coef=entropy)
    model.save(tmp_path / "model.zip")
    api.convert(tmp_path / "model.zip", "sb3", tmp_path / "out.zip")
    found = load("SAC", tmp_path / "out.zip")
    name = "log_ent_coef" if isinstance(entropy, str) else "ent_coef_tensor"
    assert torch.equal(getattr(model, name), getattr(found, name))
    assert found.ent_coef == entropy


def test_noise_comes_back(tmp_path: Path) -> None:
    from stable_baselines3.common.noise import NormalActionNoise, OrnsteinUhlenbeckActionNoise

    for cls in (NormalActionNoise, OrnsteinUhlenbeckActionNoise):
        noise = cls(np.zeros(2), np.array([0.1, 0.2]))
        make("TD3", action_noise=noise).save(tmp_path / "model.zip")
        api.convert(tmp_path / "model.zip", "sb3", tmp_path / "out.zip", force=True)
        found = load("TD3", tmp_path / "out.zip").action_noise
        assert type(found) is cls
        assert found().dtype == np.float32
        assert np.array_equal(found._sigma, noise._sigma)


def test_the_result_is_a_valid_checkpoint_with_the_same_content(agents, tmp_path: Path) -> None:
    for name in ("PPO", "CrossQ"):
        _, source = agents(name)
        bundle = api.convert(source, "v2", tmp_path / f"{name}.pt").written
        done = api.convert(source, "sb3", tmp_path / f"{name}.zip")
        assert done.level == 0
        assert done.written.content_digest == bundle.content_digest
        assert (done.written.tensors, done.written.aliases) == (bundle.tensors, bundle.aliases)
        result = api.validate([tmp_path / f"{name}.zip"], level=0).results[0]
        assert not result.findings
        seen = api.inspect(tmp_path / f"{name}.zip")
        assert str(seen.verdict) == "data-only"
        assert not seen.code
        assert seen.format_version == "2.9.2"


def test_two_runs_give_the_same_bytes(agents, tmp_path: Path) -> None:
    _, source = agents("TQC")
    for name in ("one.zip", "two.zip"):
        api.convert(source, "sb3", tmp_path / name)
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


def test_a_target_that_stands_is_left_alone(agents, tmp_path: Path) -> None:
    _, source = agents("A2C")
    (tmp_path / "out.zip").write_bytes(b"mine")
    with pytest.raises(TargetExistsError):
        api.convert(source, "sb3", tmp_path / "out.zip")
    assert (tmp_path / "out.zip").read_bytes() == b"mine"
    api.convert(source, "sb3", tmp_path / "out.zip", force=True)
    assert zipfile.is_zipfile(tmp_path / "out.zip")


def test_nothing_is_left_of_a_bundle_with_a_changed_tensor(agents, tmp_path: Path) -> None:
    _, source = agents("A2C")
    api.convert(source, "deploy", tmp_path / "bundle")
    weights = bytearray((tmp_path / "bundle" / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (tmp_path / "bundle" / "model.safetensors").write_bytes(weights)
    with pytest.raises(IntegrityError, match="differs from its digest"):
        api.convert(tmp_path / "bundle", "sb3", tmp_path / "out" / "a.zip")
    assert not (tmp_path / "out").exists()


def test_a_dry_run_says_what_would_change(sb3_zip: Path, tmp_path: Path) -> None:
    done = api.convert(sb3_zip, "sb3", tmp_path / "out.zip", dry_run=True)
    assert any("LinearSchedule" in line for line in done.changed)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("dry_run", [False, True])
def test_what_is_no_agent_is_refused(safetensors_file: Path, tmp_path: Path, ckptkit, dry_run) -> None:
    with pytest.raises(NotExportableError, match=r"no Stable-Baselines3 agent"):
        api.convert(safetensors_file, "sb3", tmp_path / "out.zip", dry_run=dry_run)
    run = ckptkit("convert", safetensors_file, "--to", "sb3", "-o", tmp_path / "out.zip")
    assert run.status == 1
    assert "no Stable-Baselines3 agent" in run.err
    assert not (tmp_path / "out.zip").exists()


def test_the_command_reports_every_change(sb3_zip: Path, tmp_path: Path, ckptkit) -> None:
    run = ckptkit("convert", sb3_zip, "--to", "sb3", "-o", tmp_path / "out.zip")
    assert run.status == 0
    assert "changed   learning_rate: written as SB3's LinearSchedule from 0.001 to 0.0" in run.out
    assert "level 0 readable" in run.out
    assert "bundle " not in run.out
