"""CK7xx: what is around a checkpoint: the file system, the repository, the source it was made from."""

from collections.abc import Iterator

from ckptkit.checks import Rule
from ckptkit.checks.hashing import source_sha256
from ckptkit.checks.view import shortened
from ckptkit.errors import CkptkitError
from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.finding import Finding, Severity
from ckptkit.model.verify import Verify

LARGE_BYTES = 50_000_000
"""Above this GitHub warns of a file in a plain git repository (documentation "About large files", 2026)."""


def check_origin(checkpoint: Checkpoint, _: Verify) -> Iterator[Finding]:
    """Report a source beside a bundle that is not the one that the bundle was made from.

    One that is older than the bundle and of the same size is taken for unchanged: to hash it would
    cost as much as all the bundle does.
    """
    around = checkpoint.surroundings
    for origin in around.origins if around is not None else ():
        if not origin.touched:
            continue
        try:
            found = source_sha256(origin.source)
        except CkptkitError:
            continue  # what cannot be read says nothing of the bundle
        if found != origin.sha256:
            message = (
                "has the name of the file that the bundle was made from, and other contents: "
                f"sha256 {shortened(found)}, the lineage records {shortened(origin.sha256)}"
            )
            yield Finding(
                "CK701", Severity.INFO, message, origin.path, fix="convert it again to take it over"
            )


def check_modes(checkpoint: Checkpoint) -> Iterator[Finding]:
    """Report files that anyone on the machine may change."""
    around = checkpoint.surroundings
    for file in around.files if around is not None else ():
        if file.world_writable:
            message = "may be changed by anyone on this machine"
            yield Finding("CK702", Severity.WARNING, message, file.path, fix="chmod o-w")


def check_lfs(checkpoint: Checkpoint) -> Iterator[Finding]:
    """Report large files of a git repository that it does not give to Git LFS."""
    around = checkpoint.surroundings
    for file in around.files if around is not None else ():
        if file.in_lfs is False and file.size > LARGE_BYTES:
            message = f"has {file.size:,} bytes, and .gitattributes does not give it to Git LFS"
            fix = f"git lfs track '*{_suffix(file.path)}', or leave it out of git"
            yield Finding("CK703", Severity.WARNING, message, file.path, fix=fix)


def _suffix(path: str) -> str:
    _, dot, suffix = path.rpartition(".")
    return f"{dot}{suffix}" if dot and "/" not in suffix else ""


def check_size(checkpoint: Checkpoint) -> Iterator[Finding]:
    """Report a checkpoint that is larger than its project allows."""
    around = checkpoint.surroundings
    if around is None or not around.max_bytes:
        return
    size = sum(file.size for file in around.files)
    if size > around.max_bytes:
        message = f"has {size:,} bytes in all; the settings allow {around.max_bytes:,}"
        yield Finding(
            "CK704", Severity.WARNING, message, checkpoint.path, fix="see max-bytes in the settings"
        )


RULES = (
    Rule(
        "CK701",
        "source-changed",
        Severity.INFO,
        2,
        "The file that a bundle was made from stands beside it and has changed since.",
        "A run that saves under one name again and again leaves bundles behind that are older than what "
        "stands beside them. Neither is broken, but they are not the same network any more. Its contents are "
        "compared where it is of another size or not older than the bundle.",
        "Convert the file again if the bundle is to follow it.",
        compare=check_origin,
    ),
    Rule(
        "CK702",
        "world-writable",
        Severity.WARNING,
        0,
        "Anyone on the machine may change a file of the checkpoint.",
        "What anyone may change, anyone may replace between this check and its use; digests in a manifest "
        "that is just as open can be replaced with it.",
        "Take the permission away (`chmod o-w FILE`), and look who could have used it.",
        check=check_modes,
    ),
    Rule(
        "CK703",
        "large-file-in-git",
        Severity.WARNING,
        0,
        "A file of more than 50 MB lies in a git repository that does not give it to Git LFS.",
        "Every clone keeps every version of it for ever, and GitHub refuses files of more than 100 MB. Once "
        "it is committed only a rewrite of the history takes it out.",
        "Track it with Git LFS or DVC before it is committed, or keep it out of the repository.",
        check=check_lfs,
    ),
    Rule(
        "CK704",
        "oversized",
        Severity.WARNING,
        0,
        "A checkpoint is larger than the project's settings allow.",
        "Replay buffers and optimizer states that came along by mistake make a checkpoint many times as "
        "large as its network.",
        "Leave out what is not needed, or raise `max-bytes` in the settings.",
        check=check_size,
    ),
)
