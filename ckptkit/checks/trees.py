"""CK210 to CK213: trees of the manifest against the tensors, and against the torch dict's own copy."""

from collections.abc import Iterator, Mapping

from ckptkit.checks import Rule
from ckptkit.checks.view import (
    TREES,
    at,
    bundle_of,
    manifest_of,
    manifest_place,
    tensor_entries,
    training_test,
)
from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.finding import Finding, Severity
from ckptkit.model.tensor import Storage, Tensor
from ckptkit.model.tree import from_json


def check_training_refs(checkpoint: Checkpoint) -> Iterator[Finding]:
    """Report references of the training state without a tensor, and training tensors without one."""
    entries = {entry.name: entry for entry in tensor_entries(checkpoint)}
    is_training = training_test(checkpoint)
    named = dict(references(manifest_of(checkpoint).get("training_state"), "/training_state"))
    for pointer, name in named.items():
        if name not in entries:
            message = f"training_state refers to tensor {name!r}, which is not listed"
            yield _finding(checkpoint, "CK210", pointer, message)
        elif not is_training(entries[name]):
            message = f"training_state refers to tensor {name!r}, which is not one of the training tensors"
            yield _finding(checkpoint, "CK210", pointer, message)
    used = set(named.values())
    for entry in entries.values():
        if is_training(entry) and entry.name not in used:
            message = f"training tensor {entry.name!r} is listed, and training_state does not refer to it"
            yield _finding(checkpoint, "CK210", entry.pointer, message)


def references(value: object, pointer: str = "") -> Iterator[tuple[str, str]]:
    """Yield (JSON pointer, tensor name) for each `$tensor` in an encoded tree."""
    stack = [(pointer, value)]
    while stack:
        place, item = stack.pop()
        if isinstance(item, Mapping):
            name = item.get("$tensor")
            if isinstance(name, str):
                yield place, name
            stack += [(f"{place}/{_escape(str(key))}", part) for key, part in item.items()]
        elif isinstance(item, list):
            stack += [(f"{place}/{index}", part) for index, part in enumerate(item)]


def check_embedded(checkpoint: Checkpoint) -> Iterator[Finding]:
    """Report a field that a torch dict holds twice, in two versions."""
    bundle = bundle_of(checkpoint)
    for field, value in sorted(bundle.embedded.items()) if bundle is not None else ():
        stated = manifest_of(checkpoint).get(field)
        # A field that is absent says the same as an empty one.
        if not same(stated or None, value or None):
            message = (
                f"{field} of the dict differs from {field} of its manifest{_first_difference(stated, value)}"
            )
            yield _finding(checkpoint, "CK211", f"/{field}", message)


def same(left: object, right: object) -> bool:
    """Whether two encoded trees are equal, where 1, 1.0 and true are three things."""
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    # repr also tells 0.0 from -0.0.
    return type(left) is type(right) and repr(left) == repr(right)


def _first_difference(left: object, right: object) -> str:
    if not isinstance(left, Mapping) or not isinstance(right, Mapping):
        return ""
    keys = sorted(str(key) for key in left.keys() | right.keys() if not same(left.get(key), right.get(key)))
    return f", first at {keys[0]!r}" if keys else ""


def check_decodes(checkpoint: Checkpoint) -> Iterator[Finding]:
    """Report trees whose tagged values do not stand for anything."""
    placeholder = _placeholder()
    for field in TREES:
        value = manifest_of(checkpoint).get(field)
        try:
            from_json(value, lambda _: placeholder)
        except (ValueError, RecursionError) as error:
            yield _finding(checkpoint, "CK213", f"/{field}", f"{field} does not decode: {error}")


def _placeholder() -> Tensor:
    from ckptkit.model.dtype import BY_NAME
    from ckptkit.storage.source import MemorySource

    return Tensor(BY_NAME["U8"], (0,), (1,), 0, Storage(MemorySource(b"", "placeholder")))


def _escape(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


def _finding(checkpoint: Checkpoint, code: str, pointer: str, message: str) -> Finding:
    return Finding(code, Severity.ERROR, message, manifest_place(checkpoint), at(checkpoint, pointer))


RULES = (
    Rule(
        "CK210",
        "training-tensors",
        Severity.ERROR,
        1,
        "The references of `training_state` and the training tensors are not the same set.",
        "The training state is a tree that names its tensors; they lie elsewhere. A name without a "
        "tensor cannot "
        "be restored, a tensor without a name would be lost on the next conversion.",
        "Write the bundle again from its source.",
        musts=("MAN-012",),
        check=check_training_refs,
    ),
    Rule(
        "CK211",
        "embedded-copy",
        Severity.ERROR,
        1,
        "A field that a v2 torch dict holds beside its manifest differs from the manifest's own.",
        "Programs that know nothing of manifests read `model_config` straight from the dict, ckptkit "
        "reads the "
        "manifest: with two versions they would build two networks.",
        "Write the file with ckptkit. Whoever edits the dict has to edit the manifest as well.",
        musts=("TOR-003",),
        check=check_embedded,
    ),
    Rule(
        "CK213",
        "tree-value",
        Severity.ERROR,
        1,
        "A tagged value (`$ndarray`, `$bytes`, `$dict` …) in a tree of the manifest does not decode.",
        "JSON lacks tuples, bytes, infinities and arrays, so these are objects with one `$` key of a "
        "fixed form. "
        "A value that breaks the form cannot be given back as what it was.",
        "Write the manifest with ckptkit, or correct the value as `spec/manifest.md` says under Trees.",
        musts=("MAN-010",),
        check=check_decodes,
    ),
)
