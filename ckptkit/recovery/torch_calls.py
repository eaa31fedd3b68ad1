"""Layers from calls of `torch.nn` as `spec/legacy/code-objects.md` writes them down.

Source: torch 2.13, the signatures of `torch.nn` and `torch.nn.functional`. Sizes come from tensors and
must agree with the numbers of the call; what no tensor tells must be a number there, or the default.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ckptkit.errors import ArchitectureError
from ckptkit.layers import vocabulary
from ckptkit.recovery.builder import GraphBuilder

PLACE = "inplace"
SIGNATURES: dict[str, tuple[str, ...]] = {
    "AdaptiveAvgPool2d": ("output_size",),
    "AvgPool2d": ("kernel_size", "stride", "padding", "ceil_mode", "count_include_pad"),
    "BatchNorm1d": ("num_features", "eps", "momentum", "affine", "track_running_stats"),
    "BatchNorm2d": ("num_features", "eps", "momentum", "affine", "track_running_stats"),
    "Conv2d": (
        "in_channels",
        "out_channels",
        "kernel_size",
        "stride",
        "padding",
        "dilation",
        "groups",
        "bias",
        "padding_mode",
    ),
    "Dropout": ("p", PLACE),
    "ELU": ("alpha", PLACE),
    "Flatten": ("start_dim", "end_dim"),
    "GELU": ("approximate",),
    "Hardswish": (PLACE,),
    "Identity": (),
    "LayerNorm": ("normalized_shape", "eps", "elementwise_affine", "bias"),
    "LeakyReLU": ("negative_slope", PLACE),
    "Linear": ("in_features", "out_features", "bias"),
    "MaxPool2d": ("kernel_size", "stride", "padding", "dilation", "return_indices", "ceil_mode"),
    "Mish": (PLACE,),
    "ReLU": (PLACE,),
    "ReLU6": (PLACE,),
    "SELU": (PLACE,),
    "SiLU": (PLACE,),
    "Sigmoid": (),
    "Softplus": (),
    "Softsign": (),
    "Tanh": (),
}
"""Arguments of each class, in order; a class or an argument that is not here is a question."""
OWNERS = frozenset(["BatchNorm1d", "BatchNorm2d", "Conv2d", "LayerNorm", "Linear"])
"""Classes with tensors; what they give is new, so that it may be changed in place."""
_SIZES = frozenset(["in_features", "out_features", "in_channels", "out_channels", "num_features"])
_PAIRS = frozenset(["kernel_size", "stride", "padding", "dilation", "output_size"])
_DEFAULTS: dict[str, object] = {"start_dim": 1, "end_dim": -1, "track_running_stats": True}
_FIXED: dict[str, object] = {"padding_mode": "zeros", "return_indices": False} | _DEFAULTS
"""Arguments that must have their default."""
FUNCTIONS = {
    "elu": "ELU",
    "gelu": "GELU",
    "hardswish": "Hardswish",
    "leaky_relu": "LeakyReLU",
    "mish": "Mish",
    "relu": "ReLU",
    "relu6": "ReLU6",
    "selu": "SELU",
    "sigmoid": "Sigmoid",
    "silu": "SiLU",
    "softplus": "Softplus",
    "softsign": "Softsign",
    "tanh": "Tanh",
}
"""Functions and methods that are an activation with its defaults where they get one value."""


@dataclass(frozen=True, slots=True)
class Call:
    """The making of one module.

    Attributes:
        kind: Name of the class.
        args: Expressions of its arguments, by name.
    """

    kind: str
    args: Mapping[str, object] = field(default_factory=dict)


def module_call(name: str, args: Sequence[object], keywords: Mapping[str, object]) -> Call:
    """Return the call of a class by its full name.

    Raises:
        ArchitectureError: It is no class of `torch.nn` that is known, or gets other arguments.
    """
    kind = name.rpartition(".")[2]
    if name != f"torch.nn.{kind}" and not name.startswith("torch.nn.modules."):
        raise ArchitectureError(f"what does {name} compute? it is no class of torch.nn")
    if kind == "Identity":
        return Call(kind)
    if kind not in SIGNATURES:
        raise ArchitectureError(f"what does {name} compute? it is not among the layers that code is read for")
    names = SIGNATURES[kind]
    unknown = [key for key in keywords if key not in names]
    if len(args) > len(names) or unknown:
        what = unknown[0] if unknown else f"argument {len(names) + 1}"
        raise ArchitectureError(f"what does {what} of {name} do? it is not among those that code is read for")
    return Call(kind, {**dict(zip(names, args, strict=False)), **keywords})


def add(builder: GraphBuilder, path: str, x: str, call: Call, *, fresh: bool) -> str:
    """Add the layer of a call and return its output.

    Args:
        builder: Where to add.
        path: Module path.
        x: What it takes.
        call: The class and its arguments.
        fresh: Whether `x` is seen by nothing else, so that it may be changed in place.

    Raises:
        ArchitectureError: Tensors and arguments disagree, or an argument is not known.
    """
    if call.kind in ("Dropout", "Identity"):
        _check_place(call, path, fresh=fresh)
        return x
    given = {name: plain(expression, f"{name} of {path}") for name, expression in _told(call)}
    for name, default in _FIXED.items():
        if given.pop(name, default) != default:
            raise ArchitectureError(f"what does {path} compute? its {name} is not the usual one")
    if call.kind not in OWNERS:
        return _without_tensors(builder, path, x, call, given, fresh=fresh)
    attrs = {name: _spread(name, value) for name, value in given.items() if name not in _SIZES | {"bias"}}
    layer = _owner(builder, path, x, call.kind, attrs)
    built = builder.names[layer].attrs
    for name, value in given.items():
        if name in _SIZES | {"bias", "normalized_shape"} and built.get(name, value) != _spread(name, value):
            raise ArchitectureError(
                f"which holds? the code says {name} = {value} of {path}, and its tensors {built[name]}"
            )
    return layer


def _told(call: Call) -> list[tuple[str, object]]:
    """Return the arguments but those that tensors tell and the code computes."""
    return [
        (name, value)
        for name, value in call.args.items()
        if name != PLACE and not (name in _SIZES | {"normalized_shape"} and not _is_plain(value))
    ]


def _owner(builder: GraphBuilder, path: str, x: str, kind: str, attrs: dict[str, object]) -> str:
    if kind == "Linear":
        return builder.linear(path, x)
    if kind == "Conv2d":
        attrs.pop("kernel_size", None)
        return builder.conv(path, x, **attrs)
    attrs.pop("normalized_shape", None)
    size = builder.shape(f"{path}.weight")
    if kind == "LayerNorm":
        return builder.own(kind, path, x, normalized_shape=list(size), **attrs)
    return builder.own(kind, path, x, num_features=size[0], **attrs)


def _without_tensors(
    builder: GraphBuilder, path: str, x: str, call: Call, given: dict[str, object], *, fresh: bool
) -> str:
    _check_place(call, path, fresh=fresh)
    if call.kind not in vocabulary():
        raise ArchitectureError(f"what does {call.kind} compute? it is none of the vocabulary's")
    return builder.add(call.kind, x, name=path, **{name: _spread(name, v) for name, v in given.items()})


def _check_place(call: Call, path: str, *, fresh: bool) -> None:
    if PLACE in call.args and plain(call.args[PLACE], path) and not fresh:
        raise ArchitectureError(f"what else sees the input of {path}? it is changed in place")


def _spread(name: str, value: object) -> object:
    """Return a size along both axes where it is given once for both."""
    if name in _PAIRS and isinstance(value, int):
        return [value, value]
    if name == "normalized_shape" and isinstance(value, int):
        return [value]
    return value


def _is_plain(expression: object) -> bool:
    try:
        plain(expression, "")
    except ArchitectureError:
        return False
    return True


def plain(expression: object, what: str) -> object:
    """Return the number, text or list that an expression is.

    Raises:
        ArchitectureError: It has to be computed.
    """
    if isinstance(expression, Mapping):
        if set(expression) == {"const"}:
            return expression["const"]
        items = expression.get("tuple", expression.get("list"))
        if len(expression) == 1 and isinstance(items, list):
            return [plain(item, what) for item in items]
    raise ArchitectureError(f"what is {what}? the code computes it, and only running it would tell")
