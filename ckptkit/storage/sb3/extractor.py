"""The features extractor that `policy_kwargs` and the sidecars of RL-Snake name.

`feature_extractor.dill` holds a class, by reference (one global) or by value (its code, which is
listed and never run); `feature_extractor_kwargs.json` holds its keyword arguments. They belong to
`NAME.zip` where they stand beside it in a directory called `NAME`; then the system that wrote them
loads with them and not with what the zip says. Beside any other zip they are a note only.
"""

from collections.abc import Callable, Iterable, Mapping

from ckptkit.errors import LimitExceededError, UnreadableCheckpointError
from ckptkit.model import ijson
from ckptkit.model.checkpoint import SourceFile
from ckptkit.model.finding import Verdict
from ckptkit.model.inert import ClassRef, Instance
from ckptkit.model.source import Source
from ckptkit.storage.sb3.collected import Collected
from ckptkit.storage.sb3.data import read_pickle

DILL = "feature_extractor.dill"
KWARGS = "feature_extractor_kwargs.json"
MAX_DILL_BYTES = 16 << 20
MAX_KWARGS_BYTES = 1 << 20

_CLASS_MAKERS = ("_make_skeleton_class", "_create_type")
"""What cloudpickle and dill call to make a class whose code is in the pickle."""

RAW = "raw"
"""Key of the value that names the class, until its code has been read."""

Open = Callable[[str], Source | None]
"""Opens a file beside the zip; None where there is none."""

_CLASS_KEY, _KWARGS_KEY = "features_extractor_class", "features_extractor_kwargs"


def class_of(value: object) -> tuple[ClassRef, str] | None:
    """Return the class that `value` is, and whether it came by `reference` or by `value`.

    None where it is no class. The module of a class by value is what its own body says.
    """
    if isinstance(value, ClassRef):
        return value, "reference"
    if not isinstance(value, Instance) or not isinstance(value.cls, ClassRef):
        return None
    if value.cls.name not in _CLASS_MAKERS:
        return None
    name = next((arg for arg in value.args if isinstance(arg, str)), "")
    return ClassRef(_module(value.args), name), "value"


def _module(args: Iterable[object]) -> str:
    for arg in args:
        module = arg.get("__module__") if isinstance(arg, Mapping) else None
        if isinstance(module, str):
            return module
    return "__main__"


def from_policy_kwargs(kwargs: Mapping[object, object]) -> dict[str, object]:
    """Return what the zip's own `policy_kwargs` say of the extractor; empty where they name none."""
    named = class_of(kwargs.get(_CLASS_KEY))
    if named is None:
        return {}
    given = kwargs.get(_KWARGS_KEY)
    return {
        "class": named[0],
        "by": named[1],
        "kwargs": given if isinstance(given, Mapping) else {},
        "source": "data:policy_kwargs",
        RAW: kwargs[_CLASS_KEY],
    }


def without_code(kwargs: Mapping[object, object], found: Collected) -> dict[object, object]:
    """Return `kwargs` with a class by value replaced by its name; the loss is recorded."""
    made = dict(kwargs)
    for key, value in kwargs.items():
        named = class_of(value)
        if named is not None and named[1] == "value":
            made[key] = named[0]
            found.drop(f"data:policy_kwargs.{key}", "a class by value: its name is kept, its code is not")
    return made


def sidecar(opened: Open, found: Collected) -> dict[str, object]:
    """Return what the sidecars say; empty where there are none.

    Args:
        opened: Opens a file of the zip's directory.
        found: Gets the files, verdict and facts.

    Raises:
        UnreadableCheckpointError: One of them is broken.
    """
    said: dict[str, object] = {}
    pickled, listed = opened(DILL), opened(KWARGS)
    if pickled is not None:
        said |= _class_sidecar(pickled, found)
    if listed is not None:
        said["kwargs"] = _kwargs_sidecar(listed, found)
        said.setdefault("source", KWARGS)
        if pickled is None:
            found.note(
                "incomplete-sidecar", f"{KWARGS} stands without {DILL}: its class is not named", KWARGS
            )
    elif pickled is not None:
        said["kwargs"] = {}
    return said


def _class_sidecar(source: Source, found: Collected) -> dict[str, object]:
    if source.size > MAX_DILL_BYTES:
        raise LimitExceededError(f"{source.size} bytes, at most {MAX_DILL_BYTES} are read", where=source.name)
    own = Collected(files=[SourceFile(DILL, "sidecar", source)])
    value = read_pickle(source.read(0, source.size), DILL, source.name, own)
    named = class_of(value)
    found.absorb(own)
    if named is not None:
        return {"class": named[0], "by": named[1], "source": DILL, RAW: value}
    if own.verdict is not Verdict.UNSAFE:
        raise UnreadableCheckpointError("holds no class", where=source.name)
    return {"source": DILL}


def _kwargs_sidecar(source: Source, found: Collected) -> dict[str, object]:
    if source.size > MAX_KWARGS_BYTES:
        raise LimitExceededError(
            f"{source.size} bytes, at most {MAX_KWARGS_BYTES} are read", where=source.name
        )
    found.files.append(SourceFile(KWARGS, "sidecar", source))
    kwargs = ijson.parse(source.read(0, source.size), where=source.name)
    if not isinstance(kwargs, dict):
        raise UnreadableCheckpointError("the top level is no JSON object", where=source.name)
    return kwargs


def merged(inside: Mapping[str, object], beside: Mapping[str, object], found: Collected) -> dict[str, object]:
    """Return what zip and sidecars say together; the sidecars win, a contradiction is noted.

    What a class by value says it computes is read here, with the keyword arguments that hold.
    """
    for key, what in (("class", "class"), ("kwargs", "keyword arguments")):
        if key in inside and key in beside and inside[key] != beside[key]:
            found.note(
                "contradiction",
                f"the extractor's {what} are {_shown(beside[key])} in {beside['source']} and "
                f"{_shown(inside[key])} in policy_kwargs; the sidecar is taken",
                str(beside["source"]),
            )
    said = {**inside, **beside}
    raw = (beside if "class" in beside else inside).get(RAW)
    said.pop(RAW, None)
    if isinstance(raw, Instance) and said.get("by") == "value":
        kwargs = said.get("kwargs")
        from ckptkit.storage.bytecode.classes import read_class

        said["code"] = read_class(raw, kwargs if isinstance(kwargs, Mapping) else {})
    return said


def _shown(value: object) -> str:
    text = str(value)
    return text if len(text) <= 80 else text[:80] + "…"
