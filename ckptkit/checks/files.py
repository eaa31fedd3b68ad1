"""CK303, CK304, CK306, CK312: the files of a directory against the files that the manifest lists."""

from collections.abc import Iterator

from ckptkit.checks import Rule
from ckptkit.checks.names import path_problem
from ckptkit.checks.view import (
    DEPLOY,
    FileEntry,
    bundle_of,
    file_entries,
    member_place,
    restore_hint,
    shortened,
)
from ckptkit.errors import UnreadableCheckpointError
from ckptkit.model.bundle import MemberFacts
from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.finding import Finding, Severity
from ckptkit.model.source import Source

HEAD_BYTES = 16


def check_missing(checkpoint: Checkpoint) -> Iterator[Finding]:
    """Report listed files that cannot be used (CK303), or whose content is elsewhere (CK110)."""
    bundle = bundle_of(checkpoint)
    seen = set()
    for entry in file_entries(checkpoint) if bundle is not None else ():
        member = bundle.members.get(entry.path) if bundle is not None else None
        if (member is not None and member.source is not None) or path_problem(entry.path):
            continue
        if entry.path not in seen:
            code, message = _why_missing(entry, member)
            fix = "git lfs pull, or dvc pull" if code == "CK110" else restore_hint(checkpoint)
            yield Finding(code, Severity.ERROR, message, member_place(checkpoint, entry.path), fix=fix)
            seen.add(entry.path)


def _why_missing(entry: FileEntry, member: MemberFacts | None) -> tuple[str, str]:
    """Return the rule and the message for a listed file without usable bytes."""
    if member is None or not member.problem:
        return "CK303", "is listed and missing"
    if member.pointer is None:
        return "CK303", f"is listed and cannot be used: {member.problem}"
    if member.pointer_size not in (None, entry.size):
        sizes = f"{member.pointer_size:,} bytes, {entry.size:,} are recorded"
        return "CK303", f"a pointer to other content stands here: {sizes}"
    if member.pointer == entry.sha256:
        return "CK110", "a pointer stands here, its oid is the recorded digest; the content is not present"
    if not member.pointer:
        return "CK110", f"{member.problem}; the content is not present"
    oid, recorded = shortened(member.pointer), shortened(entry.sha256)
    return "CK303", f"a pointer to other content stands here: oid {oid}, {recorded} is recorded"


def check_sizes(checkpoint: Checkpoint) -> Iterator[Finding]:
    """Report listed files of another size."""
    bundle = bundle_of(checkpoint)
    for entry in file_entries(checkpoint) if bundle is not None else ():
        member = bundle.members.get(entry.path) if bundle is not None else None
        if member is not None and member.source is not None and member.source.size != entry.size:
            found = member.source.size
            how = "truncated" if found < entry.size else "longer than it was"
            message = f"has {found:,} bytes, {entry.size:,} are recorded: {how}"
            place, fix = member_place(checkpoint, entry.path), restore_hint(checkpoint)
            yield Finding("CK304", Severity.ERROR, message, place, fix=fix)


def check_unlisted(checkpoint: Checkpoint) -> Iterator[Finding]:
    """Report files that no entry lists and that nothing would load."""
    for path, kind in _unlisted(checkpoint):
        if not kind:
            message = "is in the bundle's directory, and the manifest does not list it"
            yield Finding("CK306", Severity.WARNING, message, member_place(checkpoint, path))


def check_unlisted_models(checkpoint: Checkpoint) -> Iterator[Finding]:
    """Report files that no entry lists and that a program might load as a model."""
    for path, kind in _unlisted(checkpoint):
        if kind:
            message = f"looks like {kind}, and the manifest does not list it, so no digest covers it"
            fix = "delete it, or convert again to have it listed"
            yield Finding("CK312", Severity.ERROR, message, member_place(checkpoint, path), fix=fix)


def loadable(head: bytes) -> str:
    """Say what kind of model file starts with `head`; empty where none that is known."""
    kinds = (
        (head.startswith(b"PK"), "a zip archive"),
        (len(head) > 2 and head[0] == 0x80 and 2 <= head[1] <= 5, "a pickle"),
        (len(head) > 8 and head[8:9] == b"{" and head[4:8] == bytes(4), "a safetensors file"),
        (head[:1] == b"\x08" and head[2:3] in (b"\x12", b"\x3a", b"\x42"), "an ONNX graph"),
        (head.startswith(b"\x89HDF"), "an HDF5 file"),
        (head.startswith(b"GGUF"), "a GGUF file"),
    )
    return next((name for matches, name in kinds if matches), "")


def _unlisted(checkpoint: Checkpoint) -> Iterator[tuple[str, str]]:
    bundle = bundle_of(checkpoint)
    if bundle is None or bundle.encoding != DEPLOY:
        return
    listed = {entry.path for entry in file_entries(checkpoint)}
    for path, member in sorted(bundle.members.items()):
        if path not in listed:
            yield path, loadable(_head(member.source))


def _head(source: Source | None) -> bytes:
    if source is None:
        return b""
    try:
        return source.read(0, min(HEAD_BYTES, source.size))
    except UnreadableCheckpointError:
        return b""


RULES = (
    Rule(
        "CK303",
        "missing-file",
        Severity.ERROR,
        1,
        "A file that the manifest lists is missing, or is a link or something else that is not a plain file.",
        "Its tensors cannot be read, so the bundle is not whole. Links are not followed: what they "
        "point to is "
        "not part of the bundle and can change without it.",
        "Fetch the file (`git lfs pull`, `dvc pull`, or another copy of the bundle), or convert again.",
        musts=("INT-001",),
        check=check_missing,
    ),
    Rule(
        "CK304",
        "file-size",
        Severity.ERROR,
        1,
        "A file has another size than the manifest records.",
        "A shorter file is a broken download or an interrupted save; a longer one carries bytes that nobody "
        "vouches for. The size is compared before any digest, which costs nothing.",
        "Fetch the file again, or convert again.",
        musts=("INT-002",),
        check=check_sizes,
    ),
    Rule(
        "CK306",
        "unlisted-file",
        Severity.WARNING,
        2,
        "The bundle's directory holds a file that the manifest does not list.",
        "No digest covers it. A README or a licence does no harm, so this is a warning; readers ignore "
        "the file.",
        "Move it away, or leave it and ignore the rule: `--ignore CK306`.",
        check=check_unlisted,
    ),
    Rule(
        "CK312",
        "unlisted-model",
        Severity.ERROR,
        2,
        "The bundle's directory holds an unlisted file that a program might load as a model.",
        "A pickle, zip, safetensors or ONNX file next to verified weights is easily taken for one of "
        "them, and "
        "nothing has checked it. It is recognised by its first bytes.",
        "Delete it, or move it out of the bundle. A file that belongs to the bundle is listed by "
        "converting again.",
        musts=(
            "BUN-003",
            "INT-004",
        ),
        check=check_unlisted_models,
    ),
)
