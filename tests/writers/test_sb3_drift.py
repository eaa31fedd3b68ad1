"""What older releases wrote otherwise: names, shared layers, schedules, optimizers, spaces."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from gymnasium import spaces

from ckptkit import api
from ckptkit.errors import NotExportableError
from tests.corpus import corpus_root
from tests.readers.sb3_models import Env, read
from tests.writers.sb3_agents import (
    BOX,
    learn,
    load,
    make,
    rewritten,
    same_predictions,
    same_state,
    trained,
    with_data,
    without_gym,
)

pytestmark = pytest.mark.filterwarnings("ignore:.*render_mode")
IMAGE = spaces.Box(0, 255, (3, 36, 36), np.uint8)
AGENTS = 51
"""Agents of the corpus."""


def converted(path: Path, name: str):
    """Convert, load with SB3; return receipt and agent."""
    done = api.convert(path, "sb3", path.parent / "converted.zip", force=True)
    return done, load(name, path.parent / "converted.zip")


def saved(model, tmp_path: Path) -> Path:
    model.save(tmp_path / "model.zip")
    return tmp_path / "model.zip"


def test_an_agent_of_the_gym_era(sb3_zip: Path, tmp_path: Path) -> None:
    done = api.convert(sb3_zip, "sb3", tmp_path / "out.zip")
    found = load("PPO", tmp_path / "out.zip")
    assert type(found.observation_space) is spaces.Box
    assert found.observation_space.low.tolist() == [-1.5, -np.inf, np.float32(0.1)]
    assert found.lr_schedule(0.5) == pytest.approx(0.0005)
    assert found.clip_range(0.5) == pytest.approx(0.2)
    assert "version: 2.9.2, was not stated" in done.changed
    assert not done.assumed
    # The made-up file is the rewriting of another one, with the same weights.
    twin = load("PPO", sb3_zip.parents[1] / "ppo" / "model.zip")
    assert same_predictions(twin, found)
    assert same_state(
        twin.policy.optimizer.state_dict()["state"], found.policy.optimizer.state_dict()["state"]
    )


def test_one_extractor_becomes_three_names(tmp_path: Path) -> None:
    model = make("PPO", IMAGE, "CnnPolicy", policy_kwargs={"net_arch": [4]})
    state = model.policy.state_dict()
    old = {name: value for name, value in state.items() if not name.startswith(("pi_f", "vf_f"))}
    path = rewritten(
        saved(model, tmp_path), policy=old, policy__optimizer=model.policy.optimizer.state_dict()
    )
    done, found = converted(path, "PPO")
    assert same_state(dict(state), dict(found.policy.state_dict()))
    assert same_predictions(model, found)
    assert any("pi_features_extractor.*" in line for line in done.changed)
    assert done.written.aliases == 2 * sum(name.startswith("features_ex") for name in state)


def shared_net(tmp_path: Path, net_arch: object, shared: list[int], own: list[int]) -> tuple[Path, dict]:
    """Return a zip whose networks share their first layers, as before 1.8, and its state dict."""
    layers = [*shared, *own]
    model = trained("PPO", policy_kwargs={"net_arch": {"pi": layers, "vf": layers}})
    state, old = model.policy.state_dict(), {}
    for name, value in state.items():
        module, _, rest = name.partition(".")
        if module != "mlp_extractor":
            old[name] = value
            continue
        net, number, part = rest.split(".")
        if int(number) < 2 * len(shared):
            if net == "policy_net":
                old[f"mlp_extractor.shared_net.{number}.{part}"] = value
        else:
            old[f"mlp_extractor.{net}.{int(number) - 2 * len(shared)}.{part}"] = value
    optimizer = model.policy.optimizer.state_dict()
    optimizer["param_groups"][0]["params"] = list(range(len(old)))
    optimizer["state"] = {i: optimizer["state"][i] for i in range(len(old))}
    path = rewritten(saved(model, tmp_path), policy=old, policy__optimizer=optimizer)
    return with_data(path, policy_kwargs={"net_arch": net_arch}), old


def by_hand(state: dict, obs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Compute logits and value as the releases with shared layers did."""

    def through(net: str, values: torch.Tensor) -> torch.Tensor:
        prefix = f"mlp_extractor.{net}."
        for number in sorted(
            {int(name.removeprefix(prefix).split(".")[0]) for name in state if name.startswith(prefix)}
        ):
            weight, bias = (state[f"{prefix}{number}.{part}"] for part in ("weight", "bias"))
            values = torch.tanh(torch.nn.functional.linear(values, weight, bias))
        return values

    latent = through("shared_net", obs)
    return tuple(
        torch.nn.functional.linear(through(net, latent), state[f"{head}.weight"], state[f"{head}.bias"])
        for net, head in (("policy_net", "action_net"), ("value_net", "value_net"))
    )


