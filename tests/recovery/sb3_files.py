"""Zips of Stable-Baselines3 with parts exchanged, and what ckptkit recovers from them."""

import io
import json
from pathlib import Path
from typing import Any

import torch

from ckptkit import recovery
from ckptkit.model.recovered import Hints, Recovered
from tests.readers.sb3_models import members, read, write
from tests.recovery.sb3_cases import mlp
from tests.recovery.sb3_oracle import make

State = dict[str, torch.Tensor]


def saved(path: Path, algorithm: str = "PPO", observation: str = "box", action: str = "discrete", **kw: Any):
    """Make a model, save it at `path` and return it."""
    model = make(mlp(algorithm, observation, action, **kw))
    model.save(path)
    return model


def state_of(path: Path) -> State:
    """Return the state dict of a zip, with its sharing."""
    return torch.load(io.BytesIO(members(path)["policy.pth"]), weights_only=True)


def exchange(path: Path, state: State | None = None, version: str | None = None, **data: Any) -> Path:
    """Write a zip anew with another state dict, release ("" for none) or fields of `data`.

    A field that is None is removed.
    """
    found = members(path)
    if state is not None:
        stream = io.BytesIO()
        torch.save(state, stream)
        found["policy.pth"] = stream.getvalue()
    if version is not None:
        found["_stable_baselines3_version"] = version.encode()
    if version == "":
        del found["_stable_baselines3_version"]
    fields = json.loads(found["data"]) | data
    found["data"] = json.dumps({key: value for key, value in fields.items() if value is not None}).encode()
    return write(path, found)


def recovered(path: Path, *assume: str) -> Recovered:
    """Read a zip and recover its architecture."""
    return recovery.recover(read(path), Hints(assume=assume))


def question(path: Path, *assume: str) -> str:
    """Return the one question that keeps the graph from being built."""
    found = recovered(path, *assume)
    assert found.graph is None
    assert len(found.questions) == 1, found.questions
    assert found.questions[0].count("?") == 1
    return found.questions[0]
