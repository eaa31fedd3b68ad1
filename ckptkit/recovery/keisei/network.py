"""The graph of a Keisei network.

Squeeze-and-excitation stands behind the second normalisation of a block and before its sum; the
value has no activation behind it.
"""

from ckptkit.recovery.builder import GraphBuilder
from ckptkit.recovery.keisei.reading import Reading, TowerReading


def draw(builder: GraphBuilder, reading: Reading, board: tuple[int, int]) -> None:
    """Add the layers, the input `obs` and the outputs `logits` and `value`."""
    x = builder.input("obs", "F32", (None, reading.planes, *board))
    if isinstance(reading, TowerReading):
        x = _Tower(builder, reading).trunk(x)
        heads = [_head(builder, reading, head, x) for head in ("policy_head", "value_head")]
    else:
        x = builder.add("Flatten", builder.add("ReLU", _conv(builder, reading, "conv", x)))
        heads = [builder.linear(reading.names.module(head), x) for head in ("policy_head", "value_head")]
    value = builder.add("Squeeze", heads[1], name="value_of_board", axis=1)
    builder.outputs = {"logits": heads[0], "value": value}


def _conv(builder: GraphBuilder, reading: Reading, path: str, x: str) -> str:
    """Add a convolution that keeps the size of the board."""
    path = reading.names.module(path)
    kernel = builder.shape(f"{path}.weight")[-1]
    return builder.conv(path, x, padding=[kernel // 2, kernel // 2])


def _norm(builder: GraphBuilder, reading: Reading, path: str, x: str) -> str:
    path = reading.names.module(path)
    return builder.own("BatchNorm2d", path, x, num_features=builder.shape(f"{path}.weight")[0])


def _head(builder: GraphBuilder, reading: Reading, path: str, x: str) -> str:
    x = _norm(builder, reading, f"{path}.1", _conv(builder, reading, f"{path}.0", x))
    x = builder.add("Flatten", builder.add("ReLU", x))
    return builder.linear(reading.names.module(f"{path}.4"), x)


class _Tower:
    """Adds the residual tower."""

    def __init__(self, builder: GraphBuilder, reading: TowerReading) -> None:
        self.builder = builder
        self.reading = reading

    def trunk(self, x: str) -> str:
        x = self._normed("stem", "bn_stem", x)
        x = self.builder.add("ReLU", x)
        for index in range(self.reading.depth):
            x = self._block(f"res_blocks.{index}", x)
        return x

    def _normed(self, conv: str, norm: str, x: str) -> str:
        return _norm(self.builder, self.reading, norm, _conv(self.builder, self.reading, conv, x))

    def _block(self, path: str, x: str) -> str:
        y = self.builder.add("ReLU", self._normed(f"{path}.conv1", f"{path}.bn1", x))
        y = self._normed(f"{path}.conv2", f"{path}.bn2", y)
        if self.reading.squeezed:
            y = self._squeeze(f"{path}.se", y)
        return self.builder.add("ReLU", self.builder.add("Add", y, x, name=f"{path}/sum"))

    def _squeeze(self, path: str, x: str) -> str:
        """Scale each channel by a gate made from the means of all."""
        gate = self.builder.add("AdaptiveAvgPool2d", x, name=f"{path}/mean", output_size=[1, 1])
        gate = self.builder.add("ReLU", _conv(self.builder, self.reading, f"{path}.fc1", gate))
        gate = self.builder.add("Sigmoid", _conv(self.builder, self.reading, f"{path}.fc2", gate))
        return self.builder.add("Mul", x, gate, name=f"{path}/scaled")
