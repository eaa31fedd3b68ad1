"""What `repair` returns: mends that are proven, and what is left because nothing proves it."""

from dataclasses import dataclass
from enum import StrEnum

from ckptkit.model.results import Validation


class Fault(StrEnum):
    """What is wrong with a file, as far as it can be mended.

    `ZIP_DIRECTORY`: the central directory of a zip is lost; `POINTER`: a Git LFS pointer stands for
    content; `MANIFEST`: entries of a manifest differ from the files; `COMPILED_NAMES`: tensor names hold
    what torch.compile puts there.
    """

    ZIP_DIRECTORY = "zip-directory"
    POINTER = "lfs-pointer"
    MANIFEST = "manifest-entries"
    COMPILED_NAMES = "compiled-names"


@dataclass(frozen=True, slots=True)
class Mend:
    """One change of one file, and what proves that it is right.

    Attributes:
        fault: What is wrong.
        path: The file.
        change: What is written in its place.
        proof: Why that is what the file held, or must hold.
        backup: Where the file as it was is kept; empty where nothing was written.
    """

    fault: Fault
    path: str
    change: str
    proof: str
    backup: str = ""


@dataclass(frozen=True, slots=True)
class Left:
    """A fault that stays.

    Attributes:
        fault: What is wrong.
        path: The file.
        why: What is missing for a proof.
        fix: What the user can do; may be empty.
    """

    fault: Fault
    path: str
    why: str
    fix: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repaired:
    """What `repair` did or, without `written`, would do.

    Attributes:
        path: As the user named it.
        written: Whether files were changed.
        mends: In the order in which they are made.
        left: What cannot be proven.
        validation: What `validate` says of the path now.
    """

    path: str
    written: bool
    mends: tuple[Mend, ...]
    left: tuple[Left, ...]
    validation: Validation

    @property
    def pending(self) -> bool:
        """Whether there is something to mend that was not written."""
        return bool(self.mends) and not self.written
