"""What is measured: ckptkit's commands, and what people write or run today for the same work."""

import os
import sys
from pathlib import Path

from benchmarks.comparison.measuring import Command

PEERS_VARIABLE = "CKPTKIT_PEERS"
"""Names a virtual environment with picklescan, fickling, modelscan, model-signing and check-jsonschema."""

SAVE_FILE = """
import sys, torch
from safetensors.torch import save_file
save_file(torch.load(sys.argv[1], weights_only=True, mmap=sys.argv[3] == "mmap"), sys.argv[2])
"""
COPY = "import sys, shutil; shutil.copyfile(sys.argv[1], sys.argv[2])"
DURABLE = COPY + "; import os; os.fsync(os.open(sys.argv[2], os.O_RDONLY))"
SHA256 = """
import sys, hashlib
for path in sys.argv[1:]:
    with open(path, "rb") as file:
        print(hashlib.file_digest(file, "sha256").hexdigest())
"""
SIGNING = "import sys, pathlib, model_signing; model_signing.hashing.Config().hash(pathlib.Path(sys.argv[1]))"
SB3_LOAD = """
import sys, pathlib, stable_baselines3
for path in sorted(pathlib.Path(sys.argv[1]).rglob("*.zip")):
    getattr(stable_baselines3, sys.argv[2]).load(path, device="cpu")
"""
TORCH_LOAD = "import sys, torch; torch.load(sys.argv[1], weights_only=True)"
OUR_LOAD = "import sys, ckptkit; ckptkit.load(sys.argv[1])"
OUR_ARRAY = "import sys, ckptkit; ckptkit.read(sys.argv[1]).tensors[sys.argv[2]][:16].numpy().copy()"
TORCH_ARRAY = """
import sys, torch
torch.load(sys.argv[1], weights_only=True, mmap=True)[sys.argv[2]][:16].clone()
"""
TORCH_EXPORT = """
import sys
import torch
from torch import nn
net = nn.Sequential(
    nn.Conv2d(4, 32, 8, 4), nn.ReLU(), nn.Conv2d(32, 64, 4, 2), nn.ReLU(), nn.Conv2d(64, 64, 3, 1), nn.ReLU(),
    nn.Flatten(), nn.Linear(3136, 512), nn.ReLU(), nn.Linear(512, 6),
)
frames = torch.zeros(2, 4, 84, 84)
how = {"dynamo": False, "dynamic_axes": {"obs": {0: "batch"}}} if sys.argv[2] == "off" else {
    "dynamic_shapes": {"input": {0: torch.export.Dim("batch")}}
}
torch.onnx.export(net.eval(), (frames,), sys.argv[1], input_names=["obs"], opset_version=18, **how)
"""


def ours(*words: str | Path) -> Command:
    """Return a command of ckptkit."""
    return [sys.executable, "-m", "ckptkit", *words]


def python(code: str, *words: str | Path) -> Command:
    """Return a program for the Python that runs this."""
    return [sys.executable, "-c", code, *words]


def peer(name: str, *words: str | Path) -> Command | None:
    """Return a command of the peers' environment; None where it is not there."""
    program = Path(os.environ.get(PEERS_VARIABLE, "")) / "bin" / name
    return [program, *words] if os.environ.get(PEERS_VARIABLE) and program.exists() else None


def peer_python(code: str, *words: str | Path) -> Command | None:
    """Return a program for the peers' Python; None where there is none."""
    return peer("python", "-c", code, *words)
