"""MettaAgent's networks in plain torch, with the names that its own modules have.

Written from what its public code computes: `agent/src/metta/agent/lib` and `configs/agent/fast.yaml`,
`packages/mettagrid/python/src/mettagrid/policy`.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

States = tuple[Tensor, Tensor]


class Component(nn.Module):
    """One component: its layer, with an activation behind it where `nonlinearity` is not null."""

    def __init__(self, layer: nn.Module, activation: nn.Module | None) -> None:
        super().__init__()
        self._net = nn.Sequential(layer, activation) if activation is not None else layer

    def forward(self, x: Tensor) -> Tensor:
        return self._net(x)


class ObservationNormalizer(nn.Module):
    """Divides each layer of the grid by a number."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("obs_norm", torch.rand(1, channels, 1, 1) * 9 + 1)

    def forward(self, x: Tensor) -> Tensor:
        return x / self.obs_norm


class LSTM(nn.Module):
    """The LSTM, under the attribute that a release gives it."""

    def __init__(self, size: int, hidden: int, layers: int, attribute: str) -> None:
        super().__init__()
        self.attribute = attribute
        setattr(self, attribute, nn.LSTM(size, hidden, layers))

    def forward(self, x: Tensor, states: States) -> tuple[Tensor, States]:
        y, states = getattr(self, self.attribute)(x[None], states)
        return y[0], states


class ActionEmbedding(nn.Module):
    """Embeddings of all actions that an agent has met, and which of them are active."""

    def __init__(self, rows: int, width: int, active: Sequence[int] | None) -> None:
        super().__init__()
        if active is not None:
            self.register_buffer("active_indices", torch.tensor(active, dtype=torch.int64))
        self._net = nn.Embedding(rows, width)


class MettaActorSingleHead(nn.Module):
    """`MettaActorSingleHead`; `axes` 2 is its later form."""

    def __init__(self, hidden: int, width: int, axes: int) -> None:
        super().__init__()
        self.W = nn.Parameter(torch.randn(*(1,) * (axes - 2), hidden, width) / 4)
        self.bias = nn.Parameter(torch.randn(1))

    def forward(self, x: Tensor, keys: Tensor) -> Tensor:
        return torch.tanh(x @ self.W.reshape(self.W.shape[-2:])) @ keys.T + self.bias


class MettaActorBig(nn.Module):
    """`MettaActorBig`."""

    def __init__(self, hidden: int, width: int, forms: int, mlp: int) -> None:
        super().__init__()
        self.W = nn.Parameter(torch.randn(forms, hidden, width) / 4)
        self.bias = nn.Parameter(torch.randn(forms))
        self._MLP = nn.Sequential(nn.Linear(forms, mlp), nn.ReLU(), nn.Linear(mlp, 1))

    def forward(self, x: Tensor, keys: Tensor) -> Tensor:
        query = torch.tanh(torch.einsum("bh,khe->bke", x, self.W))
        scores = torch.einsum("bke,ae->bak", query, keys) + self.bias
        return self._MLP(torch.relu(scores))[..., 0]


