"""The trees and the manifest inside a versioned torch dict (`spec/torch-dict.md`)."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from ckptkit.model.tensor import Tensor
from ckptkit.model.tree import from_json

MAX_DEPTH = 100


def decode(value: object, depth: int = 0) -> object:
    """Return a tree of the dict with what it holds in tagged form brought back.

    torch's safe loader takes plain containers alone, so that a class reference, an array or a dict
    with a key that starts with `$` lies in the dict as `model.tree` encodes it.

    Raises:
        ValueError: A tag is unknown, its content is not of its form, or the tree is too deep.
    """
    if depth > MAX_DEPTH:
        raise ValueError(f"nested more than {MAX_DEPTH} deep")
    match value:
        case list():
            return [decode(item, depth + 1) for item in value]
        case tuple():
            return tuple(decode(item, depth + 1) for item in value)
        case dict():
            return _mapping(value, depth)
        case _:
            return value


def _mapping(value: dict[object, object], depth: int) -> object:
    tags = [key for key in value if isinstance(key, str) and key.startswith("$")]
    if not tags:
        return {key: decode(item, depth + 1) for key, item in value.items()}
    if len(value) != 1:
        raise ValueError(f"{tags[0]} must stand alone in its dict")
    content = value[tags[0]]
    if tags[0] != "$dict":
        return from_json(value)
    if not isinstance(content, list) or not all(
        isinstance(pair, list) and len(pair) == 2 for pair in content
    ):
        raise ValueError("$dict: a list of [key, value] is expected")
    return {_key(decode(key, depth + 1)): decode(item, depth + 1) for key, item in content}


def _key(key: object) -> object:
    try:
        hash(key)
    except TypeError as error:
        raise ValueError(f"$dict: {error}") from error
    return key


def manifest_of(value: object) -> tuple[dict[str, object] | None, tuple[str, ...]]:
    """Return the manifest that the dict embeds as JSON data, and what is wrong with its form.

    Args:
        value: What the dict has as `ckpt`, inert.
    """
    problems: list[str] = []
    result = _json(value, "", problems, 0)
    if not isinstance(result, dict):
        return None, ("the manifest is no dict",)
    return result, tuple(problems)


def _json(value: object, pointer: str, problems: list[str], depth: int) -> object:
    if depth > MAX_DEPTH:
        problems.append(f"{pointer}: nested more than {MAX_DEPTH} deep")
        return None
    match value:
        case None | bool() | int() | str():
            return value
        case float() if value - value == 0:
            return value
        case list():
            return [_json(item, f"{pointer}/{i}", problems, depth + 1) for i, item in enumerate(value)]
        case dict():
            odd = [key for key in value if not isinstance(key, str)]
            problems += [f"{pointer}: key {key!r} is no text" for key in odd[:1]]
            pairs = ((key, item) for key, item in value.items() if isinstance(key, str))
            return {key: _json(item, f"{pointer}/{key}", problems, depth + 1) for key, item in pairs}
        case _:
            problems.append(f"{pointer}: a {type(value).__name__} is no JSON value")
            return None


def digests_of(manifest: Mapping[str, object] | None) -> dict[str, str]:
    """Return the sha256 that a manifest records for each tensor, as far as it is well-formed."""
    rows = (manifest or {}).get("tensors")
    found: dict[str, str] = {}
    for row in rows if isinstance(rows, list) else ():
        name, digest = (row.get("name"), row.get("sha256")) if isinstance(row, dict) else (None, None)
        if isinstance(name, str) and isinstance(digest, str):
            found[name] = digest
    return found


def with_digest(tensor: Tensor, digest: str) -> Tensor:
    """Return the same view with the digest that is recorded for it."""
    return replace(tensor, sha256=digest) if digest else tensor


def stored_names() -> Callable[[Tensor, str], str]:
    """Return a function that names the tensors of one tree, in its order, as bundles do.

    The name is the dotted path; where two places have one path, `~2`, `~3` … tell them apart.
    """
    taken: set[str] = set()

    def name(_: Tensor, path: str) -> str:
        chosen, count = path, 1
        while chosen in taken:
            count += 1
            chosen = f"{path}~{count}"
        taken.add(chosen)
        return chosen

    return name


def map_tensors(tree: object, change: Callable[[Tensor, str], Tensor], path: str) -> object:
    """Return a tree with each tensor replaced by `change(tensor, path)`; a key's path is its dotted place."""
    match tree:
        case Tensor():
            return change(tree, path)
        case dict():
            return {key: map_tensors(item, change, f"{path}.{key}") for key, item in tree.items()}
        case list():
            return [map_tensors(item, change, f"{path}.{i}") for i, item in enumerate(tree)]
        case tuple():
            return tuple(map_tensors(item, change, f"{path}.{i}") for i, item in enumerate(tree))
        case _:
            return tree
