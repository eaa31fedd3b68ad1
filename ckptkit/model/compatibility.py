"""What `compat` returns: how far a checkpoint fits, and every reason why no further."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Fit(StrEnum):
    """How far a checkpoint fits.

    `FULL`: nothing stands against it; `PARTIAL`: some of it can be used, or all of it after a change;
    `NONE`: nothing of it can be used as it is.
    """

    FULL = "full"
    PARTIAL = "partial"
    NONE = "none"


class Aspect(StrEnum):
    """What a reason is about."""

    FORMAT = "format"
    SPACES = "spaces"
    ARCHITECTURE = "architecture"
    TENSORS = "tensors"
    ACTIONS = "actions"
    VERSIONS = "versions"
    EXTRAS = "extras"


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that does not fit.

    Attributes:
        fit: How far the checkpoint fits if nothing else were wrong; `FULL` for what is only to be known.
        place: Space, field, tensor or package.
    """

    aspect: Aspect
    fit: Fit
    place: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Compatibility:
    """All that `compat` says.

    Attributes:
        against: What it was compared with.
        compared: Aspects that both sides say something of; nothing is said of the others.
        beside: Checkpoints that lie in the same folder; listed where something does not fit.
        ways: What can be done.
    """

    path: str
    against: str
    fit: Fit
    compared: tuple[Aspect, ...]
    reasons: tuple[Reason, ...] = ()
    beside: tuple[str, ...] = ()
    ways: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What one side says of itself; what it does not say is None or empty.

    Attributes:
        label: What messages call it.
        version: Version of its bundle format, or of its own.
        spaces: As `model.spaces` defines them.
        fields: Fields of the architecture, as JSON data.
        tensors: Type and shape by name.
        actions: Names of the actions, in order.
        versions: Versions of the libraries that made it, by package.
        complete: Whether `fields` are all there are.
    """

    label: str
    version: str = ""
    spaces: Mapping[str, object] = field(default_factory=dict)
    fields: Mapping[str, object] = field(default_factory=dict)
    tensors: Mapping[str, tuple[str, tuple[int, ...]]] = field(default_factory=dict)
    actions: tuple[str, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    complete: bool = True
