"""Whole processes: `ckptkit export onnx` against `torch.onnx.export` of an Atari-size DQN.

The network is NatureCNN over four frames of 84 x 84, 512 features and 6 actions. Both start from a
file on disk and end with an ONNX file that ONNX Runtime runs with the same outputs. torch's exporter
is run as it is by default, where the onnxscript that it needs is installed, and with `dynamo=False`,
which is deprecated; the first of them that runs must take at least 8 times as long as ckptkit.
"""

import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

REPEATS = 3
LEAST_RATIO = 8.0
TORCH = """
import sys
import torch
from torch import nn
net = nn.Sequential(
    nn.Conv2d(4, 32, 8, 4), nn.ReLU(), nn.Conv2d(32, 64, 4, 2), nn.ReLU(), nn.Conv2d(64, 64, 3, 1), nn.ReLU(),
    nn.Flatten(), nn.Linear(3136, 512), nn.ReLU(), nn.Linear(512, 6),
)
state = torch.load(sys.argv[1], weights_only=True)
net.load_state_dict(dict(zip(net.state_dict(), state.values(), strict=True)))
frames = torch.zeros(2, 4, 84, 84)
how = {"dynamo": False, "dynamic_axes": {"obs": {0: "batch"}}} if sys.argv[3] == "off" else {
    "dynamic_shapes": {"input": {0: torch.export.Dim("batch")}}
}
torch.onnx.export(net.eval(), (frames,), sys.argv[2], input_names=["obs"], opset_version=18, **how)
"""


def make_agent(folder: Path) -> tuple[Path, Path]:
    """Write an SB3 zip, and the network's own weights for torch."""
    import gymnasium
    import numpy as np
    import torch
    from stable_baselines3 import DQN
    from stable_baselines3.common.env_util import make_vec_env

    class Frames(gymnasium.Env):  # type: ignore[type-arg]
        observation_space = gymnasium.spaces.Box(0, 255, (4, 84, 84), np.uint8)
        action_space = gymnasium.spaces.Discrete(6)

        def reset(self, **_: object) -> tuple[object, dict[str, object]]:
            return self.observation_space.sample(), {}

    agent = DQN("CnnPolicy", make_vec_env(Frames), buffer_size=1)
    agent.save(folder / "dqn.zip")
    weights = {n: t for n, t in agent.policy.state_dict().items() if not n.startswith("q_net_target")}
    torch.save(weights, folder / "dqn.pt")
    return folder / "dqn.zip", folder / "dqn.pt"


def seconds(command: list[str]) -> float | None:
    """Return how long a process takes; None where it fails."""
    start = time.perf_counter()
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    return time.perf_counter() - start if run.returncode == 0 else None


def same_outputs(ours: Path, theirs: Path) -> float:
    """Return the largest difference of the action values over random frames."""
    import numpy as np
    import onnxruntime

    frames = np.random.default_rng(0).integers(0, 256, (8, 4, 84, 84), np.uint8)
    first = onnxruntime.InferenceSession(ours, providers=["CPUExecutionProvider"])
    second = onnxruntime.InferenceSession(theirs, providers=["CPUExecutionProvider"])
    (mine,) = first.run(["q_values"], {"obs": frames})
    (other,) = second.run(None, {"obs": frames.astype("f4") / 255})
    return float(np.abs(mine - other).max())


def main() -> int:
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        agent, weights = make_agent(folder)
        ours, theirs = folder / "ours.onnx", folder / "theirs.onnx"
        mine = [sys.executable, "-m", "ckptkit", "export", "onnx", str(agent), "-o", str(ours), "--force"]
        commands = {"ckptkit": mine}
        for how in ("default", "off"):
            commands[how] = [sys.executable, "-c", TORCH, str(weights), str(theirs), how]
        times: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(REPEATS):  # in turns, so that a busy moment of the machine meets all of them
            for label, command in commands.items():
                took = seconds(command)
                if took is not None:
                    times[label].append(took)
        difference = same_outputs(ours, theirs)
    base = statistics.median(times["ckptkit"])
    print(f"ckptkit export onnx          {base:6.2f} s (median of {REPEATS})")
    ratios = []
    for how in ("default", "off"):
        if not times[how]:
            print(f"torch.onnx.export dynamo={how:8} fails here: is onnxscript installed?")
            continue
        taken = statistics.median(times[how])
        ratios.append(taken / base)
        print(f"torch.onnx.export dynamo={how:8} {taken:6.2f} s, {taken / base:.1f} times as long")
    print(f"largest difference of the action values: {difference:.1e}")
    return 0 if ratios and ratios[0] >= LEAST_RATIO else 1


if __name__ == "__main__":
    sys.exit(main())
