"""Convolutions that end in a Linear, and projections that look like attention, whatever the wiring."""

from collections.abc import Iterator, Mapping, Sequence

from ckptkit.recovery.evidence import Findings
from ckptkit.recovery.generic import geometry
from ckptkit.recovery.generic.chain import kernel, plain
from ckptkit.recovery.generic.reading import Reading
from ckptkit.recovery.generic.widths import gives, products, takes
from ckptkit.recovery.image_sizes import divisors

APART = (
    ("q_proj", "k_proj", "v_proj"),
    ("query", "key", "value"),
    ("to_q", "to_k", "to_v"),
    ("wq", "wk", "wv"),
)
FUSED = ("qkv", "qkv_proj", "in_proj", "to_qkv", "c_attn", "Wqkv")
MOST_STACKS = 4
"""Stacks of a file whose strides are searched."""


def record(findings: Findings, readings: Sequence[Reading]) -> None:
    """Record `geometry.PATH`: what may bring an image to the features behind a stack of convolutions."""
    for stack, places in list(_stacks(products(readings)))[:MOST_STACKS]:
        channels, shape = takes(plain(stack[0])), findings.hints.input_shape
        kernels = [kernel(one) for one in stack]
        if shape is not None and len(shape) == len(kernels[0]) + 1 and shape[0] == channels:
            ways = [geometry.as_json(steps) for steps in geometry.solve(shape[1:], kernels, places).found]
        else:
            ways = list(geometry.images(kernels, places))
        if ways:
            findings.unknown(f"geometry.{stack[0].group.path}", ways)


def attending(findings: Findings, readings: Sequence[Reading]) -> bool:
    """Record `attention.PATH` for projections, and return whether there are any."""
    found = list(_projections(readings))
    for path, sizes in found:
        findings.unknown(f"attention.{path}", sizes)
    return bool(found)


def _stacks(layers: Sequence[Reading]) -> Iterator[tuple[list[Reading], int]]:
    """Yield runs of convolutions whose channels agree, with the places that the module behind them takes."""
    run: list[Reading] = []
    for one in layers:
        if kernel(one):
            before = run[-1] if run else None
            agrees = before is not None and gives(plain(before)) == takes(plain(one))
            run = [*run, one] if agrees and len(kernel(run[0])) == len(kernel(one)) else [one]
            continue
        features, channels = takes(one.value or {}) or 0, gives(plain(run[-1])) if run else None
        if channels and features % channels == 0 and len(run) <= geometry.MOST_LAYERS:
            yield run, features // channels
        run = []


def _projections(readings: Sequence[Reading]) -> Iterator[tuple[str, list[object]]]:
    """Yield each path with projections for queries, keys and values below it, and each number of heads."""
    below: dict[str, dict[str, Mapping[str, object]]] = {}
    for one in readings:
        path, _, leaf = one.group.path.rpartition(".")
        if one.value and one.value["type"] == "Linear":
            below.setdefault(path, {})[leaf] = one.value
    for path, linear in below.items():
        apart = next((names for names in APART if linear.keys() >= set(names)), None)
        fused = next((linear[name] for name in FUSED if name in linear), None)
        if apart:
            width = gives(linear[apart[0]]) or 1
        elif fused and gives(fused) == 3 * (takes(fused) or 0):
            width = takes(fused) or 1
        else:
            continue
        yield path, [{"embed_dim": width, "num_heads": heads} for heads in divisors(width)]
