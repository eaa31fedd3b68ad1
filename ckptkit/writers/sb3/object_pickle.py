"""Pickles of small objects, written from plain data: spaces, schedules, noise, references to classes.

Only what `MAKES` lists is ever made by such a pickle; other classes are named and no more. Protocol 4
without frames. Sources: numpy 2.4 and 1.26, `numpy/_core/multiarray.py`; Python 3.11, `pickletools`.
"""

import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass

from ckptkit.errors import CkptkitError, NotExportableError
from ckptkit.model.finding import Verdict
from ckptkit.model.inert import ClassRef, NdArray
from ckptkit.storage import pickles
from ckptkit.writers.plain_pickle import Pickler


@dataclass(frozen=True, slots=True, eq=False)
class Made:
    """An object that the reader of the pickle makes.

    Attributes:
        cls: Its class, or the function that gives it.
        args: Arguments.
        state: What it is given afterwards; None for nothing.
        items: What is appended to it.
        call: Whether `cls` is called; otherwise it is made by its `__new__`.
    """

    cls: ClassRef
    args: tuple[object, ...] = ()
    state: object = None
    items: tuple[object, ...] = ()
    call: bool = False


MAKES = re.compile(
    r"gymnasium\.spaces\.[a-z_]+:[A-Z]\w*"
    r"|stable_baselines3\.common\.utils:(Float|Constant|Linear)Schedule"
    r"|stable_baselines3\.common\.type_aliases:(TrainFreq|TrainFrequencyUnit)"
    r"|stable_baselines3\.common\.noise:\w+Noise"
    r"|stable_baselines3\.common\.vec_env\.vec_normalize:VecNormalize"
    r"|stable_baselines3\.common\.running_mean_std:RunningMeanStd"
    r"|collections:deque|numpy:dtype|numpy\._core\.multiarray:(_reconstruct|scalar)"
)
"""Names, as `module:name`, that a pickle may call or make an instance of."""

NAMES = re.compile(r"(stable_baselines3|sb3_contrib|torch\.nn|torch\.optim)(\.\w+)*:[A-Z]\w*|numpy:\w+")
"""Further names that a pickle may hold on its own, apart from a user's own classes."""


def array(value: NdArray) -> Made:
    """Return the array as numpy pickles it."""
    state = (1, value.shape, dtype(value.dtype), False, value.data)
    function = ClassRef("numpy._core.multiarray", "_reconstruct")
    return Made(function, (ClassRef("numpy", "ndarray"), (0,), b"b"), state, call=True)


def dtype(code: str) -> Made:
    """Return the dtype of a numpy type string, such as `<f4` or `|u1`."""
    state = (3, code[0], None, None, None, -1, -1, 0)
    return Made(ClassRef("numpy", "dtype"), (code[1:], False, True), state, call=True)


def scalar(code: str, data: bytes) -> Made:
    """Return a numpy scalar.

    Args:
        code: Its numpy type string.
        data: Its bytes, little-endian.
    """
    return Made(ClassRef("numpy._core.multiarray", "scalar"), (dtype(code), data), call=True)


def dumps(value: object) -> bytes:
    """Return the pickle of plain data, `bytes`, `NdArray`, `ClassRef` and `Made`, nested.

    Raises:
        TypeError: It holds something else, or would make an object that is not in `MAKES`.
    """
    pickler = _ObjectPickler()
    pickler.out += b"\x80\x04"
    pickler.save(value)
    pickler.out += b"."
    return bytes(pickler.out)


def checked(value: object, what: str) -> bytes:
    """Return the pickle, read back by our own machine, so that it never asks for more than data.

    The names in it are the source's, and a source may name anything.

    Args:
        value: As `dumps` takes it.
        what: What it is of, for messages.

    Raises:
        NotExportableError: It names or makes what no agent needs.
    """
    try:
        data = dumps(value)
        read = pickles.load(data, where=what)
    except (TypeError, UnicodeEncodeError, CkptkitError) as error:
        raise NotExportableError(f"{what} has no form in today's Stable-Baselines3: {error}") from error
    if read.verdict is not Verdict.DATA_ONLY:
        named = ", ".join(f"{use.module}.{use.name}" for use in read.globals if not use.allowed)
        raise NotExportableError(f"{what} names {named or 'code'}, which no agent needs")
    return data


class _ObjectPickler(Pickler):
    def other(self, value: object) -> None:
        match value:
            case bytes():
                self.out += b"B" + struct.pack("<I", len(value)) + value
            case ClassRef():
                self.named(value.module, value.name)
            case NdArray():
                self._make(array(value))
            case Made():
                self._make(value)
            case _:
                raise TypeError(f"{type(value).__name__} has no form in a pickle of SB3's data")

    def _make(self, made: Made) -> None:
        if not MAKES.fullmatch(f"{made.cls.module}:{made.cls.name}"):
            raise TypeError(f"{made.cls} is not made by any pickle of SB3's data")
        self.save(made.cls)
        self.save(made.args)
        self.out += b"R" if made.call else b"\x81"
        if made.state is not None:
            self.save(made.state)
            self.out += b"b"
        self.batch(list(made.items), b"e")


def references(value: object) -> tuple[ClassRef, ...]:
    """Return the classes that `value` names and does not make, each once, in order."""
    found: dict[ClassRef, None] = {}
    _collect(value, found)
    return tuple(found)


def _collect(value: object, found: dict[ClassRef, None]) -> None:
    match value:
        case ClassRef():
            found[value] = None
        case Mapping():
            for item in value.values():
                _collect(item, found)
        case list() | tuple():
            for item in value:
                _collect(item, found)
        case Made():
            _collect((value.args, value.state, value.items), found)
