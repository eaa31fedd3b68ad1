"""CK307, CK308, CK310: where tensors lie, and whether the container says the same."""

from collections.abc import Iterator, Mapping

from ckptkit.checks import Rule
from ckptkit.checks.contents import held_tensors
from ckptkit.checks.names import path_problem
from ckptkit.checks.view import (
    DEPLOY,
    TRAINING_PREFIX,
    TensorEntry,
    at,
    bundle_of,
    file_entries,
    manifest_place,
    member_place,
    tensor_entries,
)
from ckptkit.model.bundle import BundleFacts, HeaderEntry
from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.dtype import BY_NAME
from ckptkit.model.finding import Finding, Severity

WEIGHT_ROLES = ("model", "training")
"""Roles of files whose headers list exactly the tensors of the manifest."""


def check_placement(checkpoint: Checkpoint) -> Iterator[Finding]:
    """Report tensors of an impossible size or place, and tensors that overlap."""
    bundle = bundle_of(checkpoint)
    if bundle is None:
        return
    files = {entry.path: entry.size for entry in file_entries(checkpoint)}
    placed: dict[str, list[tuple[int, int, TensorEntry]]] = {}
    for entry in tensor_entries(checkpoint):
        problem = _size_problem(entry) or _place_problem(entry, bundle, files)
        if problem:
            yield _on_manifest(checkpoint, "CK307", entry, problem)
        elif entry.offset is not None and entry.size and not entry.alias_of:
            placed.setdefault(entry.file, []).append((entry.offset, entry.size, entry))
    for spans in placed.values():
        yield from _overlaps(checkpoint, sorted(spans, key=lambda span: (span[0], span[1], span[2].index)))


def _size_problem(entry: TensorEntry) -> str:
    if entry.size is None or entry.nbytes in (None, entry.size):
        return ""
    return f"nbytes is {entry.nbytes:,}, {entry.dtype} of shape {list(entry.shape)} has {entry.size:,}"


def _place_problem(entry: TensorEntry, bundle: BundleFacts, files: dict[str, int]) -> str:
    if bundle.encoding != DEPLOY:
        return "the container places it; file and offset do not belong here" if entry.file else ""
    if not entry.file or entry.offset is None:
        return "has no file and offset"
    if entry.file not in files:
        return "" if path_problem(entry.file) else f"lies in {entry.file!r}, which files does not list"
    if entry.size is None:
        return ""
    if entry.offset + entry.size > files[entry.file]:
        return f"ends at byte {entry.offset + entry.size:,} of {entry.file}, which has {files[entry.file]:,}"
    itemsize = BY_NAME[entry.dtype].itemsize
    if entry.offset % itemsize:
        return f"offset {entry.offset:,} is no multiple of its item size {itemsize}"
    return ""


def _overlaps(checkpoint: Checkpoint, spans: list[tuple[int, int, TensorEntry]]) -> Iterator[Finding]:
    end, owner = 0, ""
    for offset, size, entry in spans:
        if offset < end:
            message = f"starts at byte {offset:,} of {entry.file}, inside {owner}, which ends at {end:,}"
            yield _on_manifest(checkpoint, "CK307", entry, message)
        if offset + size > end:
            end, owner = offset + size, entry.name


def check_roles(checkpoint: Checkpoint) -> Iterator[Finding]:
    """Report a directory without one file for the model, and tensors in the wrong file."""
    bundle = bundle_of(checkpoint)
    if bundle is None or bundle.encoding != DEPLOY:
        return
    counted = list(_role_problems(checkpoint))
    yield from counted
    roles = {} if counted else {file.path: file.role for file in file_entries(checkpoint)}
    for entry in tensor_entries(checkpoint):
        role = roles.get(entry.file, "model")
        if role not in WEIGHT_ROLES:
            problem = f"lies in {entry.file!r}, whose role is {role!r}"
        elif role == "training" and not entry.name.startswith(TRAINING_PREFIX):
            problem = f"lies among the training tensors; their names start with {TRAINING_PREFIX}"
        else:
            continue
        yield _on_manifest(checkpoint, "CK212", entry, problem)


def _role_problems(checkpoint: Checkpoint) -> Iterator[Finding]:
    place, pointer = manifest_place(checkpoint), at(checkpoint, "/files")
    for role, least in (("model", 1), ("training", 0)):
        count = sum(1 for file in file_entries(checkpoint) if file.role == role)
        if not least <= count <= 1:
            message = f"{count} files have the role {role!r}, {'exactly' if least else 'at most'} one may"
            yield Finding("CK212", Severity.ERROR, message, place, pointer)


def check_aliases(checkpoint: Checkpoint) -> Iterator[Finding]:
    """Report aliases of nothing, of an alias, or of a tensor that is not the same bytes."""
    if bundle_of(checkpoint) is None:
        return
    entries = tensor_entries(checkpoint)
    by_name = {entry.name: entry for entry in reversed(entries)}
    for entry in entries:
        if entry.alias_of:
            problem = _alias_problem(entry, by_name.get(entry.alias_of))
            if problem:
                yield _on_manifest(checkpoint, "CK308", entry, f"alias_of {entry.alias_of!r} {problem}")


def _alias_problem(entry: TensorEntry, owner: TensorEntry | None) -> str:
    if owner is None:
        return "is no tensor of this bundle"
    if owner is entry:
        return "is the tensor itself"
    if owner.alias_of:
        return f"is itself an alias, of {owner.alias_of!r}"
    fields = ("dtype", "shape", "nbytes", "sha256", "file", "offset")
    differing = [field for field in fields if getattr(entry, field) != getattr(owner, field)]
    return f"has another {', '.join(differing)}" if differing else ""


