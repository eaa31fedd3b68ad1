"""The deploy bundle: a directory with `ckpt.json`. Facts are recorded here and judged by checks."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from ckptkit.errors import CkptkitError
from ckptkit.model import ijson
from ckptkit.model.bundle import BundleFacts, HeaderEntry, MemberFacts
from ckptkit.model.checkpoint import Checkpoint, SourceFile
from ckptkit.model.described import described
from ckptkit.model.dict_v2 import digests_of, with_digest
from ckptkit.model.manifest import DIGEST_NAME, MODEL, NAME, TRAINING
from ckptkit.model.source import Source
from ckptkit.model.tensor import PIECE_BYTES, Tensor
from ckptkit.readers import Reader
from ckptkit.storage import pointer
from ckptkit.storage.folder import Found, files
from ckptkit.storage.manifest_json import examine_manifest
from ckptkit.storage.probe import Probe
from ckptkit.storage.safetensors_file import SafetensorsFile, open_safetensors
from ckptkit.storage.source import FileSource, MemorySource

ID = "deploy"
SUFFIX = ".safetensors"
_DIGEST_LINE = re.compile(rf"([0-9a-f]{{64}})  {re.escape(NAME)}\n")
_DIGEST_BYTES = 1024
_DEFAULT_FILES = {MODEL: "model.safetensors", TRAINING: "training.safetensors"}
"""Where tensors are looked for if a broken manifest does not say so."""

Row = Mapping[str, object]


def _recognises(probe: Probe) -> bool:
    if probe.is_directory:
        # A bundle that has lost its manifest is still one: its weights must not pass for a file of their own.
        return any((probe.path / name).is_file() for name in (NAME, DIGEST_NAME))
    # The name belongs to the format: a manifest means something only beside its bundle's files.
    return probe.path.name == NAME and (probe.head[:1] == b"{" or pointer.parse(probe.head) is not None)


def _read(probe: Probe) -> Checkpoint:
    """Read a bundle directory, or the one around the `ckpt.json` that was named.

    Raises:
        PointerError: The manifest is a Git LFS or DVC pointer.
        LimitExceededError: There are more files than a bundle can have.
    """
    folder = probe.path if probe.is_directory else probe.path.parent
    found = {one.path: one for one in files(folder)}
    manifest_source = _manifest_source(folder)
    data = manifest_source.read(0, min(manifest_source.size, ijson.MAX_BYTES + 1))
    manifest, problems = _parse(data, found) if NAME in found else (None, (f"{NAME} is missing",))
    recorded = _recorded(found.pop(DIGEST_NAME, None))
    found.pop(NAME, None)
    weights = dict(_weights(found, manifest or {}))
    model, training = _tensors(manifest or {}, weights)
    trees = described(manifest or {}, training.__getitem__)
    version = (manifest or {}).get("spec_version")
    return Checkpoint(
        path=str(folder),
        format=ID,
        format_version=version if isinstance(version, str) else None,
        container="directory",
        files=tuple(_source_files(manifest_source, found)),
        tensors=model,
        training_state=trees.training_state,
        model_config=trees.model_config,
        training_info=trees.training_info,
        spaces=trees.spaces,
        preprocessing=trees.preprocessing,
        postprocessing=trees.postprocessing,
        notes=trees.notes,
        bundle=BundleFacts(
            encoding=ID,
            manifest_name=NAME,
            manifest_bytes=data,
            manifest=manifest,
            parse_problems=problems,
            recorded_digest=recorded,
            actual_digest=_sha256(manifest_source),
            members={path: _member(one, weights.get(path)) for path, one in found.items()},
        ),
    )


def _parse(data: bytes, found: Mapping[str, Found]) -> tuple[dict[str, object] | None, tuple[str, ...]]:
    weights = (one.source for path, one in found.items() if path.endswith(SUFFIX) and one.source is not None)
    examined = examine_manifest(data, weights)
    if isinstance(examined.value, dict):
        return examined.value, examined.problems
    return None, examined.problems or ("the manifest is no JSON object",)


def _manifest_source(folder: Path) -> Source:
    if not (folder / NAME).is_file():
        return MemorySource(b"", str(folder / NAME))
    source = FileSource(folder / NAME)
    what = pointer.parse(source.read(0, min(source.size, pointer.MAX_POINTER_BYTES)))
    if what is not None:
        raise pointer.refuse(what, str(folder / NAME))
    return source


def _sha256(source: Source) -> str:
    state = hashlib.sha256()
    for at in range(0, source.size, PIECE_BYTES):
        state.update(source.read(at, min(PIECE_BYTES, source.size - at)))
    return state.hexdigest()


def _recorded(found: Found | None) -> str:
    """Return the digest in `ckpt.json.sha256`; the text itself where it is not of the one form."""
    if found is None:
        return ""
    if found.source is None:
        return found.problem
    text = found.source.read(0, min(found.source.size, _DIGEST_BYTES)).decode("utf-8", "replace")
    line = _DIGEST_LINE.fullmatch(text)
    return line.group(1) if line else f"unreadable: {text!r}"


def _rows(manifest: Row, field: str) -> Iterator[Row]:
    value = manifest.get(field)
    yield from (row for row in value if isinstance(row, dict)) if isinstance(value, list) else ()


def _weights(found: Mapping[str, Found], manifest: Row) -> Iterator[tuple[str, tuple[str, object]]]:
    """Yield each safetensors file with its role and its header, or the error that it gives."""
    stated = ((row.get("path"), row.get("role")) for row in _rows(manifest, "files"))
    roles = {path: role for path, role in stated if isinstance(path, str) and isinstance(role, str)}
    if not set(roles.values()) & set(_DEFAULT_FILES):
        roles = {path: role for role, path in _DEFAULT_FILES.items()}
    for path, one in found.items():
        role = roles.get(path)
        if role in _DEFAULT_FILES and one.source is not None:
            try:
                yield path, (role, open_safetensors(one.source))
            except CkptkitError as error:
                yield path, (role, error)


def _tensors(
    manifest: Row, weights: Mapping[str, tuple[str, object]]
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return model and training tensors, aliases included, each by name.

    An alias gets the very tensor of its owner, so that both are one view of one storage.
    """
    sums = digests_of(manifest)
    made: dict[str, dict[str, Tensor]] = {MODEL: {}, TRAINING: {}}
    for role, opened in weights.values():
        if isinstance(opened, SafetensorsFile):
            stored = made[role]
            stored |= {name: with_digest(t, sums.get(name, "")) for name, t in opened.tensors().items()}
    for row in _rows(manifest, "tensors"):
        name, owner = row.get("name"), row.get("alias_of")
        for stored in made.values():
            if isinstance(name, str) and isinstance(owner, str) and owner in stored:
                stored.setdefault(name, with_digest(stored[owner], sums.get(name, "")))
    return dict(sorted(made[MODEL].items())), dict(sorted(made[TRAINING].items()))


def _member(one: Found, weights: tuple[str, object] | None) -> MemberFacts:
    opened = weights[1] if weights else None
    if isinstance(opened, CkptkitError):
        return MemberFacts(one.path, one.source, opened.what)
    if not isinstance(opened, SafetensorsFile):
        return MemberFacts(one.path, one.source, one.problem, pointer=one.pointer, pointer_size=one.size)
    entries = {
        name: HeaderEntry(entry.dtype.name, entry.shape, entry.offset, entry.nbytes)
        for name, entry in opened.entries.items()
    }
    return MemberFacts(one.path, one.source, "", entries, opened.data_start)


def _source_files(manifest: Source, found: Mapping[str, Found]) -> Iterator[SourceFile]:
    yield SourceFile(NAME, "manifest", manifest)
    for path, one in found.items():
        if one.source is not None:
            yield SourceFile(path, "weights" if path.endswith(SUFFIX) else "metadata", one.source)


READER = Reader(ID, "a deploy bundle: a directory with ckpt.json and safetensors", _recognises, _read)
