"""Publish checkpoints into a registry: a folder of bundles with digests, and an index of them."""

import hashlib
import math
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from ckptkit import schema
from ckptkit.api.converting import convert
from ckptkit.api.reading import PathLike, read
from ckptkit.errors import (
    CkptkitError,
    IntegrityError,
    NotACheckpointError,
    UnreadableCheckpointError,
    UsageError,
)
from ckptkit.model.canonical import canonical
from ckptkit.model.metrics import metrics
from ckptkit.model.results import Receipt
from ckptkit.model.runs import Artifact, Integrity, Skipped
from ckptkit.model.systems import step, system
from ckptkit.storage import artifact_index
from ckptkit.storage.atomic import outcome
from ckptkit.storage.locks import exclusive
from ckptkit.storage.removing import discard
from ckptkit.storage.source import FileSource
from ckptkit.storage.swap import made_folders
from ckptkit.training.latest import why_invalid

WORD = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._-]{0,99}", re.ASCII)
VERSION = re.compile(r"v([1-9][0-9]{0,8})", re.ASCII)
LATEST = "latest"
MANIFEST = "ckpt.json"


def publish(  # noqa: PLR0913 - one parameter an option of the command
    source: PathLike,
    registry: PathLike,
    name: str,
    *,
    aliases: Sequence[str] = (),
    metadata: Mapping[str, object] | None = None,
    require_level: int = 2,
    input_shape: tuple[int, ...] | None = None,
    assume: Sequence[str] = (),
) -> Artifact:
    """Publish a new version of an artifact: `REGISTRY/NAME/vN`, a deploy bundle, and its entry in the index.

    The same content again is no new version; its aliases are added to what is there. A run that dies
    leaves the index as it was.

    Args:
        source: Any checkpoint.
        registry: A folder; made where there is none.
        name: Letters, digits, `.`, `_` and `-`.
        aliases: Words for this version; another version of the name loses them. `latest` is always one.
        metadata: JSON data to keep in the index, beside system, step and metrics of the checkpoint.
        require_level: Refuse what does not reach it.
        input_shape: As `convert` takes it.
        assume: As `convert` takes it.

    Raises:
        UsageError: A name or an alias is none; or the metadata is no JSON data.
        CkptkitError: As `convert`; or the index is not readable.
    """
    words = (*dict.fromkeys((*aliases, LATEST)),)
    _refuse_words((name, *words))
    said = _facts(source, metadata or {})
    root = Path(registry)
    with outcome(root), made_folders(root / name), exclusive(root):
        known = list(artifacts(root))
        versions = [one.version for one in known if one.name == name]
        version = max(versions, default=0) + 1
        path = f"{name}/v{version}"
        receipt = convert(
            source,
            "deploy",
            root / path,
            force=True,  # what is not in the index is left from a run that died
            require_level=require_level,
            input_shape=input_shape,
            assume=assume,
        )
        with _gone_unless_listed(root, path):
            made = _artifact(name, version, path, receipt, root, said)
            same = next((one for one in known if _is_same(one, made)), None)
            named = same or made
            named = replace(named, aliases=tuple(dict.fromkeys((*named.aliases, *words))))
            others = [_without(one, words if one.name == name else ()) for one in known if one is not same]
            artifact_index.save(root, [*others, named])
    return replace(named, new=same is None)


@contextmanager
def _gone_unless_listed(root: Path, path: str) -> Iterator[None]:
    """Remove a bundle again that the index does not list when the block ends, with or without an error."""

    def remove() -> None:
        if path not in {one.path for one in artifacts(root)}:
            discard(root / path)

    try:
        yield
    except BaseException:
        with suppress(CkptkitError):  # else the next version takes its place
            remove()
        raise
    remove()


