"""Networks of the seed systems in plain torch, to save state dicts from and to compare outputs with."""

import math
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from ckptkit import api
from ckptkit.model.checkpoint import Checkpoint


def save(tensors: object, path: Path) -> Checkpoint:
    """Write what a training run would, and read it as ckptkit does."""
    torch.save(tensors, path)
    return api.read(path)


class Noisy(nn.Module):
    """A linear layer with factorised noise, seen in evaluation: the means alone."""

    def __init__(self, columns: int, rows: int) -> None:
        super().__init__()
        self.weight_mu = nn.Parameter(torch.randn(rows, columns) / math.sqrt(columns))
        self.weight_sigma = nn.Parameter(torch.full((rows, columns), 0.5 / math.sqrt(columns)))
        self.bias_mu = nn.Parameter(torch.randn(rows) / math.sqrt(columns))
        self.bias_sigma = nn.Parameter(torch.full((rows,), 0.1))
        self.register_buffer("epsilon_input", torch.randn(columns))
        self.register_buffer("epsilon_output", torch.randn(rows))

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.linear(x, self.weight_mu, self.bias_mu)


THREE = ((32, 8, 4), (64, 4, 2), (64, 3, 1))


class Dqn(nn.Module):
    """The Asteroids network; `atoms` 0 is one that is not distributional."""

    def __init__(
        self,
        shape: tuple[int, int, int],
        actions: int,
        *,
        dueling: bool = False,
        noisy: bool = False,
        atoms: int = 0,
        ends: tuple[float, float] = (-10.0, 10.0),
        convolutions: tuple[tuple[int, int, int], ...] = THREE,
    ) -> None:
        super().__init__()
        self.actions, self.atoms, self.dueling = actions, atoms, dueling
        if atoms:
            self.register_buffer("support", torch.linspace(*ends, atoms))
        layers: list[nn.Module] = []
        before = shape[0]
        for channels, kernel, stride in convolutions:
            layers += [nn.Conv2d(before, channels, kernel, stride), nn.ReLU()]
            before = channels
        self.conv = nn.Sequential(*layers)
        flat = self.conv(torch.zeros(1, *shape)).numel()
        rows = actions * max(atoms, 1)
        if dueling:
            self.value_stream = _head(flat, max(atoms, 1), noisy=noisy)
            self.advantage_stream = _head(flat, rows, noisy=noisy)
        else:
            self.fc = _head(flat, rows, noisy=noisy)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        x = self.conv(x).flatten(1)
        shape = (len(x), self.actions, self.atoms) if self.atoms else (len(x), self.actions)
        if self.dueling:
            value, advantage = self.value_stream(x), self.advantage_stream(x).view(shape)
            value = value.view(len(x), 1, self.atoms) if self.atoms else value
            q = value + advantage - advantage.mean(1, keepdim=True)
        else:
            q = self.fc(x).view(shape)
        if not self.atoms:
            return {"q_values": q, "action": q.argmax(1)}
        chances = q.softmax(2)
        q = (chances * self.support).sum(2)
        return {"q_values": q, "probabilities": chances, "action": q.argmax(1)}


def _head(columns: int, rows: int, *, noisy: bool) -> nn.Sequential:
    kind = Noisy if noisy else nn.Linear
    return nn.Sequential(kind(columns, 512), nn.ReLU(), kind(512, rows))


def model_config(made: Dqn, shape: tuple[int, int, int], **more: object) -> dict[str, object]:
    """Return the words of a versioned file about a network."""
    support = made.support if made.atoms else None
    return {
        "input_shape": shape,
        "n_action": made.actions,
        "double_dqn": True,
        "dueling_dqn": made.dueling,
        "distributional_dqn": bool(made.atoms),
        "noisy_networks": any(isinstance(layer, Noisy) for layer in made.modules()),
        "n_atoms": made.atoms or None,
        "v_min": float(support[0]) if support is not None else None,
        "v_max": float(support[-1]) if support is not None else None,
        "noisy_std_init": 0.5,
        **more,
    }


def versioned(made: Dqn, config: Mapping[str, object]) -> dict[str, object]:
    """Return a dict of version 2.0 as the system writes it."""
    return {"version": "2.0", "model_state_dict": made.state_dict(), "model_config": dict(config)}


class Squeeze(nn.Module):
    """Squeeze-and-excitation."""

    def __init__(self, width: int, ratio: float) -> None:
        super().__init__()
        hidden = max(1, int(width * ratio))
        self.fc1, self.fc2 = nn.Conv2d(width, hidden, 1), nn.Conv2d(hidden, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        gate = nn.functional.relu(self.fc1(x.mean((2, 3), keepdim=True)))
        return x * torch.sigmoid(self.fc2(gate))


class Block(nn.Module):
    """A residual block."""

    def __init__(self, width: int, ratio: float | None) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width)
        self.se = Squeeze(width, ratio) if ratio else None

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(nn.functional.relu(self.bn1(self.conv1(x)))))
        return nn.functional.relu(x + (self.se(y) if self.se is not None else y))


class Tower(nn.Module):
    """Keisei's residual tower, with statistics that are not those of a new BatchNorm."""

    def __init__(self, planes: int, width: int, depth: int, ratio: float | None, actions: int = 30) -> None:
        super().__init__()
        self.stem, self.bn_stem = nn.Conv2d(planes, width, 3, padding=1), nn.BatchNorm2d(width)
        self.res_blocks = nn.ModuleList(Block(width, ratio) for _ in range(depth))
        self.policy_head, self.value_head = self._head(width, actions), self._head(width, 1)
        for layer in self.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.running_mean.uniform_(-0.5, 0.5)
                layer.running_var.uniform_(0.5, 2.0)

    @staticmethod
    def _head(width: int, rows: int) -> nn.Sequential:
        body = [nn.Conv2d(width, 2, 1), nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten()]
        return nn.Sequential(*body, nn.Linear(2 * 81, rows))

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        x = nn.functional.relu(self.bn_stem(self.stem(x)))
        for block in self.res_blocks:
            x = block(x)
        return {"logits": self.policy_head(x), "value": self.value_head(x).squeeze(-1)}


class ActorCritic(nn.Module):
    """Keisei's older network."""

    def __init__(self, planes: int, actions: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(planes, 16, 3, padding=1)
        self.policy_head, self.value_head = nn.Linear(16 * 81, actions), nn.Linear(16 * 81, 1)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        x = nn.functional.relu(self.conv(x)).flatten(1)
        return {"logits": self.policy_head(x), "value": self.value_head(x).squeeze(-1)}