@pytest.mark.parametrize(
    ("net_arch", "shared", "own"),
    [
        ([6, {"pi": [5], "vf": [5]}], [6], [5]),
        ([6, 5], [6, 5], []),
        ([7, 6, {"pi": [5], "vf": [5]}], [7, 6], [5]),
    ],
)
def test_shared_layers_are_written_twice(tmp_path: Path, net_arch, shared, own) -> None:
    path, old = shared_net(tmp_path, net_arch, shared, own)
    done, found = converted(path, "PPO")
    obs = torch.rand(7, 3)
    logits, value = by_hand(old, obs)
    got = found.policy.get_distribution(obs).distribution.logits
    assert torch.allclose(got, logits - logits.logsumexp(-1, keepdim=True), atol=1e-6)
    assert torch.allclose(found.policy.predict_values(obs), value, atol=1e-6)
    # A plain list of widths was all shared then; today it is two networks of these widths.
    expected = {"pi": [*shared, *own], "vf": [*shared, *own]} if own else net_arch
    assert found.policy_kwargs["net_arch"] == expected
    assert any("shares no layers" in line for line in done.changed)
    assert any("optimizer starts anew" in entry.reason for entry in done.dropped)
    first = found.policy.mlp_extractor
    assert first.policy_net[0].weight.data_ptr() != first.value_net[0].weight.data_ptr()
    found.set_env(Env(BOX, found.action_space))
    learn("PPO", found)
    assert not torch.equal(first.policy_net[0].weight, first.value_net[0].weight)


def test_only_a_list_around_the_networks_is_taken_away(tmp_path: Path) -> None:
    model = trained("PPO", policy_kwargs={"net_arch": {"pi": [4], "vf": [3]}})
    path = with_data(saved(model, tmp_path), policy_kwargs={"net_arch": [{"pi": [4], "vf": [3]}]})
    _, found = converted(path, "PPO")
    assert found.policy_kwargs == {"net_arch": {"pi": [4], "vf": [3]}}
    assert found.policy.optimizer.state_dict()["state"]


def test_the_linear_policy_of_ars(tmp_path: Path) -> None:
    model = make("ARS", policy="LinearPolicy", policy_kwargs={}, zero_policy=False)
    state = {"action_net.weight": model.policy.state_dict()["action_net.0.weight"]}
    done, found = converted(rewritten(saved(model, tmp_path), policy=state), "ARS")
    assert same_predictions(model, found)
    assert "action_net.weight: named action_net.0.weight" in done.changed


def test_the_target_network_leaves_the_optimizer(tmp_path: Path) -> None:
    for name in ("DQN", "QRDQN"):
        model = trained(name)
        optimizer = model.policy.optimizer.state_dict()
        count = len(optimizer["param_groups"][0]["params"])
        optimizer["param_groups"][0]["params"] = list(range(2 * count))
        done, found = converted(rewritten(saved(model, tmp_path), policy__optimizer=optimizer), name)
        assert any("no longer part" in line for line in done.changed)
        assert same_state(model.policy.optimizer.state_dict(), found.policy.optimizer.state_dict())


