"""Every way in which what one side offers does not fit what the other one needs."""

import re
from collections.abc import Iterator, Mapping

from ckptkit.model.compatibility import Aspect, Facts, Fit, Reason

SHAPING = ("type", "shape", "n", "nvec")
"""Keys of a space that decide the shape of what a network takes or gives."""
STATED = ("dtype", "low", "high", "start")
_ABSENT = object()


def misfits(have: Facts, want: Facts) -> Iterator[Reason]:
    """Yield each reason why `have` does not fit where `want` does; what one does not say is none."""
    yield from _format(have, want)
    for name in (name for name in have.spaces if name in want.spaces):
        yield from _space(name, have.spaces[name], want.spaces[name])
    if have.fields and want.fields:
        yield from _fields(have, want)
    if have.tensors and want.tensors:
        yield from _tensors(have, want)
    yield from _actions(have, want)
    for package in (name for name in have.versions if name in want.versions):
        yield from version(package, have.versions[package], want.versions[package], want.label)


def compared(have: Facts, want: Facts) -> tuple[Aspect, ...]:
    """Return the aspects that both sides say something of."""
    both = {
        Aspect.FORMAT: have.version and want.version,
        Aspect.SPACES: have.spaces.keys() & want.spaces.keys(),
        Aspect.ARCHITECTURE: have.fields and want.fields,
        Aspect.TENSORS: have.tensors and want.tensors,
        Aspect.ACTIONS: have.actions and want.actions,
        Aspect.VERSIONS: have.versions.keys() & want.versions.keys(),
    }
    return tuple(aspect for aspect, said in both.items() if said)


def _format(have: Facts, want: Facts) -> Iterator[Reason]:
    if have.version and want.version and have.version != want.version:
        message = f"is of version {have.version}, {want.label} of {want.version}"
        yield Reason(Aspect.FORMAT, Fit.FULL, "version", message)


def _space(place: str, have: object, want: object) -> Iterator[Reason]:
    if not isinstance(have, Mapping) or not isinstance(want, Mapping):
        return
    for keys, fit in ((SHAPING, Fit.NONE), (STATED, Fit.PARTIAL)):
        for key in keys:
            one, other = have.get(key, _ABSENT), want.get(key, _ABSENT)
            if one is not _ABSENT and other is not _ABSENT and one != other:
                message = f"{key} is {_short(one)}, and {_short(other)} is wanted"
                yield Reason(Aspect.SPACES, fit, place, message)
    parts, others = _parts(have), _parts(want)
    for key in dict.fromkeys((*parts, *others)):
        if key not in parts or key not in others:
            word = "is missing" if key not in parts else "is one too many"
            yield Reason(Aspect.SPACES, Fit.NONE, f"{place}.{key}", word)
        else:
            yield from _space(f"{place}.{key}", parts[key], others[key])


def _parts(space: Mapping[str, object]) -> dict[str, object]:
    parts = space.get("spaces")
    rows = list(parts) if isinstance(parts, list | tuple) else []
    keyed = space.get("type") == "Dict"
    return {str(row["key"] if keyed else at): row["space"] if keyed else row for at, row in enumerate(rows)}


def _fields(have: Facts, want: Facts) -> Iterator[Reason]:
    for name, wanted in want.fields.items():
        if name in have.fields and plain(have.fields[name]) != plain(wanted):
            message = f"is {_short(have.fields[name])}, and {_short(wanted)} is wanted"
            yield Reason(Aspect.ARCHITECTURE, Fit.PARTIAL, name, message)
        elif name not in have.fields and wanted is not None:
            message = f"is not stated; {_short(wanted)} is wanted"
            yield Reason(Aspect.ARCHITECTURE, Fit.FULL, name, message)
    for name in have.fields if want.complete else ():
        if name not in want.fields:
            message = f"is {_short(have.fields[name])}, and not stated by {want.label}"
            yield Reason(Aspect.ARCHITECTURE, Fit.FULL, name, message)


def plain(value: object) -> object:
    """Return JSON data with tuples as arrays, since a file's form does not tell them apart for certain."""
    if isinstance(value, Mapping):
        if value.keys() == {"$tuple"}:
            return plain(value["$tuple"])
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list | tuple) else value


def _tensors(have: Facts, want: Facts) -> Iterator[Reason]:
    fitting = sum(
        have.tensors[name][1] == shape for name, (_, shape) in want.tensors.items() if name in have.tensors
    )
    fit = Fit.PARTIAL if fitting else Fit.NONE
    for name, (dtype, shape) in want.tensors.items():
        if name not in have.tensors:
            yield Reason(Aspect.TENSORS, fit, name, f"is missing; {dtype}{list(shape)} is wanted")
            continue
        found, size = have.tensors[name]
        if size != shape:
            message = f"has shape {list(size)}, and {list(shape)} is wanted"
            yield Reason(Aspect.TENSORS, fit, name, message)
        elif found != dtype:
            yield Reason(Aspect.TENSORS, Fit.PARTIAL, name, f"is {found}, and {dtype} is wanted")
    for name, (dtype, shape) in have.tensors.items():
        if name not in want.tensors:
            yield Reason(Aspect.TENSORS, fit, name, f"is unexpected ({dtype}{list(shape)})")


def _actions(have: Facts, want: Facts) -> Iterator[Reason]:
    if not have.actions or not want.actions or have.actions == want.actions:
        return
    for name in want.actions:
        if name not in have.actions:
            yield Reason(Aspect.ACTIONS, Fit.PARTIAL, name, "is an action that it does not know")
    for name in have.actions:
        if name not in want.actions:
            yield Reason(Aspect.ACTIONS, Fit.PARTIAL, name, "is an action that is not wanted")
    if set(have.actions) == set(want.actions):
        message = "the same actions come in another order, so that their numbers mean others"
        yield Reason(Aspect.ACTIONS, Fit.PARTIAL, "order", message)


def version(package: str, have: str, want: str, who: str) -> Iterator[Reason]:
    """Yield a reason where two releases of a package differ; another major release is a misfit."""
    one, other = _release(have), _release(want)
    if one[:2] != other[:2]:
        fit = Fit.PARTIAL if one[:1] != other[:1] else Fit.FULL
        yield Reason(Aspect.VERSIONS, fit, package, f"{have} made it, {who} has {want}")


def _release(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"[0-9]+", text.partition("+")[0])[:3])


def _short(value: object) -> str:
    text = str(plain(value))
    return text if len(text) <= 60 else f"{text[:60]}…"
