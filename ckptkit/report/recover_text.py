"""What `recover` found, as text: what, how sure, because of what, and what would settle the rest."""

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from ckptkit.model.counterexample import Counterexample
from ckptkit.model.results import Recovery
from ckptkit.report.styled import Line, columns, line, one_line
from ckptkit.report.words import plural

BEARING = {"proven": "good", "constrained": "note", "assumed": "warn", "unknown": "bad"}
FAMILY = {
    "": "more than one claims it, or there is nothing to claim",
    "generic": "generic: no family that ckptkit knows claims it",
}
AXES = ("depth", "height", "width", "length")
LABEL = 10
WIDEST = 44
"""Columns of a value beyond which the rest of its row follows where it ends."""
RUNS = frozenset(["height", "width"])
"""Keys whose two numbers are the first and the last of a run."""
NOTHING = "nothing says it"
SHOWN = 4
"""Items that a line names before it counts the rest."""


def lines(found: Recovery) -> Iterator[Line]:
    """Yield the family, a row for each field, then what stays open."""
    yield line((found.path, "name"), f" · {found.format}")
    yield _step("family", FAMILY.get(found.family, found.family))
    yield from _tally(found.fields)
    yield from _table(found.fields)
    yield _step("graph", _graph(found.graph), "" if found.graph else "warn")
    if found.parts and not found.graph:
        yield _step("parts", f"known by themselves: {_some([str(part.get('name')) for part in found.parts])}")
    for name in found.assumed:
        if name.partition(" = ")[0] not in found.fields:  # else its row says by whose word
            yield _step("assumed", name)
    if found.unexplained:
        yield _step("no place", _some(found.unexplained))
    for question in found.questions:
        yield _step("open", question, "warn")
    yield from _counterexamples(found)
    for other in found.rejected or ():
        said = not other.nearest or other.nearest in other.relation
        near = "" if said else f" (nearest: {other.nearest})"
        yield _step("not", f"{other.family}: {other.relation}{near}")


def _counterexamples(found: Recovery) -> Iterator[Line]:
    """Yield for each open field two values, an input on which the networks differ, and the question."""
    if found.counterexamples is None:
        return
    if not found.counterexamples:
        nothing = (
            "nothing is open" if found.graph else "no two networks can be built before the questions are"
        )
        yield _step("differ", f"{nothing}{'' if found.graph else ' answered'}")
    for one in found.counterexamples:
        both = f"{one.name}: {one.first} and {one.second} both load"
        if not one.output:
            yield _step("differ", f"{both}; not found in {plural(one.inputs, 'input')} that they differ")
        else:
            yield _step("differ", f"{both}; {_difference(one)}")
        yield _step("ask", one.question)


def _difference(one: Counterexample) -> str:
    """Return where and by how much two networks differ, and on which input."""
    shapes = " ".join(f"{name} {','.join(map(str, _list(shape)))}" for name, shape in one.shapes.items())
    where = f"on input {one.row} of seed {one.seed} ({shapes}; {one.evaluator})"
    if one.largest is None or math.isinf(one.largest):
        return f"{one.output} has another shape {where}"
    return f"{one.output} differs by {one.largest:.3g} {where}"


def _tally(fields: Mapping[str, Mapping[str, object]]) -> Iterator[Line]:
    """Yield how many fields are how sure."""
    counts = Counter(str(one.get("status", "")) for one in fields.values())
    if counts:
        parts = [f"{counts[status]} {status}" for status in BEARING if counts[status]]
        yield _step("fields", ", ".join(parts))


def _step(label: str, text: str, style: str = "") -> Line:
    return line((f"{label:<{LABEL}}", "dim"), (text, style))


def _table(fields: Mapping[str, Mapping[str, object]]) -> Iterator[Line]:
    rows = [(one_line(name), one_line(_value(one)), one) for name, one in fields.items()]
    first = max((columns(name) for name, _, _ in rows), default=0)
    second = min(max((columns(value) for _, value, _ in rows), default=0), WIDEST)
    for name, value, one in rows:
        status = str(one.get("status", ""))
        yield line(
            "  ",
            (name + " " * (first - columns(name)), "name"),
            "  ",
            value + " " * (second - columns(value)),
            "  ",
            (f"{status:<11}", BEARING.get(status, "")),
            f"  {_because(one)}",
        )


def _value(one: Mapping[str, object]) -> str:
    status, value = one.get("status"), one.get("value")
    return "?" if value is None and status in ("constrained", "unknown") else _plain(value)


def _because(one: Mapping[str, object]) -> str:
    evidence, others = _list(one.get("evidence")), _list(one.get("alternatives"))
    why = "nothing fits " if one.get("status") == "unknown" else ""
    parts = [why + _some([str(item) for item in evidence])] if evidence else []
    if others:
        word = "one of" if one.get("value") is None else "or"
        parts.append(f"{word} {_some(_others(one.get('value'), others), ' | ')}")
    return "; ".join(parts) or (NOTHING if one.get("status") == "unknown" else "")


def _others(value: object, others: Sequence[object]) -> list[str]:
    """Return alternatives; of a layer of the same type only what is not as in the value."""
    same = value if isinstance(value, Mapping) and "type" in value else {}
    found = []
    for other in others:
        if same and isinstance(other, Mapping) and other.get("type") == same["type"]:
            differing = {key: part for key, part in other.items() if part != same.get(key)}
            found.append(" ".join(f"{key} {_plain(part)}" for key, part in differing.items()))
        else:
            found.append(_plain(other))
    return found


def _plain(value: object) -> str:
    """Return a JSON value in few characters: 4,44,44, or channels 4 height 44..51."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ",".join(map(_plain, value)) or "[]"
    if isinstance(value, Mapping) and "type" in value:
        rest = ", ".join(f"{key} {_plain(part)}" for key, part in value.items() if key != "type")
        return f"{value['type']}({rest})"
    if isinstance(value, Mapping) and not any(str(key).startswith("$") for key in value):
        return " ".join(f"{key} {_part(key, part)}" for key, part in value.items())
    return value if isinstance(value, str) else json.dumps(value)


def _part(key: object, value: object) -> str:
    """Return one member of an object; a first and a last size where it says sizes along an axis."""
    if key in AXES and isinstance(value, list) and len(value) == 2:
        return f"{value[0]}..{value[1]}"
    return f"{value:.6g}" if isinstance(value, float) else _plain(value)


def _some(items: Sequence[str], between: str = ", ") -> str:
    more = f" and {len(items) - SHOWN} more" if len(items) > SHOWN else ""
    return between.join(items[:SHOWN]) + more


def _graph(graph: Mapping[str, object] | None) -> str:
    if graph is None:
        return "none while a question is open"
    outputs = [str(one.get("name")) for one in _list(graph.get("outputs")) if isinstance(one, Mapping)]
    return f"{plural(len(_list(graph.get('layers'))), 'layer')} · outputs {', '.join(outputs)}"


def _list(value: object) -> Sequence[object]:
    return value if isinstance(value, list | tuple) else ()
