"""Load a Stable-Baselines3 agent and act once, beside Stable-Baselines3 doing the same.

    python -m benchmarks.bench_load [--runs 5] [--calls 2000]

First in processes of their own, start-up and imports included, and their peak memory; then in this
process, where everything is imported already: loading again, and one `predict` after the other. Both
give the same actions, which is checked. Without torch's start-up (the line `torch`) neither can do.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import stable_baselines3
from gymnasium import Env, spaces

import ckptkit
from benchmarks.comparison.measuring import Run, measure

OURS = "import sys, numpy, ckptkit; ckptkit.load(sys.argv[1]).predict(numpy.load(sys.argv[2]))"
THEIRS = """
import sys, numpy, stable_baselines3
model = getattr(stable_baselines3, sys.argv[3]).load(sys.argv[1], device="cpu")
model.predict(numpy.load(sys.argv[2]), deterministic=True)
"""
AGENTS = {
    "PPO, 64 x 64, 8 numbers": ("PPO", "MlpPolicy", spaces.Box(-1.0, 1.0, (8,)), {}),
    "DQN, Atari images": (
        "DQN",
        "CnnPolicy",
        spaces.Box(0, 255, (4, 84, 84), np.uint8),
        {"buffer_size": 1000},
    ),
}


class Still(Env):
    """An environment that has spaces and nothing more."""

    def __init__(self, observation: spaces.Space) -> None:
        self.observation_space, self.action_space = observation, spaces.Discrete(4)


def best(make: Callable[[], object], runs: int) -> float:
    """Return the least seconds that a call takes."""
    seconds = []
    for _ in range(runs):
        start = time.perf_counter()
        make()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def report(what: str, ours: float, theirs: float, unit: float = 1e3, name: str = "ms") -> None:
    times = f"ckptkit {ours * unit:8.2f} {name}   SB3 {theirs * unit:8.2f} {name}"
    print(f"  {what:<28} {times}   {theirs / ours:5.2f} times")


def in_processes(path: Path, observation: Path, algorithm: str, runs: int) -> None:
    """Compare whole processes."""
    commands = {
        "ckptkit": ["-c", OURS, str(path), str(observation)],
        "SB3": ["-c", THEIRS, str(path), str(observation), algorithm],
        "torch": ["-c", "import torch"],
    }
    made: dict[str, list[Run]] = {label: [] for label in commands}
    for _ in range(runs):  # in turn, so that what else the machine does hits all alike
        for label, command in commands.items():
            made[label].append(measure([sys.executable, *command]))
    least = {label: min(run.seconds for run in found) for label, found in made.items()}
    peak = {label: max(run.megabytes for run in found) for label, found in made.items()}
    report("a process: load and act", least["ckptkit"], least["SB3"], 1.0, "s ")
    report(
        "without torch's start-up",
        *(least[label] - least["torch"] for label in ("ckptkit", "SB3")),
        1.0,
        "s ",
    )
    report("peak memory", peak["ckptkit"], peak["SB3"], 1.0, "MB")


def in_this_process(path: Path, observation: np.ndarray, algorithm: str, runs: int, calls: int) -> None:
    """Compare loading and acting with everything imported."""
    loader = getattr(stable_baselines3, algorithm)
    ours, theirs = ckptkit.load(path), loader.load(path, device="cpu")
    batch = np.stack([observation] * 32)
    expected, _ = theirs.predict(batch, deterministic=True)
    if not np.array_equal(ours.predict(batch)[0], expected):
        raise SystemExit("the actions differ")
    report(
        "load",
        best(lambda: ckptkit.load(path), runs),
        best(lambda: loader.load(path, device="cpu"), runs),
    )
    report(
        "predict, one observation",
        best(lambda: ours.predict(observation), calls),
        best(lambda: theirs.predict(observation, deterministic=True), calls),
        1e6,
        "us",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare loading with Stable-Baselines3's.")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--calls", type=int, default=2000)
    options = parser.parse_args()
    python, sb3 = sys.version.split()[0], stable_baselines3.__version__
    print(f"Python {python}, Stable-Baselines3 {sb3}; the least of all runs")
    for title, (algorithm, policy, space, settings) in AGENTS.items():
        with tempfile.TemporaryDirectory() as name:
            path, file = Path(name) / "agent.zip", Path(name) / "observation.npy"
            space.seed(0)
            observation = space.sample()
            np.save(file, observation)
            model = getattr(stable_baselines3, algorithm)(policy, Still(space), device="cpu", **settings)
            model.save(path)
            print(title)
            in_processes(path, file, algorithm, options.runs)
            in_this_process(path, observation, algorithm, options.runs, options.calls)


if __name__ == "__main__":
    main()
