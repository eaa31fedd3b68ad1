"""What last layers may stand for: heads on one input, rows as actions and atoms, side inputs by width.

Nothing here is proven but the range of a `support`: widths that agree are no wire. What agrees is listed
as alternatives of an unknown field.
"""

import struct
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, pairwise

from ckptkit.model.tensor import Tensor
from ckptkit.recovery.evidence import Findings
from ckptkit.recovery.generic.reading import Reading
from ckptkit.recovery.generic.widths import gives, products, takes
from ckptkit.recovery.image_sizes import divisors

SUPPORT = "support"
MOST_ATOMS = 1 << 12
MOST_ROWS = 1 << 16
MOST_EXTRA = 64
"""Widest side input that is looked for behind one earlier width."""
MOST_LISTED = 64
MOST_MODULES = 512
"""Modules among which widths are compared; a longer file has its first ones compared."""
LETTERS = {"F16": "e", "F32": "f", "F64": "d"}


def record(findings: Findings, readings: Sequence[Reading]) -> None:
    """Record the fields of heads, rows and inputs."""
    layers = products(readings)[:MOST_MODULES]
    chains = list(_chains(layers))
    if chains:
        findings.unknown("chains", chains)
    pairs = list(islice(_pairs(layers), MOST_LISTED))
    if pairs:
        findings.unknown("heads", pairs)
    squeezes = list(islice(_squeezes(layers), MOST_LISTED))
    if squeezes:
        findings.unknown("squeezes", squeezes)
    atoms = _support(findings)
    for one in _ends(layers):
        rows = gives(one.value or {}) or 0
        choices = _rows(rows, atoms)
        if len(choices) > 1 or atoms:
            findings.unknown(f"rows.{one.group.path}", choices)
    for one, wider in _side_inputs(layers):
        findings.unknown(f"side_inputs.{one.group.path}", wider)


def _chains(layers: Sequence[Reading]) -> Iterator[list[str]]:
    """Yield runs of modules, in the order of the file, each of which takes what the one before gives."""
    run: list[Reading] = []
    for one in layers:
        if run and gives(run[-1].value or {}) != takes(one.value or {}):
            if len(run) > 1:
                yield [other.group.path for other in run]
            run = []
        run.append(one)
    if len(run) > 1:
        yield [other.group.path for other in run]


def _pairs(layers: Sequence[Reading]) -> Iterator[dict[str, object]]:
    """Yield the layers of one row beside layers of several rows that take the same width."""
    linear = [one for one in layers if one.kind in ("Linear", "NoisyLinear")]
    for value in linear:
        if gives(value.value or {}) != 1:
            continue
        for other in linear:
            rows = gives(other.value or {}) or 0
            if takes(other.value or {}) == takes(value.value or {}) and 1 < rows <= MOST_ROWS:
                both = {"one_row": value.group.path, "rows": other.group.path}
                yield {"kind": "dueling: value and advantages", **both}
                yield {"kind": "critic and actor", **both}


def _squeezes(layers: Sequence[Reading]) -> Iterator[dict[str, object]]:
    """Yield neighbours that narrow and widen again, as squeeze-and-excitation does."""
    for down, up in pairwise(layers):
        wide, narrow = takes(down.value or {}), gives(down.value or {})
        same = wide == gives(up.value or {}) and narrow == takes(up.value or {})
        beside = down.group.path.rpartition(".")[0] == up.group.path.rpartition(".")[0]
        if same and beside and wide and narrow and narrow < wide:
            yield {"down": down.group.path, "up": up.group.path, "width": wide, "hidden": narrow}


def _ends(layers: Sequence[Reading]) -> Iterator[Reading]:
    """Yield the Linear layers whose rows no later layer takes."""
    taken: set[int | None] = set()
    for one in reversed(layers):
        if one.kind in ("Linear", "NoisyLinear") and gives(one.value or {}) not in taken:
            yield one
        taken.add(takes(one.value or {}))


def _rows(rows: int, atoms: int) -> list[object]:
    if atoms and rows % atoms == 0:
        return [{"actions": rows // atoms, "atoms": atoms}]
    if rows > MOST_ROWS:
        return []
    return [{"values": rows}, *({"actions": rows // n, "values_each": n} for n in divisors(rows)[1:-1])]


def _side_inputs(layers: Sequence[Reading]) -> Iterator[tuple[Reading, list[dict[str, object]]]]:
    """Yield layers whose width no earlier layer gives, with what it may be joined from."""
    before: dict[int, str] = {}
    for one in layers:
        width = takes(one.value or {}) or 0
        if one.kind in ("Linear", "NoisyLinear") and before and width not in before:
            found = list(islice(_joined(before, width), MOST_LISTED))
            if found:
                yield one, found
        before.setdefault(gives(one.value or {}) or 0, one.group.path)


def _joined(before: Mapping[int, str], width: int) -> Iterator[dict[str, object]]:
    for other, path in before.items():
        if 0 < width - other <= MOST_EXTRA:
            yield {"of": [path], "widths": [other], "beside": width - other}
    for other, path in before.items():
        second = width - other
        if second >= other and second in before:
            yield {"of": [path, before[second]], "widths": [other, second], "beside": 0}


def _support(findings: Findings) -> int:
    """Record the range of atoms that a buffer holds, and return how many there are; 0 without one."""
    for name, tensor in findings.names.tensors.items():
        if name.rpartition(".")[2] != SUPPORT:
            continue
        values = even(tensor)
        if values:
            found = {"n_atoms": len(values), "v_min": values[0], "v_max": values[-1]}
            findings.prove("support", found, findings.names.source[name])
            return len(values)
    return 0


def even(tensor: Tensor) -> tuple[float, ...]:
    """Return the values of a vector that rises in even steps; nothing of any other tensor."""
    letter = LETTERS.get(tensor.dtype.name)
    if letter is None or len(tensor.shape) != 1 or not 1 < tensor.numel <= MOST_ATOMS:
        return ()
    values = struct.unpack(f"<{tensor.numel}{letter}", tensor.tobytes())
    low, high, steps = values[0], values[-1], len(values) - 1
    if not low < high:
        return ()
    room = 1e-2 * (high - low) / steps
    rises = all(abs(value - low - (high - low) * at / steps) <= room for at, value in enumerate(values))
    return values if rises else ()
