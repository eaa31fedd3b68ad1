"""Checkpoints to measure with; made once for a run, the same for every run."""

import multiprocessing
import os
import shutil
from collections.abc import Callable
from pathlib import Path


def torch_zip(path: Path, tensors: int, elements: int) -> Path:
    """Write a torch zip of float32 tensors."""
    if not path.exists():
        _apart(_torch_zip, path, tensors, elements)
    return path


def agent(path: Path, algorithm: str = "PPO") -> Path:
    """Write an agent of Stable-Baselines3: PPO on 8 numbers, or DQN on Atari images."""
    if not path.exists():
        _apart(_agent, path, algorithm)
    return path


def _apart(make: Callable[..., None], *words: object) -> None:
    """Call `make` in a process of its own.

    The system counts the memory of the process that starts another as that one's peak, so whoever measures
    must stay small.
    """
    process = multiprocessing.get_context("spawn").Process(target=make, args=words)
    process.start()
    process.join()
    if process.exitcode:
        raise SystemExit(f"{make.__name__} ended with {process.exitcode}")


def _torch_zip(path: Path, tensors: int, elements: int) -> None:
    import torch

    torch.manual_seed(0)
    torch.save({f"layers.{at}.weight": torch.randn(elements) for at in range(tensors)}, path)


def _agent(path: Path, algorithm: str) -> None:
    import gymnasium
    import numpy as np
    import stable_baselines3
    from gymnasium import spaces

    class Still(gymnasium.Env):  # type: ignore[type-arg]
        def __init__(self, observation: spaces.Space[object]) -> None:
            self.observation_space, self.action_space = observation, spaces.Discrete(6)

    images = spaces.Box(0, 255, (4, 84, 84), np.uint8)
    known = {
        "PPO": ("MlpPolicy", spaces.Box(-1.0, 1.0, (8,)), {}),
        "DQN": ("CnnPolicy", images, {"buffer_size": 1}),
    }
    policy, observation, settings = known[algorithm]
    made = getattr(stable_baselines3, algorithm)
    made(policy, Still(observation), device="cpu", seed=0, **settings).save(path)


def copies(source: Path, folder: Path, count: int) -> Path:
    """Fill a folder with `count` links to one file, or to the files of one folder."""
    for number in range(count):
        target = folder / f"{number // 100:03}" / f"{source.stem}{number:05}{source.suffix}"
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, copy_function=os.link)
        else:
            os.link(source, target)
    return folder
