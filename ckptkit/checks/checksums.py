"""CK313: whether the bytes of a legacy container are those that its own checksums were made of."""

from collections.abc import Iterator

from ckptkit.checks import Rule
from ckptkit.errors import UnreadableCheckpointError
from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.finding import Finding, Severity
from ckptkit.model.verify import Verify
from ckptkit.storage.zip import ZipArchive, is_zip


def check_members(checkpoint: Checkpoint, _: Verify) -> Iterator[Finding]:
    """Compare every member of a legacy zip with its CRC; a bundle has digests instead."""
    if checkpoint.bundle is not None:
        return
    for file in checkpoint.files:
        if is_zip(file.source.read(0, min(4, file.source.size))):
            yield from _check_archive(checkpoint.path, ZipArchive.open(file.source))


def _check_archive(path: str, archive: ZipArchive) -> Iterator[Finding]:
    for name in archive.members:
        try:
            archive.check_crc(name)
        except UnreadableCheckpointError as error:
            yield Finding(
                "CK313", Severity.ERROR, error.what, path, name, "get the file again from its source"
            )


RULES = (
    Rule(
        "CK313",
        "member-checksum",
        Severity.ERROR,
        2,
        "The bytes of a zip member differ from the CRC that the archive records for it.",
        "A legacy file has no digests, but a zip archive has a CRC for each member. Weights that do not have "
        "theirs were damaged after they were saved, and load without a word in some tools.",
        "Get the file again from where it came from. What it holds now is not what was saved.",
        musts=("ZIP-003",),
        compare=check_members,
    ),
)