class Brain(nn.Module):
    """The default brain, in small."""

    def __init__(
        self,
        *,
        channels: int = 3,
        kernels: tuple[int, ...] = (5, 3),
        strides: tuple[int, ...] = (3, 1),
        side: int = 11,
        hidden: int = 6,
        layers: int = 2,
        rows: int = 9,
        width: int = 4,
        active: Sequence[int] | None = (1, 2, 5),
        head: str = "single",
        normalized: bool = True,
        attribute: str = "_net",
        activation: type[nn.Module] | None = nn.ReLU,
        sizes: tuple[int, int, int, int, int, int] = (4, 5, 10, 8, 12, 7),
    ) -> None:
        super().__init__()
        *widths, full, encoded, critic, actor = sizes
        parts: dict[str, nn.Module] = (
            {"obs_normalizer": ObservationNormalizer(channels)} if normalized else {}
        )
        before, places = channels, side
        for index, (kernel, stride) in enumerate(zip(kernels, strides, strict=True)):
            layer = nn.Conv2d(before, widths[index], kernel, stride)
            parts[f"cnn{index + 1}"] = Component(layer, nn.ReLU())
            before, places = widths[index], (places - kernel) // stride + 1
        between = activation() if activation is not None else None
        parts["fc1"] = Component(nn.Linear(before * places * places, full), between)
        parts["encoded_obs"] = Component(nn.Linear(full, encoded), nn.ReLU())
        parts["_core_"] = LSTM(encoded, hidden, layers, attribute)
        parts["critic_1"] = Component(nn.Linear(hidden, critic), nn.Tanh())
        parts["_value_"] = Component(nn.Linear(critic, 1), None)
        parts["actor_1"] = Component(nn.Linear(hidden, actor), nn.ReLU())
        if head:
            parts["_action_embeds_"] = ActionEmbedding(rows, width, active)
            big, axes = head == "big", 2 if head == "flat" else 3
            parts["_action_"] = (
                MettaActorBig(actor, width, 3, 5) if big else MettaActorSingleHead(actor, width, axes)
            )
        self.shape = (channels, side, side)
        self.components = nn.ModuleDict(parts)

    def forward(self, obs: Tensor, states: States, start: Tensor) -> dict[str, Tensor]:
        parts = self.components
        x = parts["obs_normalizer"](obs) if "obs_normalizer" in parts else obs
        for name in (name for name in parts if name.startswith("cnn")):
            x = parts[name](x)
        x = parts["encoded_obs"](parts["fc1"](x.flatten(1)))
        kept = (~start).float()[None, :, None]
        x, after = parts["_core_"](x, (states[0] * kept, states[1] * kept))
        found = {
            "value": parts["_value_"](parts["critic_1"](x))[:, 0],
            "next_state.0": after[0],
            "next_state.1": after[1],
        }
        features = parts["actor_1"](x)
        if "_action_" not in parts:
            return {"actor_1": features, **found}
        embeds = parts["_action_embeds_"]
        active = embeds.active_indices if hasattr(embeds, "active_indices") else torch.zeros(0)
        keys = embeds._net.weight[active] if len(active) else embeds._net.weight
        logits = parts["_action_"](features, keys)
        best = {"action": logits.argmax(1)} if len(active) else {}
        return {**best, "logits": logits, **found}


class Plain(nn.Module):
    """A tutorial's policy: `line` is what its names start with, `layers` 0 has no memory."""

    def __init__(
        self,
        *,
        size: int = 12,
        hidden: int = 6,
        layers: int = 1,
        actions: int = 4,
        line: str = "_",
        values: bool = True,
        activation: type[nn.Module] = nn.ReLU,
    ) -> None:
        super().__init__()
        self.line, self.values, self.shape = line, values, (size,)
        setattr(
            self,
            f"{line}net",
            nn.Sequential(nn.Linear(size, hidden), activation(), nn.Linear(hidden, hidden)),
        )
        if layers:
            setattr(self, f"{line}rnn", nn.LSTM(hidden, hidden, layers, batch_first=True))
        setattr(self, f"{line}action_head", nn.Linear(hidden, actions))
        if values:
            setattr(self, f"{line}value_head", nn.Linear(hidden, 1))

    def forward(self, obs: Tensor, states: States, start: Tensor) -> dict[str, Tensor]:
        part = {name: getattr(self, f"{self.line}{name}", None) for name in ("net", "rnn", "action_head")}
        x = part["net"](obs.flatten(1) / 255)
        after = {}
        if part["rnn"] is not None:
            kept = (~start).float()[None, :, None]
            y, (h, c) = part["rnn"](x[:, None], (states[0] * kept, states[1] * kept))
            x, after = y[:, 0], {"next_state.0": h, "next_state.1": c}
        logits = part["action_head"](x)
        found = {"logits": logits, "action": logits.argmax(1), **after}
        if self.values:
            found["value"] = getattr(self, f"{self.line}value_head")(x)[:, 0]
        return found


def saved(made: nn.Module, **more: object) -> dict[str, object]:
    """Return a dictionary of version 2 as the system writes it."""
    return {
        "checkpoint_format_version": 2,
        "model_state_dict": made.state_dict(),
        "model_type": "brain" if isinstance(made, Brain) else "pytorch",
        "name": "model_0001.pt",
        "uri": "file:///runs/model_0001.pt",
        "metadata": {"epoch": 1},
        "observation_space_version": None,
        "action_space_version": None,
        "layer_version": None,
        **more,
    }
