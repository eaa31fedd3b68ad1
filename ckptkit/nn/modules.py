"""Torch modules of the vocabulary that torch itself lacks, or has in another form."""

import torch
from torch import nn

from ckptkit.model.dtype import BY_NAME


class LSTMStep(nn.LSTM):
    """One step of `torch.nn.LSTM`: (x, h, c) -> (y, next h, next c), x of (batch, input_size)."""

    def forward(
        self, x: torch.Tensor, h: torch.Tensor, c: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Run one step; states are (layers, batch, hidden)."""
        y, (h, c) = super().forward(x.unsqueeze(0), (h, c))
        return y.squeeze(0), h, c


class GRUStep(nn.GRU):
    """One step of `torch.nn.GRU`: (x, h) -> (y, next h), x of (batch, input_size)."""

    def forward(self, x: torch.Tensor, h: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Run one step; the state is (layers, batch, hidden)."""
        y, h = super().forward(x.unsqueeze(0), h)
        return y.squeeze(0), h


class RNNStep(nn.RNN):
    """One step of `torch.nn.RNN`: (x, h) -> (y, next h), x of (batch, input_size)."""

    def forward(self, x: torch.Tensor, h: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Run one step; the state is (layers, batch, hidden)."""
        y, h = super().forward(x.unsqueeze(0), h)
        return y.squeeze(0), h


class SelfAttention(nn.MultiheadAttention):
    """`torch.nn.MultiheadAttention` of (batch, sequence, embed_dim) to itself, without mask."""

    def __init__(self, embed_dim: int, num_heads: int, bias: bool, dropout: float) -> None:
        super().__init__(embed_dim, num_heads, dropout=dropout, bias=bias, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return what the sequence makes of itself, of the same shape."""
        y, _ = super().forward(x, x, x, need_weights=False)
        return y


class NoisyLinear(nn.Module):
    """Linear with factorised Gaussian noise on its weights while training (arXiv:1706.10295)."""

    def __init__(
        self, in_features: int, out_features: int, std_init: float = 0.5, noise: str = "factors"
    ) -> None:
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        self.weight_mu = nn.Parameter(torch.empty(out_features, in_features))
        self.weight_sigma = nn.Parameter(torch.empty(out_features, in_features))
        self.bias_mu = nn.Parameter(torch.empty(out_features))
        self.bias_sigma = nn.Parameter(torch.empty(out_features))
        kept: dict[str, dict[str, tuple[int, ...]]] = {
            "factors": {"epsilon_input": (in_features,), "epsilon_output": (out_features,)},
            "product": {"weight_epsilon": (out_features, in_features), "bias_epsilon": (out_features,)},
        }
        for name, shape in kept[noise].items():
            self.register_buffer(name, torch.zeros(shape))
        bound = in_features**-0.5
        for mean, sigma in ((self.weight_mu, self.weight_sigma), (self.bias_mu, self.bias_sigma)):
            nn.init.uniform_(mean, -bound, bound)
            nn.init.constant_(sigma, std_init * bound)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Use the means, and fresh noise where the module trains."""
        if not self.training:
            return nn.functional.linear(x, self.weight_mu, self.bias_mu)
        columns, rows = self._draw(self.in_features), self._draw(self.out_features)
        noise = rows.outer(columns)
        kept = {
            "epsilon_input": columns,
            "epsilon_output": rows,
            "weight_epsilon": noise,
            "bias_epsilon": rows,
        }
        for name, buffer in self.named_buffers():
            buffer.copy_(kept[name])
        weight = self.weight_mu + self.weight_sigma * noise
        return nn.functional.linear(x, weight, self.bias_mu + self.bias_sigma * rows)

    def _draw(self, size: int) -> torch.Tensor:
        """Return sign(e) sqrt|e| of a normal e."""
        noise = torch.randn(size, dtype=self.weight_mu.dtype, device=self.weight_mu.device)
        return noise.sign() * noise.abs().sqrt()


class BatchRenorm1d(nn.Module):
    """Batch renormalisation (arXiv:1702.03275) with the buffers and the warm-up of sb3-contrib 2.9.2."""

    R_MAX, D_MAX = 3.0, 5.0

    def __init__(
        self, num_features: int, eps: float, momentum: float, affine: bool, warmup_steps: int
    ) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features))
        self.register_buffer("ra_mean", torch.zeros(num_features))
        self.register_buffer("ra_var", torch.ones(num_features))
        self.register_buffer("steps", torch.tensor(0, dtype=torch.long))
        self.eps, self.momentum, self.affine, self.warmup_steps = eps, momentum, affine, warmup_steps

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Normalise (batch, num_features) by the running statistics, or by the batch while training."""
        mean, var = self._train_statistics(x) if self.training else (self.ra_mean, self.ra_var)
        y = (x - mean) / (var + self.eps).sqrt()
        return self.scale * y + self.bias if self.affine else y

    def _train_statistics(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        mean, var = x.mean(0), x.var(0)
        used = mean, var
        if self.steps > self.warmup_steps:
            running = (self.ra_var + self.eps).sqrt()
            ratio = ((var + self.eps).sqrt() / running).detach().clamp(1 / self.R_MAX, self.R_MAX)
            shift = ((mean - self.ra_mean) / running).detach().clamp(-self.D_MAX, self.D_MAX)
            used = mean - shift * var.sqrt() / ratio, var / ratio**2
        self.ra_mean += self.momentum * (mean.detach() - self.ra_mean)
        self.ra_var += self.momentum * (var.detach() - self.ra_var)
        self.steps += 1
        return used


class FreeParameter(nn.Module):
    """A tensor of its own; `GraphModule` registers it under the layer's own name."""

    def __init__(self, shape: list[int], dtype: str, buffer: bool) -> None:
        super().__init__()
        value = torch.zeros(shape, dtype=getattr(torch, BY_NAME[dtype].torch))
        self.buffer = buffer or not value.is_floating_point()
        self.value = value if self.buffer else nn.Parameter(value)
