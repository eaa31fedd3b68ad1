"""Layers of a graph in the words of a picture: `6 → 64 → 64 (Tanh)`, `÷ 255`, `ArgMax`."""

from collections.abc import Mapping, Sequence

from ckptkit.graph.shapes import Step
from ckptkit.model.architecture import ValueType

ARROW = " → "
TIMES = "×"
SIGNS = {"Add": "+", "Sub": "−", "Mul": TIMES, "Div": "÷", "Maximum": "at least", "Minimum": "at most"}
UNSPOKEN = frozenset({"Linear", "Flatten", "Parameter"})
"""Types that the sizes themselves show."""
SAME_SIZE = ("Norm", "Renorm", "PReLU")
"""Parts of the names of types whose parameters change no size."""
MAX_VALUES = 4
"""Most numbers of a list that are written out."""


def size(value: ValueType) -> str:
    """Return the sizes behind the batch axis: `4×84×84`, or `1` where the batch is all there is."""
    return TIMES.join(str(length) for length in value.shape if length is not None) or "1"


def sizes(steps: Sequence[Step]) -> tuple[str, ...]:
    """Return the sizes that flow into, through and out of a run of layers with parameters."""
    found = [size(steps[0].takes[0])] if steps[0].takes else []
    for step in steps:
        after = size(step.gives[0])
        resized = step.kind.parameters(step.attrs) and not any(part in step.kind.type for part in SAME_SIZE)
        if resized or not found or after != found[-1]:
            found.append(after)
    return tuple(found)


def types(steps: Sequence[Step]) -> tuple[str, ...]:
    """Return the layer types that the sizes do not show, each once, in order; kernels with them."""
    spoken: dict[str, list[str]] = {}
    for step in steps:
        if step.kind.type in UNSPOKEN:
            continue
        kernels = spoken.setdefault(step.kind.type, [])
        if "kernel_size" in step.attrs:
            kernels.append(_kernel(step.attrs))
    return tuple(" ".join([name, *kernels]) for name, kernels in spoken.items())


def parametric(steps: Sequence[Step]) -> str:
    """Return what a run of layers with parameters does: `6 → 64 → 64 (Tanh)`."""
    if not steps[0].takes:
        return f"tensor of {size(steps[0].gives[0])}"
    named = types(steps)
    chain = ARROW.join(sizes(steps))
    return f"{chain} ({', '.join(named)})" if named else chain


def plain(steps: Sequence[Step]) -> str:
    """Return what a run of layers without parameters does: `to F32, ÷ 255`."""
    return ", ".join(_phrase(step) for step in steps)


def _phrase(step: Step) -> str:
    kind, attrs = step.kind.type, step.attrs
    if kind in SIGNS and "value" in attrs:
        return _arithmetic(kind, attrs["value"])
    match kind:
        case "Cast":
            return f"to {attrs['dtype']}"
        case "Flatten" | "Reshape" | "Concat" | "Slice" | "Transpose" | "OneHot":
            return f"{kind} to {size(step.gives[0])}"
        case "MaskedFill":
            return f"{_number(attrs['value'])} where masked"
    return " ".join([kind, *_arguments(step)])


def _arithmetic(kind: str, value: object) -> str:
    if kind == "Add" and isinstance(value, int | float) and value < 0:
        kind, value = "Sub", -value
    return f"{SIGNS[kind]} {_value(value)}"


def _arguments(step: Step) -> list[str]:
    """Name the attributes that are not what they are by default, shapes and axes apart."""
    known = step.kind.defaults
    return [
        f"{name}={_value(value)}"
        for name, value in step.layer.attrs.items()
        if name not in {"axis", "keepdim"} and known.get(name) != value
    ]


def _kernel(attrs: Mapping[str, object]) -> str:
    """Return `8×8/4` for a kernel of 8×8 that moves by 4."""
    kernel, stride = _lengths(attrs["kernel_size"]), _lengths(attrs.get("stride"))
    if not stride or set(stride) == {"1"}:
        return TIMES.join(kernel)
    return f"{TIMES.join(kernel)}/{stride[0] if len(set(stride)) == 1 else TIMES.join(stride)}"


def _lengths(value: object) -> list[str]:
    if isinstance(value, list | tuple):
        return [str(length) for length in value]
    return [] if value is None else [str(value)]


def _value(value: object) -> str:
    if isinstance(value, list | tuple):
        if len(value) == 1:
            return _value(value[0])
        short = len(value) <= MAX_VALUES and not any(isinstance(item, list | tuple) for item in value)
        return f"[{','.join(_value(item) for item in value)}]" if short else f"[{len(value)} values]"
    return _number(value)


def _number(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
