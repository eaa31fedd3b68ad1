"""Agents of every algorithm, made with Stable-Baselines3, and what it says of the zips that we write."""

import base64
import io
import json
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from gymnasium import spaces

from tests.readers.sb3_models import Env

BOX = spaces.Box(np.array([-1.0, -2.0, 0.1], np.float32), np.array([1.0, np.inf, 3.0], np.float32))
ACTIONS = spaces.Box(-2.0, 0.5, (2,))
OFF = {"buffer_size": 64, "learning_starts": 4, "batch_size": 4}
SMALL = {"net_arch": [6, 5]}
MAKERS = {
    "PPO": (spaces.Discrete(3), {"n_steps": 8, "batch_size": 4, "n_epochs": 2}),
    "A2C": (spaces.Discrete(3), {"n_steps": 4}),
    "TRPO": (ACTIONS, {"n_steps": 8, "batch_size": 4}),
    "MaskablePPO": (spaces.Discrete(3), {"n_steps": 8, "batch_size": 4, "n_epochs": 2}),
    "RecurrentPPO": (
        ACTIONS,
        {"n_steps": 8, "batch_size": 4, "n_epochs": 2, "policy_kwargs": SMALL | {"lstm_hidden_size": 4}},
    ),
    "DQN": (spaces.Discrete(3), OFF),
    "QRDQN": (spaces.Discrete(3), OFF | {"policy_kwargs": SMALL | {"n_quantiles": 5}}),
    "SAC": (ACTIONS, OFF),
    "TD3": (ACTIONS, OFF),
    "DDPG": (ACTIONS, OFF),
    "TQC": (ACTIONS, OFF | {"policy_kwargs": SMALL | {"n_quantiles": 5}}),
    "CrossQ": (ACTIONS, OFF),
    "ARS": (ACTIONS, {"n_delta": 2, "n_top": 1}),
}
"""An action space and settings for each algorithm."""


def algorithm(name: str):
    """Return the class of an algorithm."""
    import sb3_contrib
    import stable_baselines3

    return getattr(stable_baselines3, name, None) or getattr(sb3_contrib, name)


def make(name: str, observation: spaces.Space = BOX, policy: str = "", **more: object):
    """Return an untrained agent."""
    action, settings = MAKERS[name]
    kind = policy or ("MlpLstmPolicy" if name == "RecurrentPPO" else "MlpPolicy")
    given = {"policy_kwargs": SMALL, "seed": 3} | settings | more
    # SB3 adds to the arguments that it is given.
    given["policy_kwargs"] = dict(given["policy_kwargs"])
    return algorithm(name)(kind, Env(observation, given.pop("action", action)), device="cpu", **given)


def trained(name: str, **more: object):
    """Return an agent that has taken a few steps, so that there is optimizer state."""
    model = make(name, **more)
    model.env.seed(3)
    if name == "ARS":  # has no optimizer
        return model
    return learn(name, model)


def learn(name: str, model, **more: object):
    """Take a few steps; return the agent."""
    masking = {"use_masking": False} if name == "MaskablePPO" else {}
    return model.learn(24, **masking, **more)


@contextmanager
def without_gym() -> Iterator[None]:
    """Make any import of gym or shimmy fail while the block runs."""
    before = {name: sys.modules.get(name, ...) for name in ("gym", "shimmy")}
    sys.modules |= dict.fromkeys(before)
    try:
        yield
    finally:
        for name, module in before.items():
            if module is ...:
                del sys.modules[name]
            else:
                sys.modules[name] = module


def load(name: str, path: Path, **more: object):
    """Load as a user of today's release does, with gymnasium alone."""
    with without_gym():
        return algorithm(name).load(path, device="cpu", **more)


def same_predictions(one, other) -> bool:
    """Whether two agents act alike on observations of the whole space."""
    one.observation_space.seed(0)
    for _ in range(8):
        obs = one.observation_space.sample()
        acts = [np.asarray(model.predict(obs, deterministic=True)[0]) for model in (one, other)]
        if not np.array_equal(*acts):
            return False
    return True


def same_state(one: object, other: object) -> bool:
    """Whether two trees of plain data and tensors are equal, bit for bit."""
    if isinstance(one, torch.Tensor):
        return isinstance(other, torch.Tensor) and torch.equal(one, other)
    if isinstance(one, dict):
        return (
            isinstance(other, dict)
            and one.keys() == other.keys()
            and all(same_state(one[key], other[key]) for key in one)
        )
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same_state, one, other))
    return one == other


def pickles_of(path: Path) -> dict[str, bytes]:
    """Return every pickle in the `data` of a zip, by field."""
    with zipfile.ZipFile(path) as archive:
        data = json.loads(archive.read("data"))
    cells = {name: value for name, value in data.items() if isinstance(value, dict)}
    return {
        name: base64.b64decode(cell[":serialized:"]) for name, cell in cells.items() if ":serialized:" in cell
    }


def rewritten(path: Path, **members: object) -> Path:
    """Replace members of a zip: `.pth` ones are given by their name without the suffix."""
    with zipfile.ZipFile(path) as archive:
        found = {name: archive.read(name) for name in archive.namelist()}
    for name, value in members.items():
        key = name.replace("__", ".")
        if isinstance(value, bytes):
            found[key] = value
            continue
        buffer = io.BytesIO()
        torch.save(value, buffer)
        found[f"{key}.pth"] = buffer.getvalue()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in found.items():
            archive.writestr(name, data)
    return path


def with_data(path: Path, **fields: object) -> Path:
    """Set fields of `data`; `...` takes one away."""
    with zipfile.ZipFile(path) as archive:
        data = json.loads(archive.read("data"))
    data |= fields
    data = {name: value for name, value in data.items() if value is not ...}
    return rewritten(path, data=json.dumps(data).encode())