def test_parameters_numbered_by_address(tmp_path: Path) -> None:
    model = trained("SAC")
    optimizer = model.actor.optimizer.state_dict()
    group = optimizer["param_groups"][0]
    names = [139816028755360 + 72 * (i * 7 % 11) for i in group["params"]]
    old = {
        "state": {names[i]: value for i, value in optimizer["state"].items()},
        "param_groups": [group | {"params": names}],
    }
    _, found = converted(rewritten(saved(model, tmp_path), actor__optimizer=old), "SAC")
    assert same_state(optimizer, found.actor.optimizer.state_dict())


def test_an_optimizer_that_is_missing_starts_anew(tmp_path: Path) -> None:
    model = trained("SAC")
    with zipfile.ZipFile(saved(model, tmp_path)) as archive:
        kept = {name: archive.read(name) for name in archive.namelist() if "optimizer" not in name}
    with zipfile.ZipFile(tmp_path / "model.zip", "w") as archive:
        for name, data in kept.items():
            archive.writestr(name, data)
    done, found = converted(tmp_path / "model.zip", "SAC")
    assert same_predictions(model, found)
    assert sum("starts anew" in line for line in done.changed) == 3
    found.set_env(Env(model.observation_space, model.action_space))
    learn("SAC", found)


@pytest.mark.parametrize(
    ("said", "frequency", "unit"),
    [(8, 8, "step"), (-1, 2, "episode"), ([3, "episode"], 3, "episode"), ("often", 1, "step")],
)
def test_train_frequencies_of_every_release(tmp_path: Path, said, frequency, unit) -> None:
    path = with_data(saved(make("TD3"), tmp_path), train_freq=said, n_episodes_rollout=2)
    _, found = converted(path, "TD3")
    assert (found.train_freq.frequency, found.train_freq.unit.value) == (frequency, unit)
    assert not hasattr(found, "n_episodes_rollout")


def test_a_schedule_of_the_users_own_becomes_what_the_optimizer_used(tmp_path: Path) -> None:
    model = trained("A2C", learning_rate=lambda left: 0.01 * left**2)
    used = model.policy.optimizer.param_groups[0]["lr"]
    done, found = converted(saved(model, tmp_path), "A2C")
    assert found.learning_rate == used
    assert found.lr_schedule(1.0) == used
    (entry,) = [entry for entry in done.dropped if "is taken" in entry.reason]
    assert entry.path == "data:learning_rate"
    assert f"the constant {used} is taken (what the optimizer last used)" in entry.reason


def test_what_older_releases_lack_is_filled_and_said(tmp_path: Path) -> None:
    gone = {"_num_timesteps_at_start": ..., "_stats_window_size": ..., "rollout_buffer_class": ...}
    path = with_data(saved(make("PPO"), tmp_path), eval_env=None, **gone, normalize_advantage=...)
    done, found = converted(path, "PPO")
    assert found.normalize_advantage is True
    (line,) = done.assumed
    assert "normalize_advantage" in line
    assert "_stats_window_size" in line
    assert "data:eval_env" in [entry.path for entry in done.dropped]


def test_arguments_that_todays_policies_do_not_take(tmp_path: Path) -> None:
    kwargs = {"net_arch": [6, 5], "device": "cpu", "sde_net_arch": None}
    path = with_data(saved(make("PPO"), tmp_path), policy_kwargs=kwargs)
    done, found = converted(path, "PPO")
    assert found.policy_kwargs == {"net_arch": [6, 5]}
    assert {"data:policy_kwargs.device", "data:policy_kwargs.sde_net_arch"} <= {e.path for e in done.dropped}


