"""Figures and spaces in the words of the text reports."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ckptkit.model.results import TensorRow, Validation

UNITS = ("KB", "MB", "GB", "TB")


def size(count: int) -> str:
    """Return a number of bytes for people: decimal units, three digits (`142 KB`)."""
    if count < 1000:
        return f"{count} B"
    value = float(count)
    for unit in UNITS:
        value /= 1000
        if value < 999.5 or unit == UNITS[-1]:
            break
    return f"{value:.1f} {unit}" if value < 9.95 else f"{value:,.0f} {unit}"


def plural(count: int, noun: str, nouns: str = "") -> str:
    """Return a figure and its noun (`1 tensor`, `9,155 parameters`)."""
    return f"{count:,} {noun if count == 1 else nouns or noun + 's'}"


def not_compared(result: "Validation") -> str:
    """Say which recorded digests of a checkpoint were not compared with bytes; empty where all were."""
    return f"not compared: {result.not_compared}" if result.not_compared else ""


def all_not_compared(results: "Iterable[Validation]") -> tuple[str, ...]:
    """Say the same of many checkpoints: each phrase once, with their number where it is not all's."""
    counts = Counter(not_compared(result) for result in results)
    whole = counts.total()
    return tuple(
        said if count == whole else f"{said} ({count:,} of {plural(whole, 'checkpoint')})"
        for said, count in counts.items()
        if said
    )


def parameters(rows: "Iterable[TensorRow]") -> int:
    """Return the number of elements, each shared tensor counted once."""
    total = 0
    for row in rows:
        if not row.alias_of:
            count = 1
            for length in row.shape:
                count *= length
            total += count
    return total


def dtypes(rows: "Iterable[TensorRow]") -> str:
    """Return the element types, the most frequent first (`F32`, or `10 F32, 2 I64`)."""
    counts: dict[str, int] = {}
    for row in rows:
        counts[row.dtype] = counts.get(row.dtype, 0) + 1
    if len(counts) < 2:
        return "".join(counts)
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{count:,} {name}" for name, count in ordered)


def space(value: object) -> str:
    """Return a space of `spec/manifest.md` in one phrase (`Box(6,) float32`, `Discrete(3)`)."""
    if not isinstance(value, Mapping):
        return "unknown"
    kind = str(value.get("type", "unknown"))
    match kind:
        case "Box":
            return f"Box{_shape(value.get('shape'))} {value.get('dtype', '')}{_bounds(value)}".rstrip()
        case "Discrete":
            start = value.get("start", 0)
            return (
                f"Discrete({value.get('n')})" if start == 0 else f"Discrete({value.get('n')}, start {start})"
            )
        case "MultiDiscrete":
            return f"MultiDiscrete({value.get('nvec')})"
        case "MultiBinary":
            return f"MultiBinary{_shape(value.get('shape'))}"
        case "unknown":
            return f"unknown ({value['class']})" if value.get("class") else "unknown"
        case _:
            return _compound(kind, value)


def _compound(kind: str, value: Mapping[str, object]) -> str:
    parts = value.get("spaces")
    if not isinstance(parts, list | tuple):
        return kind
    shown = (
        f"{part['key']}: {space(part.get('space'))}"
        if isinstance(part, Mapping) and "key" in part
        else space(part)
        for part in parts
    )
    return f"{kind}({', '.join(shown)})"


def _shape(value: object) -> str:
    return str(tuple(value)) if isinstance(value, list | tuple) else "(?)"


def _bounds(value: Mapping[str, object]) -> str:
    low, high = value.get("low"), value.get("high")
    if isinstance(low, int | float) and isinstance(high, int | float):
        return f" in [{low:g}, {high:g}]"
    return ""