def artifacts(registry: PathLike) -> tuple[Artifact, ...]:
    """Return all that an index lists, by name and version; nothing where there is no index.

    Raises:
        UnreadableCheckpointError: The index does not follow its schema.
    """
    root = Path(registry)
    document = artifact_index.load(root)
    if document is None:
        return ()
    problems = schema.validate(artifact_index.NAME, document)
    if problems or not isinstance(document, dict):
        first = problems[0]
        raise UnreadableCheckpointError(
            f"is no index: {first.message}", where=f"{root / artifact_index.FILE}:{first.pointer}"
        )
    fields = Artifact.__dataclass_fields__
    rows = ({key: value for key, value in row.items() if key in fields} for row in document["artifacts"])
    return tuple(Artifact(**{**row, "aliases": tuple(row["aliases"]), "new": False}) for row in rows)


def resolve(registry: PathLike, name: str, version: str = LATEST) -> Path:
    """Return the bundle of an artifact by alias or `vN`, if it still is the one that was published.

    Raises:
        UsageError: There is no such artifact.
        IntegrityError: Its bytes are not those that were published.
    """
    root = Path(registry)
    known = [one for one in artifacts(root) if one.name == name]
    for one in known:
        if version in one.aliases or version == f"v{one.version}":
            problem = _problem(root, one)
            if problem:
                raise IntegrityError(problem, where=str(root / one.path))
            return root / one.path
    words = [word for one in known for word in (f"v{one.version}", *one.aliases)]
    names = sorted({one.name for one in artifacts(root)})
    fix = f"versions: {', '.join(words)}" if known else f"names: {', '.join(names) or 'none'}"
    raise UsageError(f"no artifact {name}:{version}", where=str(root), fix=fix)


def verify(registry: PathLike) -> Integrity:
    """Compare every published bundle with the index and with its own digests.

    Raises:
        NotACheckpointError: There is no index.
        UnreadableCheckpointError: The index does not follow its schema.
    """
    root = Path(registry)
    known = artifacts(root)
    if not known:
        raise NotACheckpointError("no index of published checkpoints", where=str(root))
    problems = ((one, _problem(root, one)) for one in known)
    wrong = tuple(Skipped(root / one.path, problem) for one, problem in problems if problem)
    return Integrity(os.fspath(registry), len(known), wrong)


def _problem(root: Path, one: Artifact) -> str:
    manifest = root / one.path / MANIFEST
    if not manifest.is_file():
        return "is missing"
    if _digest(manifest) != one.manifest_sha256:
        return "its manifest is not the one that was published"
    return why_invalid(root / one.path, 2)


def _digest(path: Path) -> str:
    source = FileSource(path)
    return hashlib.sha256(source.read(0, source.size)).hexdigest()


def _refuse_words(words: Sequence[str]) -> None:
    for word in words:
        if not WORD.fullmatch(word):
            raise UsageError(f"{word!r} is no name", fix="up to 100 letters, digits, '.', '_' and '-'")
    if words[0] == artifact_index.FILE:
        raise UsageError("the index has that name", fix="choose another name")
    for word in words[1:]:
        if VERSION.fullmatch(word):
            raise UsageError(f"the alias {word!r} reads as a version", fix="choose another word")


def _facts(source: PathLike, metadata: Mapping[str, object]) -> dict[str, object]:
    """Return what the index says of a checkpoint beside its digests."""
    checkpoint = read(source)
    count, _ = step(checkpoint, Path(source).name)
    numbers = {key: value for key, value in metrics(checkpoint.training_info).items() if math.isfinite(value)}
    said = {"system": system(checkpoint), "step": count, "metrics": numbers, **metadata}
    try:
        canonical(said)
    except (TypeError, ValueError) as error:
        raise UsageError(f"the metadata is no JSON data: {error}") from error
    return said


def _artifact(
    name: str, version: int, path: str, receipt: Receipt, root: Path, said: Mapping[str, object]
) -> Artifact:
    return Artifact(
        name=name,
        version=version,
        path=path,
        content_digest=receipt.written.content_digest if receipt.written else "",
        manifest_sha256=_digest(root / path / MANIFEST),
        level=receipt.level,
        metadata=said,
    )


def _is_same(one: Artifact, other: Artifact) -> bool:
    return (one.name, one.manifest_sha256) == (other.name, other.manifest_sha256)


def _without(one: Artifact, words: Sequence[str]) -> Artifact:
    return replace(one, aliases=tuple(word for word in one.aliases if word not in words))
