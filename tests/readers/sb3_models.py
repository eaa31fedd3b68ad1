"""Stable-Baselines3 models and zips that the tests make."""

import hashlib
import io
import json
import zipfile
from types import MappingProxyType

import gymnasium
import torch
from gymnasium import spaces

from ckptkit.readers import find
from ckptkit.storage.probe import Probe


class Env(gymnasium.Env):
    """Two spaces, and steps that lead nowhere."""

    def __init__(self, observation, action):
        self.observation_space, self.action_space = observation, action

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return self.observation_space.sample(), {}

    def step(self, action):
        return self.observation_space.sample(), 1.0, False, False, {}


BOX = spaces.Box(-1.0, 1.0, (3,))
SMALL = MappingProxyType({"net_arch": [4]})
"""Read-only: SB3 adds to the dict that it is given."""


def ppo(**kwargs):
    """Make a PPO model with a tiny network."""
    import stable_baselines3 as sb3

    settings = {"policy_kwargs": dict(SMALL), "n_steps": 8, "batch_size": 8} | kwargs
    observation, action = settings.pop("observation", BOX), settings.pop("action", spaces.Discrete(2))
    return sb3.PPO(settings.pop("policy", "MlpPolicy"), Env(observation, action), **settings)


def members(path):
    """Return the members of a zip by name."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write(path, found, method=zipfile.ZIP_STORED):
    """Write members as a zip; return its path."""
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in found.items():
            archive.writestr(name, data)
    return path


def changed(path, **fields):
    """Rewrite fields of `data`; a field that is None is left as JSON null."""
    found = members(path)
    found["data"] = json.dumps(json.loads(found["data"]) | fields).encode()
    return write(path, found)


def read(path):
    """Read with the one reader that claims `path`."""
    probe = Probe(path)
    return find(probe).read(probe)


def digests(tensors):
    """Return dtype-free facts of ckptkit's tensors: shape and digest by name."""
    return {name: (t.shape, hashlib.sha256(t.tobytes()).hexdigest()) for name, t in tensors.items()}


def torch_digests(raw):
    """Return the same facts as torch reads them."""
    state = torch.load(io.BytesIO(raw), weights_only=True)
    return {
        name: (tuple(t.shape), hashlib.sha256(t.contiguous().numpy().tobytes()).hexdigest())
        for name, t in state.items()
    }
