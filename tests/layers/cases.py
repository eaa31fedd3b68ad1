"""A generator of valid uses for each layer type: attributes and input types from a seed."""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from ckptkit.model.architecture import ValueType


@dataclass(frozen=True)
class Case:
    """One use of a layer type.

    Attributes:
        takes: Types of the inputs.
        attrs: Attributes as a graph states them.
        below: Exclusive bound of integer inputs.
        train: Whether its training mode is defined for this use.
    """

    takes: tuple[ValueType, ...]
    attrs: dict[str, Any] = field(default_factory=dict)
    below: int = 5
    train: bool = True


Make = Callable[[Random], Case]


def f32(*shape: int | None) -> ValueType:
    return ValueType("F32", shape)


def batch(r: Random, axes: tuple[int, int] = (1, 3), most: int = 6) -> ValueType:
    """Return a float value of a batch and some axes."""
    return f32(None, *(r.randint(1, most) for _ in range(r.randint(*axes))))


def some(r: Random, **attrs: Any) -> dict[str, Any]:
    """Leave some attributes out, so that defaults apply."""
    return {name: value for name, value in attrs.items() if r.random() < 0.7}


def flag(r: Random) -> bool:
    return r.random() < 0.5


def plain(**attrs: Callable[[Random], Any]) -> Make:
    """Return a maker for an elementwise layer."""
    return lambda r: Case((batch(r),), some(r, **{name: make(r) for name, make in attrs.items()}))


