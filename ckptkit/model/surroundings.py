"""What is around a checkpoint's bytes: modes, the repository it lies in, the source it was made from."""

from dataclasses import dataclass

from ckptkit.model.source import Source


@dataclass(frozen=True, slots=True)
class FileFacts:
    """One file of a checkpoint as the system and its repository see it.

    Attributes:
        path: As findings name it.
        size: In bytes.
        world_writable: Whether anyone on the machine may change it.
        in_lfs: Whether the repository's attributes give it to Git LFS; None outside a git repository.
    """

    path: str
    size: int
    world_writable: bool
    in_lfs: bool | None


@dataclass(frozen=True, slots=True)
class Origin:
    """A file beside a bundle that has the name of one that the bundle was made from.

    Attributes:
        path: As findings name it.
        source: Its bytes.
        sha256: The digest that the bundle's lineage records, lowercase hex.
        touched: Whether it is of another size, or not older than the bundle, so that it may have changed.
    """

    path: str
    source: Source
    sha256: str
    touched: bool = True


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is around one checkpoint.

    Attributes:
        files: Its files.
        origins: Files beside it that it seems to be made from.
        max_bytes: Size that no checkpoint here may exceed; 0 for none.
    """

    files: tuple[FileFacts, ...] = ()
    origins: tuple[Origin, ...] = ()
    max_bytes: int = 0
