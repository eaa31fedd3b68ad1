"""The errors that ckptkit raises: each says what is wrong, where, and what to do."""

from typing import ClassVar


class CkptkitError(Exception):
    """Base of all errors that leave ckptkit on purpose.

    Attributes:
        code: Rule code under which `validate` reports the error.
        exit_code: Exit status of the command line (1 findings, 2 usage or incomplete).
        what: What is wrong, one sentence without a full stop.
        where: File, member or byte offset; empty where the caller knows it.
        fix: What the user can do; empty where nothing is known to help.
    """

    code: ClassVar[str] = "CK100"
    exit_code: ClassVar[int] = 2

    def __init__(self, what: str, *, where: str = "", fix: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.fix = fix

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        hint = f" ({self.fix})" if self.fix else ""
        return f"{place}{self.what}{hint}"


class NotACheckpointError(CkptkitError):
    """The path is missing, empty, or holds nothing that any reader recognises."""

    code = "CK100"
    exit_code = 2


class UnreadableCheckpointError(CkptkitError):
    """A recognised format whose bytes break that format's rules."""

    code = "CK101"
    exit_code = 2


class InaccessibleError(CkptkitError):
    """The system does not let something be read: permissions, a failing disk, a lost connection.

    Nothing is known of its contents, so a check of it is incomplete.
    """

    code = "CK114"
    exit_code = 2


class LimitExceededError(UnreadableCheckpointError):
    """A size, count or depth in the file is over the documented bound."""

    code = "CK106"


class UnsafeCheckpointError(CkptkitError):
    """A pickle names or calls something that is not on the allow-list."""

    code = "CK102"
    exit_code = 1


class UnsupportedTensorError(CkptkitError):
    """A tensor that has no faithful form in a bundle (quantized, sparse, meta …)."""

    code = "CK104"
    exit_code = 1


class UnknownVersionError(CkptkitError):
    """A known format in a version that this ckptkit does not know."""

    code = "CK105"
    exit_code = 1


class PointerError(CkptkitError):
    """A Git LFS or DVC pointer stands where the checkpoint should be."""

    code = "CK110"
    exit_code = 2


class ManifestError(CkptkitError):
    """A bundle's manifest breaks the specification, so nothing can be built on it."""

    code = "CK201"
    exit_code = 1


class IntegrityError(CkptkitError):
    """Bytes differ from the digest that was recorded for them."""

    code = "CK301"
    exit_code = 1


class UnfinishedError(CkptkitError):
    """Files that belong together are being replaced, or a run that replaced them was killed."""

    code = "CK116"
    exit_code = 1


class ArchitectureError(CkptkitError):
    """An architecture graph that is not well formed, or that its tensors do not fit."""

    code = "CK401"
    exit_code = 1


class NotExportableError(CkptkitError):
    """The checkpoint has no faithful form in the format that was asked for."""

    exit_code = 1


class ParityError(CkptkitError):
    """An exported network does not give the outputs that it must give."""

    code = "CK502"
    exit_code = 1


class LevelError(CkptkitError):
    """The result would not reach the level that was required of it."""

    code = "CK108"
    exit_code = 1


class TargetExistsError(CkptkitError):
    """The output path exists and replacing it was not asked for."""


class WriteError(CkptkitError):
    """The output could not be written; nothing of it is left behind."""


class UsageError(CkptkitError):
    """The call itself cannot be carried out as it was made."""


class MissingExtraError(CkptkitError):
    """The operation needs an optional dependency that is not installed."""
