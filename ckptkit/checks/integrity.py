"""CK301, CK302, CK305, CK309: whether every byte is the one that was recorded."""

from collections.abc import Iterable, Iterator, Mapping

from ckptkit.checks import Rule
from ckptkit.checks.contents import Hashed, sums
from ckptkit.checks.hashing import Sum
from ckptkit.checks.view import (
    DEPLOY,
    at,
    bundle_of,
    file_entries,
    manifest_of,
    manifest_place,
    member_place,
    restore_hint,
    shortened,
    tensor_entries,
    training_test,
)
from ckptkit.digest import Leaf, content_digest
from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.finding import Finding, Severity
from ckptkit.model.verify import Verify


def check_bytes(checkpoint: Checkpoint, verify: Verify) -> Iterator[Finding]:
    """Report each tensor (CK301) and each file (CK302) whose bytes differ from their digest.

    Both are found in one pass: threads read the same pages at about the same time. Where a tensor of
    a file differs too, `settle` keeps the tensor's finding alone.
    """
    found = sums(checkpoint, verify)
    yield from _tensors(checkpoint, found.tensors)
    yield from _files(checkpoint, found.files)


def _tensors(checkpoint: Checkpoint, tensors: Iterable[Hashed]) -> Iterator[Finding]:
    """Report damaged tensors; an alias goes with its owner."""
    damaged = {f.entry.name: f for f in tensors if f.sha256 != f.entry.sha256}
    sharing: dict[str, list[str]] = {}
    for name, found in damaged.items():
        owner = damaged.get(found.entry.alias_of)
        if owner and owner.entry.sha256 == found.entry.sha256 and owner.sha256 == found.sha256:
            sharing.setdefault(found.entry.alias_of, []).append(name)
    told = {alias for aliases in sharing.values() for alias in aliases}
    for name, found in damaged.items():
        if name not in told:
            place = member_place(checkpoint, found.entry.file)
            message = _damage(found, sharing.get(name, []))
            yield Finding("CK301", Severity.ERROR, message, place, name, restore_hint(checkpoint))


def _damage(found: Hashed, aliases: list[str]) -> str:
    shared = f" (and its alias {', '.join(aliases)})" if aliases else ""
    if found.problem:
        return f"tensor {found.entry.name}{shared} cannot be read: {found.problem}"
    expected, got = shortened(found.entry.sha256), shortened(found.sha256)
    return f"tensor {found.entry.name}{shared} differs from its digest: expected {expected}, got {got}"


def _files(checkpoint: Checkpoint, files: Mapping[str, Sum]) -> Iterator[Finding]:
    for entry in file_entries(checkpoint):
        found = files.get(entry.path)
        if found is None or found.sha256 == entry.sha256:
            continue
        expected, got = shortened(entry.sha256), shortened(found.sha256)
        message = f"differs from its digest: expected {expected}, got {got}"
        if found.problem:
            message = f"cannot be read: {found.problem}"
        place = member_place(checkpoint, entry.path)
        yield Finding("CK302", Severity.ERROR, message, place, fix=restore_hint(checkpoint))


def check_content(checkpoint: Checkpoint) -> Iterator[Finding]:
    """Recompute the content digest from the recorded digests of the model's tensors."""
    recorded = manifest_of(checkpoint).get("content_digest")
    if bundle_of(checkpoint) is None or not isinstance(recorded, str):
        return
    is_training = training_test(checkpoint)
    leaves = [
        Leaf(entry.name, entry.dtype, entry.shape, entry.sha256)
        for entry in tensor_entries(checkpoint)
        if not is_training(entry)
    ]
    try:
        actual = content_digest(leaves)
    except UnicodeEncodeError:
        return  # CK207 has said which name is not Unicode.
    if actual != recorded:
        message = (
            f"content_digest is {shortened(recorded)}, the tensors listed give {shortened(actual)}: "
            "a name, type, shape or digest in the list was changed"
        )
        place, pointer = manifest_place(checkpoint), at(checkpoint, "/content_digest")
        yield Finding("CK305", Severity.ERROR, message, place, pointer, restore_hint(checkpoint))


def check_manifest_digest(checkpoint: Checkpoint) -> Iterator[Finding]:
    """Compare the manifest's bytes with the digest that is kept beside them."""
    bundle = checkpoint.bundle
    if bundle is None or not bundle.manifest_name or bundle.recorded_digest == bundle.actual_digest:
        return
    digest_file = "ckpt.json.sha256" if bundle.encoding == DEPLOY else "the member ckpt.sha256"
    covered = "the manifest" if bundle.encoding == DEPLOY else "data.pkl, which holds the manifest,"
    if bundle.recorded_digest:
        message = (
            f"{covered} differs from its digest in {digest_file}: "
            f"expected {shortened(bundle.recorded_digest)}, got {shortened(bundle.actual_digest)}"
        )
    else:
        message = f"{digest_file} is missing, so nothing vouches for {covered.rstrip(',')}"
    location = "" if bundle.encoding == DEPLOY else "data.pkl"
    fix = restore_hint(checkpoint)
    yield Finding("CK309", Severity.ERROR, message, manifest_place(checkpoint), location, fix)


RULES = (
    Rule(
        "CK301",
        "tensor-digest",
        Severity.ERROR,
        2,
        "The bytes of a tensor differ from the digest that the manifest records for it.",
        "At least one bit of the weights is not what was converted: a damaged disk or transfer, an "
        "edit, or a "
        "file from another run. The network may still load and be quietly wrong.",
        "Restore the file from its source; the message gives name and digest of the file that the bundle "
        "was made from. If the change was meant, write a new bundle.",
        musts=("INT-005",),
        compare=check_bytes,
    ),
    Rule(
        "CK302",
        "file-digest",
        Severity.ERROR,
        2,
        "The bytes of a file differ from the digest that the manifest records for it.",
        "Every tensor listed may still be intact: the change can lie in a header, in padding, or in a part "
        "that no tensor covers. Where a tensor (CK301) or the header (CK310) accounts for it, that is "
        "reported instead.",
        "Restore the file from its source, or convert again.",
        musts=("INT-003",),
    ),
    Rule(
        "CK305",
        "content-digest",
        Severity.ERROR,
        2,
        "`content_digest` is not the one that the listed tensors give.",
        "The content digest names the weights whatever file they are in: two bundles with the same one hold "
        "the same tensors. It is computed from names, types, shapes and tensor digests, so one of these "
        "was changed without the others.",
        "Restore the manifest from its source, or convert again.",
        musts=("INT-010",),
        check=check_content,
    ),
    Rule(
        "CK309",
        "manifest-digest",
        Severity.ERROR,
        2,
        "The manifest differs from the digest kept beside it, or that digest is missing.",
        "All other digests stand in the manifest. Its own is in `ckpt.json.sha256` (in a torch dict: "
        "the member "
        "`ckpt.sha256`), so that a change to a name, a shape or the training info is noticed as well.",
        "Restore both files from their source. After an edit that was meant: `sha256sum ckpt.json > "
        "ckpt.json.sha256`.",
        musts=("INT-011",),
        check=check_manifest_digest,
    ),
)