def check_headers(checkpoint: Checkpoint) -> Iterator[Finding]:
    """Compare what the container itself lists with what the manifest lists."""
    bundle = bundle_of(checkpoint)
    if bundle is None:
        return
    if bundle.encoding == DEPLOY:
        for file in file_entries(checkpoint):
            member = bundle.members.get(file.path)
            if member is not None and member.source is not None and file.role in WEIGHT_ROLES:
                yield from _compare_member(checkpoint, file.path, member.problem, member.entries)
    else:
        yield from _compare_dict(checkpoint)


def _compare_member(
    checkpoint: Checkpoint, path: str, problem: str, header: Mapping[str, HeaderEntry]
) -> Iterator[Finding]:
    place = member_place(checkpoint, path)
    if problem:
        yield Finding("CK310", Severity.ERROR, f"its header cannot be read: {problem}", place)
        return
    listed = {e.name: e for e in tensor_entries(checkpoint) if e.file == path}
    owners = {name for name, entry in listed.items() if not entry.alias_of}
    for name in sorted(header.keys() | owners):
        entry, found = listed.get(name), header.get(name)
        stored = (found.dtype, found.shape, found.offset, found.nbytes) if found else None
        stated = (entry.dtype, entry.shape, entry.offset, entry.size) if entry else None
        yield from _differences(name, stated, stored, place)


def _compare_dict(checkpoint: Checkpoint) -> Iterator[Finding]:
    listed, held = {e.name: e for e in tensor_entries(checkpoint)}, held_tensors(checkpoint)
    for name in sorted(held.keys() | listed.keys()):
        entry, tensor = listed.get(name), held.get(name)
        stored = (tensor.dtype.name, tensor.shape) if tensor else None
        stated = (entry.dtype, entry.shape) if entry else None
        yield from _differences(name, stated, stored, checkpoint.path)
        owner = held.get(entry.alias_of) if entry and entry.alias_of else None
        if tensor and owner and tensor.identity != owner.identity:
            message = f"tensor {name} is an alias in the manifest and has a storage of its own in the file"
            yield Finding("CK310", Severity.ERROR, message, checkpoint.path, name)


def _differences(
    name: str, stated: tuple[object, ...] | None, stored: tuple[object, ...] | None, place: str
) -> Iterator[Finding]:
    """Report a tensor that only one side has, or of which the two sides say different things."""
    words = ("dtype", "shape", "offset", "nbytes")
    if stated == stored:
        return
    if stated is None:
        message = f"tensor {name} is in the file, and the manifest does not list it"
    elif stored is None:
        message = f"tensor {name} is listed in the manifest, and the file does not hold it"
    else:
        both = zip(words, stated, stored, strict=False)
        parts = [
            f"{word} {_show(there)} (manifest: {_show(here)})" for word, here, there in both if here != there
        ]
        message = f"tensor {name} has {', '.join(parts)}"
    yield Finding("CK310", Severity.ERROR, message, place, name)


def _show(value: object) -> str:
    return str(list(value)) if isinstance(value, tuple) else str(value)


def _on_manifest(checkpoint: Checkpoint, code: str, entry: TensorEntry, problem: str) -> Finding:
    place, pointer = manifest_place(checkpoint), at(checkpoint, entry.pointer)
    return Finding(code, Severity.ERROR, f"tensor {entry.name}: {problem}", place, pointer)


RULES = (
    Rule(
        "CK212",
        "file-roles",
        Severity.ERROR,
        1,
        "A directory has no single file for the model's tensors, or a tensor lies in a file of another role.",
        "The role tells a reader which file to map for inference and which one only matters for "
        "training on. It "
        "also decides which tensors the content digest covers.",
        "Write the bundle again from its source.",
        musts=("DEP-001",),
        check=check_roles,
    ),
    Rule(
        "CK307",
        "tensor-placement",
        Severity.ERROR,
        1,
        "A tensor's length or place is impossible: wrong size, outside its file, unaligned, or over another.",
        "A reader that maps the file at the stated offset would get other bytes than the tensor's. "
        "Tensors that "
        "overlap without being declared aliases change together when one is written.",
        "Write the bundle again from its source.",
        musts=(
            "INT-006",
            "INT-007",
            "MAN-006",
            "TOR-004",
        ),
        check=check_placement,
    ),
    Rule(
        "CK308",
        "alias",
        Severity.ERROR,
        1,
        "An alias names no tensor, another alias, or a tensor that is not the same bytes.",
        "Tied weights are stored once, and the other names point to the owner. A chain or a mismatch "
        "leaves it "
        "open which bytes the name stands for.",
        "Write the bundle again from its source.",
        musts=("INT-009",),
        check=check_aliases,
    ),
    Rule(
        "CK310",
        "header-disagrees",
        Severity.ERROR,
        1,
        "The container lists other tensors, types, shapes or places than the manifest.",
        "Programs that know nothing of manifests read the safetensors header or the torch dict; ckptkit "
        "reads the "
        "manifest. Both have to give the same tensors.",
        "Restore the file from its source, or convert again.",
        musts=(
            "DEP-002",
            "DEP-003",
            "DEP-004",
            "INT-008",
            "TOR-002",
            "TOR-006",
        ),
        check=check_headers,
    ),
)
