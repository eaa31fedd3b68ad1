"""Models that Stable-Baselines3 makes, and what it says that they compute."""

import functools
import zlib
from typing import Any

import numpy as np
import torch
from gymnasium import spaces

from tests.readers.sb3_models import Env
from tests.recovery.sb3_cases import ACTIONS, Case

BATCH = 5


def make(case: Case) -> Any:
    """Make the model of a case, with weights that leave no output near a constant."""
    import sb3_contrib
    import stable_baselines3

    cls = getattr(stable_baselines3, case.algorithm, None) or getattr(sb3_contrib, case.algorithm)
    settings: dict[str, Any] = {"seed": 0, "device": "cpu"} | case.settings
    if case.algorithm in ("DQN", "QRDQN", "SAC", "TQC", "CrossQ", "TD3", "DDPG"):
        settings["buffer_size"] = 2
    elif case.algorithm != "ARS":
        settings["n_steps"] = 8
        if case.algorithm != "A2C":
            settings["batch_size"] = 8
    model = cls(
        case.policy, Env(case.space, ACTIONS[case.action]), policy_kwargs=dict(case.kwargs), **settings
    )
    randomise(model.policy, zlib.crc32(case.id.encode()))
    return model


def randomise(module: torch.nn.Module, seed: int) -> None:
    """Give every parameter and statistic a value of its own; the largest gain stays near one."""
    made = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in module.state_dict().items():
            if not value.is_floating_point():
                continue
            noise = torch.randn(value.shape, generator=made)
            if name.endswith("ra_var"):
                value.copy_(noise.abs() + 0.1)
            elif value.dim() > 1:
                value.copy_(noise * 1.5 / value[0].numel() ** 0.5)
            else:
                value.copy_(noise * 0.3)


def observations(model: Any) -> dict[str, np.ndarray]:
    """Return a batch as the graph names it: random ones, and the edges where there are any."""
    space = model.observation_space
    space.seed(3)
    if isinstance(space, spaces.Dict):
        return {f"obs.{key}": _batch(part) for key, part in space.spaces.items()}
    return {"obs": _batch(space)}


def _batch(space: spaces.Space) -> np.ndarray:
    rows = [space.sample() for _ in range(BATCH)]
    if isinstance(space, spaces.Box) and space.is_bounded():
        rows[:2] = [space.low, space.high]
    if isinstance(space, spaces.Discrete):  # SB3 one-hots the number itself, whatever its start
        rows = [row % space.n for row in rows]
    return np.stack(rows)


def sb3_observation(feed: dict[str, np.ndarray]) -> Any:
    """Return the batch as SB3 takes it."""
    return feed["obs"] if "obs" in feed else {key.removeprefix("obs."): v for key, v in feed.items()}


def tensors(observation: Any) -> Any:
    if isinstance(observation, dict):
        return {key: torch.as_tensor(value) for key, value in observation.items()}
    return torch.as_tensor(observation)


def masks(model: Any) -> np.ndarray:
    """Return what a masked policy may do; each part of the cases' spaces keeps a choice."""
    count = model.policy.action_net.out_features
    allowed = np.random.default_rng(5).random((BATCH, count)) < 0.5
    allowed[0] = True
    allowed[:, ::2] = True
    return allowed


@functools.singledispatch
def _logits(distribution: Any) -> torch.Tensor:
    return distribution.logits


@_logits.register
def _(distribution: list) -> torch.Tensor:
    return torch.cat([part.logits for part in distribution], dim=1)


def heads(case: Case, model: Any, observation: Any, mask: np.ndarray | None) -> dict[str, torch.Tensor]:
    """Return the raw heads as SB3's own methods give them."""
    policy, obs = model.policy, tensors(observation)
    match case.algorithm:
        case "DQN":
            return {"q_values": policy.q_net(obs)}
        case "QRDQN":
            quantiles = policy.quantile_net(obs)
            return {"quantiles": quantiles, "q_values": quantiles.mean(dim=1)}
        case "SAC" | "TQC" | "CrossQ":
            return {"mean_actions": policy.actor.get_action_dist_params(obs)[0]}
        case "TD3" | "DDPG":
            return {}
        case "ARS":
            plain = [layer for layer in policy.action_net if not isinstance(layer, torch.nn.Tanh)]
            head = torch.nn.Sequential(*plain)(policy.extract_features(obs, policy.features_extractor))
            return {"logits" if "discrete" in case.action else "mean_actions": head}
        case "RecurrentPPO":
            return {}
    given = policy.get_distribution(obs) if mask is None else policy.get_distribution(obs, mask)
    return _head(case, given) | {"value": policy.predict_values(obs)}


def _head(case: Case, given: Any) -> dict[str, torch.Tensor]:
    if "box" in case.action:
        return {"mean_actions": given.distribution.mean}
    found = getattr(given, "distributions", None) or given.distribution
    return {"logits": _logits(found)}


def expected(case: Case, model: Any, feed: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the action of `predict(deterministic=True)` and the raw heads; not for recurrent ones."""
    observation = sb3_observation({key: value for key, value in feed.items() if key != "action_mask"})
    mask = feed.get("action_mask")
    more = {} if mask is None else {"action_masks": mask}
    action, _ = model.predict(observation, deterministic=True, **more)
    with torch.no_grad():
        found = heads(case, model, observation, mask)
    return {"action": action} | {name: value.numpy() for name, value in found.items()}


def two_steps(case: Case, model: Any, feed: dict[str, np.ndarray]) -> list[tuple[dict, dict]]:
    """Return (inputs, outputs) of two steps of a recurrent policy; some episodes start at the second."""
    observation = sb3_observation(feed)
    lstm = model.policy.lstm_actor
    state = tuple(np.zeros((lstm.num_layers, BATCH, lstm.hidden_size), np.float32) for _ in range(2))
    steps = []
    for start in (np.ones(BATCH, bool), np.arange(BATCH) % 2 == 0):
        action, after = model.predict(observation, state=state, episode_start=start, deterministic=True)
        inputs = feed | {"episode_start": start, "state.0": state[0], "state.1": state[1]}
        outputs = {"action": action, "next_state.0": after[0], "next_state.1": after[1]}
        if model.policy.lstm_critic is None:
            outputs["value"] = _value(model, observation, state, start)
        steps.append((inputs, outputs | _recurrent_head(case, model, observation, state, start)))
        state = after
    return steps


def _value(model: Any, observation: Any, state: Any, start: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        states = tuple(map(torch.as_tensor, state))
        value = model.policy.predict_values(tensors(observation), states, torch.as_tensor(start).float())
    return value.numpy()


def _recurrent_head(
    case: Case, model: Any, observation: Any, state: Any, start: np.ndarray
) -> dict[str, np.ndarray]:
    with torch.no_grad():
        states = tuple(map(torch.as_tensor, state))
        given, _ = model.policy.get_distribution(tensors(observation), states, torch.as_tensor(start).float())
        return {name: value.numpy() for name, value in _head(case, given).items()}