def test_networks_of_the_default_of_another_release(tmp_path: Path) -> None:
    model = make("SAC", policy_kwargs={"net_arch": {"pi": [4], "qf": [3]}, "n_critics": 1})
    path = with_data(saved(model, tmp_path), policy_kwargs={"use_sde": False})
    done, found = converted(path, "SAC")
    assert found.policy_kwargs["net_arch"] == {"pi": [4], "qf": [3]}
    assert found.policy_kwargs["n_critics"] == 1
    assert same_predictions(model, found)
    assert any("net_arch" in line for line in done.changed)


def test_hindsight_replay_is_left_out(tmp_path: Path) -> None:
    from stable_baselines3 import SAC, HerReplayBuffer

    parts = {key: spaces.Box(-1.0, 1.0, (2,)) for key in ("observation", "achieved_goal", "desired_goal")}
    env = Env(spaces.Dict(parts), spaces.Box(-1.0, 1.0, (1,)))
    env.compute_reward = lambda achieved, desired, info: np.zeros(len(achieved))
    model = SAC(
        "MultiInputPolicy",
        env,
        replay_buffer_class=HerReplayBuffer,
        replay_buffer_kwargs={"n_sampled_goal": 2},
        buffer_size=64,
        policy_kwargs={"net_arch": [4]},
    )
    done, found = converted(saved(model, tmp_path), "SAC")
    assert same_predictions(model, found)
    assert found.replay_buffer_class.__name__ == "DictReplayBuffer"
    assert {"data:replay_buffer_class", "data:replay_buffer_kwargs"} <= {entry.path for entry in done.dropped}


def test_an_agent_of_the_wrapper_for_goals_says_what_it_takes(tmp_path: Path) -> None:
    path = with_data(saved(make("SAC"), tmp_path), model_class=None, n_sampled_goal=4, online_sampling=True)
    done, found = converted(path, "SAC")
    assert "goals" in [note.kind for note in done.notes]
    assert not hasattr(found, "n_sampled_goal")


def test_a_separate_exploration_network_is_refused(tmp_path: Path) -> None:
    model = make("PPO")
    state = dict(model.policy.state_dict()) | {"sde_features_extractor.latent_sde.0.weight": torch.ones(2, 3)}
    path = rewritten(saved(model, tmp_path), policy=state)
    with pytest.raises(NotExportableError, match="exploration network"):
        api.convert(path, "sb3", tmp_path / "out.zip")


def test_lost_data_is_refused(tmp_path: Path) -> None:
    path = saved(make("PPO"), tmp_path)
    with_data(path, policy_class=None)
    with pytest.raises(NotExportableError, match="does not tell which algorithm"):
        api.convert(path, "sb3", tmp_path / "out.zip")


def test_a_space_that_is_not_known_is_refused(tmp_path: Path) -> None:
    path = with_data(saved(make("PPO"), tmp_path), observation_space=...)
    with pytest.raises(NotExportableError, match="observation space"):
        api.convert(path, "sb3", tmp_path / "out.zip")
    assert json.loads(zipfile.ZipFile(path).read("data"))["action_space"]


@pytest.mark.corpus
def test_every_agent_of_the_corpus_opens_and_acts_as_before(tmp_path: Path) -> None:
    root = corpus_root() / "sb3_agents"
    wrong, count = [], 0
    for source in sorted((root / "files").rglob("*.zip")):
        name = source.relative_to(root / "files").as_posix()
        api.convert(source, "sb3", tmp_path / f"{count}.zip")
        found = load(read(source).model_config["algorithm"], tmp_path / f"{count}.zip")
        expected = np.load(root / "expected" / (name.removesuffix(".zip").replace("/", "__") + ".npz"))
        with without_gym():
            action = found.predict(expected["obs"], deterministic=True)[0].reshape(expected["action"].shape)
        exact = action.dtype.kind in "iub"
        same = np.array_equal if exact else lambda a, b: np.allclose(a, b, rtol=1e-5, atol=1e-5)
        if not same(action, expected["action"]):
            wrong.append(name)
        count += 1
    assert not wrong
    assert count == AGENTS