def conv(rank: int, *, transposed: bool = False) -> Make:
    def make(r: Random) -> Case:
        groups = r.choice((1, 1, 2))
        kernel = [r.randint(1, 4) for _ in range(rank)]
        channels = {"in_channels": groups * r.randint(1, 3), "out_channels": groups * r.randint(1, 3)}
        stride = [r.randint(1, 3) for _ in range(rank)]
        dilation = [r.randint(1, 2) for _ in range(rank)]
        more = {
            "stride": stride,
            "dilation": dilation,
            "padding": [r.randint(0, (k - 1) // 2) for k in kernel],
            "bias": flag(r),
        }
        if transposed:
            more["output_padding"] = [r.randint(0, size - 1) for size in stride]
        else:
            more = some(r, **more)
        sizes = [2 * (k - 1) + r.randint(1, 5) for k in kernel]
        attrs = {**channels, "kernel_size": kernel, "groups": groups, **more}
        return Case((f32(None, channels["in_channels"], *sizes),), attrs)

    return make


def pool(rank: int, kind: str) -> Make:
    def make(r: Random) -> Case:
        kernel = [r.randint(1, 4) for _ in range(rank)]
        value = f32(None, r.randint(1, 3), *(2 * k + r.randint(0, 6) for k in kernel))
        more = {
            "stride": [r.randint(1, 4) for _ in range(rank)],
            "padding": [r.randint(0, k // 2) for k in kernel],
        }
        if kind == "max":
            more |= {"dilation": [r.randint(1, 2) for _ in range(rank)], "ceil_mode": flag(r)}
        else:
            more |= {"count_include_pad": flag(r)}
        return Case((value,), {"kernel_size": kernel, **some(r, **more)})

    return make


def adaptive(rank: int) -> Make:
    def make(r: Random) -> Case:
        out = [r.randint(1, 4) for _ in range(rank)]
        sizes = [r.choice((count * r.randint(1, 3), r.randint(1, 9))) for count in out]
        return Case((f32(None, r.randint(1, 3), *sizes),), {"output_size": out})

    return make


def pad(rank: int) -> Make:
    def make(r: Random) -> Case:
        sizes = [r.randint(1, 4) for _ in range(rank + 1)]
        attrs = {"padding": [r.randint(0, 3) for _ in range(2 * rank)], **some(r, value=r.uniform(-2, 2))}
        return Case((f32(None, *sizes),), attrs)

    return make


def linear(r: Random) -> Case:
    size = r.choice((1, 7, 64, 193, 256, 400, 1024, 1200))
    value = f32(None, *(r.randint(1, 3) for _ in range(r.choice((0, 0, 1, 2)))), size)
    return Case((value,), {"in_features": size, "out_features": r.randint(1, 9), **some(r, bias=flag(r))})


def noisy(r: Random) -> Case:
    case = linear(r)
    attrs = {name: value for name, value in case.attrs.items() if name != "bias"}
    return Case(case.takes, attrs | some(r, std_init=0.4, noise=r.choice(("factors", "product"))))


def batch_norm(rank: int) -> Make:
    def make(r: Random) -> Case:
        size = r.randint(1, 5)
        axes = r.choice((0, 1)) if rank == 1 else rank
        more = {"eps": r.choice((1e-5, 1e-3)), "momentum": r.choice((0.2, None)), "affine": flag(r)}
        value = f32(None, size, *(r.randint(2, 4) for _ in range(axes)))
        return Case((value,), {"num_features": size, **some(r, **more)})

    return make


def layer_norm(r: Random) -> Case:
    value = batch(r, (1, 3))
    shape = list(value.shape[-r.randint(1, len(value.shape) - 1) :])
    more = {"eps": 1e-3, "elementwise_affine": flag(r), "bias": flag(r)}
    return Case((value,), {"normalized_shape": shape, **some(r, **more)})


def rms_norm(r: Random) -> Case:
    value = batch(r)
    more = some(r, eps=r.choice((None, 1e-3)), elementwise_affine=flag(r))
    return Case((value,), {"normalized_shape": [value.shape[-1]], **more})


def group_norm(r: Random) -> Case:
    groups, each = r.randint(1, 3), r.randint(2, 3)
    value = f32(None, groups * each, *(r.randint(1, 4) for _ in range(r.randint(0, 2))))
    more = some(r, eps=1e-3, affine=flag(r))
    return Case((value,), {"num_groups": groups, "num_channels": groups * each, **more})


def renorm(r: Random) -> Case:
    value = batch(r, (1, 1))
    more = some(r, eps=1e-2, momentum=0.1, affine=flag(r), warmup_steps=3)
    return Case((value,), {"num_features": value.shape[-1], **more})


def recurrent(kind: str) -> Make:
    def make(r: Random) -> Case:
        size, hidden, layers = r.choice((3, 200)), r.randint(2, 6), r.randint(1, 3)
        attrs = {"input_size": size, "hidden_size": hidden, "num_layers": layers, **some(r, bias=flag(r))}
        width = hidden
        if kind == "LSTM" and flag(r):
            width = attrs["proj_size"] = r.randint(1, hidden - 1)
        if kind == "RNN":
            attrs |= some(r, nonlinearity=r.choice(("tanh", "relu")))
        states = [f32(layers, None, width)] + ([f32(layers, None, hidden)] if kind == "LSTM" else [])
        return Case((f32(None, size), *states), attrs)

    return make


def attention(r: Random) -> Case:
    heads, width = r.randint(1, 3), r.randint(1, 4)
    attrs = {"embed_dim": heads * width, "num_heads": heads, **some(r, bias=flag(r), dropout=0.1)}
    return Case((f32(None, r.randint(1, 5), heads * width),), attrs)


def indices(r: Random) -> ValueType:
    return ValueType("I64", (None, *(r.randint(1, 3) for _ in range(r.randint(0, 2)))))


def embedding(r: Random) -> Case:
    more = some(r, padding_idx=r.choice((None, 0)))
    return Case((indices(r),), {"num_embeddings": 5, "embedding_dim": r.randint(1, 4), **more})


def one_hot(r: Random) -> Case:
    return Case((indices(r),), {"num_classes": r.choice((5, 9))})


def constant(r: Random, value: ValueType) -> Any:
    """Return a constant that broadcasts into the last axes of `value`; none of it is zero."""

    def fill(sizes: list[int]) -> Any:
        if sizes:
            return [fill(sizes[1:]) for _ in range(sizes[0])]
        number = r.choice((-3, -2, -1, 1, 2, 3))
        return number if value.dtype == "I64" else number / 2

    axes = [size for size in value.shape if size is not None]
    return fill(axes[len(axes) - r.randint(0, len(axes)) :])


def arithmetic(*dtypes: str) -> Make:
    def make(r: Random) -> Case:
        value = ValueType(r.choice(dtypes), batch(r).shape)
        if flag(r):
            return Case((value,), {"value": constant(r, value)})
        first = r.choice((None, 1))
        other = ValueType(value.dtype, (first, *(r.choice((size, 1)) for size in value.shape[1:])))
        return Case((value, other) if flag(r) else (other, value))

    return make


def quotient(r: Random) -> Case:
    # A divisor near zero says more of the inputs than of the layer.
    value = ValueType(r.choice(("F32", "F64")), batch(r).shape)
    return Case((value,), {"value": constant(r, value)})


def matmul(r: Random) -> Case:
    inner, columns = r.randint(1, 6), r.randint(1, 4)
    if flag(r):
        return Case((f32(*batch(r).shape, inner), f32(inner, columns)))
    stack = batch(r, (0, 1)).shape
    return Case((f32(*stack, r.randint(1, 4), inner), f32(*stack, inner, columns)))


CASTS = (
    *(("F32", target) for target in ("I64", "BOOL", "F64", "F16", "F32")),
    *((source, "F32") for source in ("F64", "F16", "I64", "I32", "I8", "U8", "BOOL")),
    ("I16", "I64"),
    ("BOOL", "I64"),
)


def cast(r: Random) -> Case:
    source, target = r.choice(CASTS)
    return Case((ValueType(source, batch(r).shape),), {"dtype": target})


def reduction(r: Random) -> Case:
    value = batch(r)
    axes = r.sample(range(1, len(value.shape)), r.randint(1, len(value.shape) - 1))
    return Case((value,), {"axis": axes[0] if flag(r) else axes, **some(r, keepdim=flag(r))})


def along(r: Random) -> Case:
    value = batch(r)
    return Case((value,), {"axis": r.randint(1, len(value.shape) - 1)})


def argmax(r: Random) -> Case:
    case = along(r)
    return Case(case.takes, case.attrs | some(r, keepdim=flag(r)))


def glu(r: Random) -> Case:
    case = along(r)
    axis, shape = case.attrs["axis"], list(case.takes[0].shape)
    shape[axis] = 2 * r.randint(1, 3)
    return Case((f32(*shape),), case.attrs)


def concat(r: Random) -> Case:
    case = along(r)
    axis, shape = case.attrs["axis"], case.takes[0].shape
    parts = [(*shape[:axis], r.randint(1, 4), *shape[axis + 1 :]) for _ in range(r.randint(1, 3))]
    return Case(tuple(f32(*part) for part in parts), case.attrs)


def cut(r: Random) -> Case:
    case = along(r)
    size = case.takes[0].shape[case.attrs["axis"]] or 1
    start = r.randint(0, size - 1)
    return Case(case.takes, case.attrs | {"start": start, "stop": r.randint(start + 1, size)})


def reshape(r: Random) -> Case:
    sizes = [r.randint(1, 4) for _ in range(r.randint(0, 3))]
    return Case((f32(None, *sizes),), {"shape": [*sizes[2:], *sizes[:2]]})


def transpose(r: Random) -> Case:
    value = batch(r)
    axes = list(range(len(value.shape)))
    r.shuffle(axes)
    return Case((value,), {"axes": axes})


def squeeze(r: Random) -> Case:
    axis, shape = r.randint(0, 2), [r.randint(1, 3) for _ in range(2)]
    shape.insert(axis, 1)
    return Case((f32(None, *shape),), {"axis": axis + 1}) if flag(r) else Case((f32(*shape),), {"axis": axis})


def parameter(r: Random) -> Case:
    dtype = r.choice(("F32", "F64", "I64", "BOOL", "U8"))
    attrs = {"shape": [r.randint(1, 3) for _ in range(r.randint(0, 3))], "dtype": dtype, "buffer": flag(r)}
    return Case((), attrs)


def masked(r: Random) -> Case:
    value = batch(r)
    return Case((value, ValueType("BOOL", value.shape)), some(r, value=-1e8))


def prelu(r: Random) -> Case:
    value = batch(r)
    return Case((value,), some(r, num_parameters=r.choice((1, value.shape[1]))))


def slope(low: float, high: float) -> Callable[[Random], float]:
    return lambda r: r.uniform(low, high)


CASES: dict[str, Make] = {
    **{
        name: plain()
        for name in (
            *("ReLU", "ReLU6", "SELU", "SiLU", "Mish", "Tanh", "Sigmoid", "LogSigmoid", "Hardsigmoid"),
            *("Hardswish", "Tanhshrink", "Softplus", "Softsign", "Identity", "Flatten", "Round"),
        )
    },
    "LeakyReLU": plain(negative_slope=slope(0, 0.5)),
    "ELU": plain(alpha=slope(0.5, 2)),
    "CELU": plain(alpha=slope(0.5, 2)),
    "GELU": plain(approximate=lambda r: r.choice(("none", "tanh"))),
    "Hardtanh": plain(min_val=slope(-2, -1), max_val=slope(0, 1)),
    "Hardshrink": plain(lambd=slope(0.1, 1)),
    "Softshrink": plain(lambd=slope(0.1, 1)),
    "Dropout": plain(p=slope(0.1, 0.9)),
    "PReLU": prelu,
    **{f"Conv{rank}d": conv(rank) for rank in (1, 2, 3)},
    **{f"ConvTranspose{rank}d": conv(rank, transposed=True) for rank in (1, 2, 3)},
    **{f"MaxPool{rank}d": pool(rank, "max") for rank in (1, 2)},
    **{f"AvgPool{rank}d": pool(rank, "average") for rank in (1, 2)},
    **{f"AdaptiveAvgPool{rank}d": adaptive(rank) for rank in (1, 2)},
    **{f"ConstantPad{rank}d": pad(rank) for rank in (1, 2)},
    **{f"BatchNorm{rank}d": batch_norm(rank) for rank in (1, 2, 3)},
    "LayerNorm": layer_norm,
    "RMSNorm": rms_norm,
    "GroupNorm": group_norm,
    "BatchRenorm1d": renorm,
    "Linear": linear,
    "NoisyLinear": noisy,
    **{kind: recurrent(kind) for kind in ("LSTM", "GRU", "RNN")},
    "MultiheadAttention": attention,
    "Embedding": embedding,
    "OneHot": one_hot,
    **{name: arithmetic("F32", "F64", "I64") for name in ("Add", "Sub", "Mul", "Maximum", "Minimum")},
    "Div": quotient,
    "MatMul": matmul,
    "Cast": cast,
    "Mean": reduction,
    "Sum": reduction,
    "ArgMax": argmax,
    "Softmax": along,
    "LogSoftmax": along,
    "GLU": glu,
    "Concat": concat,
    "Slice": cut,
    "Reshape": reshape,
    "Squeeze": squeeze,
    "Transpose": transpose,
    "Parameter": parameter,
    "MaskedFill": masked,
}
