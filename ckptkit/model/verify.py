"""How much of a checkpoint is compared with the digests that are recorded of it."""

from enum import StrEnum


class Verify(StrEnum):
    """Which bytes are compared with the digests that are recorded of them.

    `ALL`: tensors and files; `TENSORS`: each tensor, and files only where tensors and a header that
    follows from the manifest are not all of their bytes; `FILES`: files, and tensors only in a torch
    dict, which lists no files; `HEADER`: none.
    """

    ALL = "all"
    TENSORS = "tensors"
    FILES = "files"
    HEADER = "header"
