"""Compare a state dict with the shapes that a family requires, and keep the first thing that differs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from ckptkit.model.tensor import Tensor
from ckptkit.recovery.canonical import Canonical

CLOSE = 0.3
"""Least similarity (0 to 1) of a name that is called the nearest to a missing one."""
MOST_NAMES = 2000
"""Names that are compared with a missing one."""
MOST_SIZE = 1 << 24
"""Largest size of an axis that any family's networks have; a few bytes can claim a larger one."""


@dataclass(frozen=True, slots=True)
class Misfit:
    """Why a family does not claim a checkpoint.

    Attributes:
        nearest: The tensor at which the comparison ended, or that is most like the one missing;
            empty where nothing is.
        relation: The first relation that does not hold, one line.
    """

    nearest: str
    relation: str


class UnlikeError(Exception):
    """A state dict is not of the form that a family requires; never leaves `ckptkit.recovery`.

    Attributes:
        misfit: Where, and why.
        missing: Canonical name of the tensor that is not there; empty where one of another shape is.
    """

    def __init__(self, nearest: str, relation: str, missing: str = "") -> None:
        super().__init__(relation)
        self.misfit = Misfit(nearest, relation)
        self.missing = missing

    def explained(self, names: Canonical) -> Misfit:
        """Return the misfit with the name that is most like a missing one."""
        if not self.missing:
            return self.misfit
        known = list(names.source)[:MOST_NAMES]
        import difflib

        near = difflib.get_close_matches(self.missing, known, 1, CLOSE)
        return Misfit(names.source[near[0]] if near else "", self.misfit.relation)


def fits(read: Callable[[], object]) -> bool:
    """Whether a family's own reading of a checkpoint finds all that it requires.

    The words for what it lacks are not looked for: every family is asked about every checkpoint, and names
    like a missing one take longer to find than all of its relations.
    """
    try:
        read()
    except UnlikeError:
        return False
    return True


class Relations:
    """Shapes with sizes in common, checked one tensor after another.

    Attributes:
        names: The state dict.
        sizes: Sizes that the shapes so far have given their letters.
    """

    def __init__(self, names: Canonical) -> None:
        self.names = names
        self.sizes: dict[str, int] = {}
        self._used: set[str] = set()

    def has(self, name: str) -> bool:
        """Whether there is a tensor of that canonical name."""
        return name in self.names.tensors

    def below(self, path: str) -> bool:
        """Whether any tensor lies below the module `path`."""
        return any(name.startswith(f"{path}.") for name in self.names.tensors)

    def own(self, name: str) -> str:
        """Return the file's own name of a tensor."""
        return self.names.source[name]

    def tensor(self, name: str) -> Tensor:
        """Return a tensor that the family requires.

        Raises:
            UnlikeError: There is none of that name.
        """
        found = self.names.tensors.get(name)
        if found is None:
            raise UnlikeError("", f"there is no {name}", missing=name)
        self._used.add(name)
        return found

    def expect(self, name: str, *wanted: int | str) -> None:
        """Require a tensor, and sizes.

        Args:
            name: Canonical name.
            wanted: For each axis the size, or a word: the size that the same word stood for before,
                or any size (of one or more) where it comes first.

        Raises:
            UnlikeError: It is not there, or of another shape.
        """
        shape = self.tensor(name).shape
        sizes = dict(self.sizes)
        fits = len(shape) == len(wanted)
        for size, want in zip(shape, wanted, strict=False):
            fixed = want if isinstance(want, int) else sizes.setdefault(want, size)
            fits = fits and 0 < size <= MOST_SIZE and size == fixed
        if not fits:
            terms = ", ".join(f"{w} = {self.sizes[w]}" if w in self.sizes else str(w) for w in wanted)
            self.fail(name, f"{self.own(name)} is {list(shape)}, and not [{terms}]")
        self.sizes = sizes

    def layer(self, path: str, *wanted: int | str) -> None:
        """Require `path.weight` of that shape, and `path.bias` of its first size.

        Raises:
            UnlikeError: Either is not there, or of another shape.
        """
        self.expect(f"{path}.weight", *wanted)
        self.expect(f"{path}.bias", wanted[0])

    def batch_norm(self, path: str, size: int | str) -> None:
        """Require the four vectors of a BatchNorm; the count of batches may have been left out.

        Raises:
            UnlikeError: One is not there, or of another shape.
        """
        for name in ("weight", "bias", "running_mean", "running_var"):
            self.expect(f"{path}.{name}", size)
        self.optional(f"{path}.num_batches_tracked")

    def optional(self, name: str, *wanted: int | str) -> bool:
        """Check a tensor's shape if it is there, and return whether it is.

        Raises:
            UnlikeError: It is of another shape.
        """
        if self.has(name):
            self.expect(name, *wanted)
        return self.has(name)

    def fail(self, name: str, relation: str) -> NoReturn:
        """Say that a relation does not hold at the tensor `name`.

        Raises:
            UnlikeError: Always.
        """
        raise UnlikeError(self.own(name), relation)

    def unexplained(self) -> tuple[str, ...]:
        """Return the file's own names of all tensors that nothing has asked for."""
        return tuple(own for name, own in self.names.source.items() if name not in self._used)
