"""Which grid of cells a brain's convolutions take, and with which strides they go over it."""

from dataclasses import dataclass

from ckptkit.recovery.evidence import Findings
from ckptkit.recovery.image_sizes import divisors
from ckptkit.recovery.metta.described import Described
from ckptkit.recovery.metta.reading import Reading
from ckptkit.recovery.metta.units import Unit

FIELD = "obs_shape"
KNOWN: dict[tuple[int, ...], tuple[int, ...]] = {(5, 3): (3, 1)}
"""Strides of MettaAgent's own configurations, by kernels."""
SIDE = 11


@dataclass(frozen=True, slots=True)
class Window:
    """One convolution along either axis."""

    kernel: int
    stride: int
    padding: int


def windows(reading: Reading, described: Described, findings: Findings) -> tuple[Window, ...]:
    """Record stride and padding of each convolution; empty where they stay open."""
    kernels = tuple(unit.shape[-1] for unit in reading.convolutions)
    usual = KNOWN.get(kernels, ()) if findings.profile else ()
    found = []
    for index, unit in enumerate(reading.convolutions):
        said = _said(unit, described, findings)
        if said is not None:
            found.append(Window(kernels[index], *said))
            for field, value in zip(("stride", "padding"), said, strict=True):
                findings.prove(f"{unit.name}.{field}", value, described.own(unit.path))
        elif usual and not described.settings(unit.path):
            found.append(Window(kernels[index], usual[index], 0))
            findings.assume(f"{unit.name}.stride", usual[index])
            findings.assume(f"{unit.name}.padding", 0)
        else:
            findings.unknown(f"{unit.name}.stride")
            findings.unknown(f"{unit.name}.padding")
    if len(found) == len(kernels):
        return tuple(found)
    if findings.profile:
        findings.ask(
            f"which strides have convolutions of kernels {', '.join(map(str, kernels))}? profile metta knows "
            "those of 5, 3, and only a pickled module says others"
        )
    return ()


def _said(unit: Unit, described: Described, findings: Findings) -> tuple[int, int] | None:
    """Return stride and padding of a pickled convolution; None where no module was pickled."""
    settings = described.settings(unit.path)
    if not settings:
        return None
    plain = {"dilation": [1, 1], "groups": 1, "padding_mode": "zeros", "transposed": False}
    odd = {name: _list(settings.get(name, value)) for name, value in plain.items()}
    pairs = [_list(settings.get(name)) for name in ("stride", "padding")]
    if odd == plain and all(isinstance(pair, list) and _is_pair(pair) for pair in pairs):
        stride, padding = (int(str(pair[0])) for pair in pairs if isinstance(pair, list))
        if stride > 0:
            return stride, padding
    own, said = described.own(unit.path), ", ".join(f"{key} {value}" for key, value in settings.items())
    findings.ask(f"what does {own} compute? it is no plain convolution: {said}")
    return None


def _list(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def _is_pair(pair: list[object]) -> bool:
    sizes = [size for size in pair if isinstance(size, int) and not isinstance(size, bool) and size >= 0]
    return len(sizes) == len(pair) == 2 and sizes[0] == sizes[1]


def grid(
    reading: Reading, found: tuple[Window, ...], described: Described, findings: Findings
) -> tuple[int, ...]:
    """Record the field `obs_shape` and return its value (channels, width, height); empty where open.

    MettaAgent builds a convolution only where its windows come out even, so that a number of places
    leaves one width and one height for each way to divide it.
    """
    words = {described.own("_obs_"): _shaper(reading, described), "--input-shape": findings.hints.input_shape}
    given = {place: shape for place, shape in words.items() if shape is not None}
    if not found:
        findings.unknown(FIELD)
        return ()
    others = [[reading.channels, *sides] for sides in _even(reading.places, found)]
    for place, shape in given.items():
        if not _fits(reading, found, shape):
            typed = " or ".join(_typed(other) for other in others[:2]) or "no grid"
            findings.ask(f"which grid does it take? {place} says {_typed(shape)}, {typed} fits its weights")
    if len(set(given.values())) > 1:
        said = " and ".join(f"{place} says {_typed(shape)}" for place, shape in given.items())
        findings.ask(f"which grid does it take? {said}")
    for place, shape in given.items():
        if place == "--input-shape":
            findings.assume(FIELD, list(shape), (), place)
        else:
            findings.prove(FIELD, list(shape), place)
        return shape
    return _open(reading, others, findings)


def _open(reading: Reading, others: list[list[int]], findings: Findings) -> tuple[int, ...]:
    usual = [reading.channels, SIDE, SIDE]
    if findings.profile and usual in others:
        findings.assume(FIELD, usual, [other for other in others if other != usual])
        return tuple(usual)
    findings.constrain(FIELD, None, others, reading.own(reading.encoder[0].weight), "windows come out even")
    example = f" (give --input-shape C,W,H, for instance --input-shape {_typed(others[0])})" if others else ""
    findings.ask(f"which grid does it take? {len(others)} fit its weights{example}")
    return ()


def _shaper(reading: Reading, described: Described) -> tuple[int, ...] | None:
    """Return the grid that the pickled component `_obs_` makes of tokens."""
    settings = described.settings("_obs_")
    said = [
        settings.get("num_layers", reading.channels),
        settings.get("out_width"),
        settings.get("out_height"),
    ]
    sizes = [size for size in said if isinstance(size, int)]
    return tuple(sizes) if len(sizes) == len(said) else None


def _even(places: int, found: tuple[Window, ...]) -> list[tuple[int, int]]:
    """Return each width and height whose windows come out even, the squarest first."""
    pairs = [(_size(width, found), _size(places // width, found)) for width in divisors(places)]
    return sorted((pair for pair in pairs if min(pair) > 0), key=lambda pair: (abs(pair[0] - pair[1]), pair))


def _size(places: int, found: tuple[Window, ...]) -> int:
    for window in reversed(found):
        places = (places - 1) * window.stride + window.kernel - 2 * window.padding
    return places


def _fits(reading: Reading, found: tuple[Window, ...], shape: tuple[int, ...]) -> bool:
    if len(shape) != 3 or shape[0] != reading.channels:
        return False
    return _places(shape[1], found) * _places(shape[2], found) == reading.places


def _places(size: int, found: tuple[Window, ...]) -> int:
    for window in found:
        room = size + 2 * window.padding - window.kernel
        size = room // window.stride + 1 if size > 0 and room >= 0 else 0
    return size


def _typed(shape: tuple[int, ...] | list[int]) -> str:
    return ",".join(map(str, shape))
