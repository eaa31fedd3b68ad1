"""The `data` member: JSON whose values are plain, or base64 pickles that are read and never run.

SB3 writes what JSON can hold as it is and each other attribute as an object with `:type:`,
`:serialized:` (base64 of a cloudpickle) and a preview of its own attributes. The preview is lossy,
so only the pickle counts. Python's `json` also writes NaN and Infinity literals, which SB3 reads; they
are taken, with a note. Integers may be of any size (`start_time` is in nanoseconds). Duplicate keys
are refused: readers differ in which they take.
Source: stable-baselines3 v2.9.2, `common/save_util.py`, `data_to_json` and `json_to_data`.
"""

import base64
import binascii
import math
from collections.abc import Iterator, Mapping
from functools import lru_cache

from ckptkit.errors import CkptkitError, LimitExceededError, UnreadableCheckpointError
from ckptkit.model import ijson
from ckptkit.storage import pickles
from ckptkit.storage.pickles import Pickle
from ckptkit.storage.sb3.collected import Collected

MAX_BYTES = 16 << 20
MAX_VALUES = 200_000
"""Commas and brackets of `data`; real ones have a few thousand."""
MAX_FIELDS = 10_000
DATA = "data"
SERIALIZED = ":serialized:"
KNOWN_BYTES = 2 << 10
"""Cells of up to so many bytes are remembered, which bounds what is."""


def fields(raw: bytes, where: str, found: Collected) -> dict[str, object]:
    """Return every field of `data` as an inert value.

    Args:
        raw: The member's bytes.
        where: What messages call the member.
        found: Gets the verdict and the facts of every cell.

    Raises:
        LimitExceededError: A bound on size, depth or the number of fields is exceeded.
        UnreadableCheckpointError: It is no JSON object, repeats a key, or a cell is broken.
        UnsafeCheckpointError: A cell asks for something forbidden and then breaks.
    """
    document = _parse(raw, where, found)
    if len(document) > MAX_FIELDS:
        raise LimitExceededError(f"{len(document)} fields, at most {MAX_FIELDS} are read", where=where)
    values: dict[str, object] = {}
    for name, value in document.items():
        values[name] = _cell(value, name, where, found) if is_cell(value) else value
    return values


def _parse(raw: bytes, where: str, found: Collected) -> Mapping[str, object]:
    document = ijson.parse(raw, where=where, max_bytes=MAX_BYTES, max_values=MAX_VALUES, legacy=True)
    if not isinstance(document, dict):
        raise UnreadableCheckpointError("the top level is no JSON object", where=where)
    spelled = b"NaN" in raw or b"Infinity" in raw
    for pointer, literal in _literals(document, "") if spelled else ():
        found.note("not-json", f"{literal} at {pointer}, which Python's json writes and JSON lacks", DATA)
    return document


def _literals(value: object, pointer: str) -> Iterator[tuple[str, float]]:
    """Yield the place of each NaN and Infinity literal; `ijson` has bounded the depth."""
    match value:
        case float() if not math.isfinite(value):
            yield pointer, value
        case dict():
            for key, item in value.items():
                yield from _literals(item, f"{pointer}/{key}")
        case list():
            for i, item in enumerate(value):
                yield from _literals(item, f"{pointer}/{i}")


def is_cell(value: object) -> bool:
    """Whether a field is a pickle in base64."""
    return isinstance(value, dict) and SERIALIZED in value


def _cell(value: object, name: str, where: str, found: Collected) -> object:
    """Return the inert value of one base64 pickle."""
    place = f"{where}:{name}"
    return read_pickle(decoded(value, place), f"{DATA}:{name}", place, found)


def decoded(cell: object, place: str) -> bytes:
    """Return the pickle of a cell.

    Raises:
        UnreadableCheckpointError: It is no text, or no base64.
    """
    text = cell.get(SERIALIZED) if isinstance(cell, dict) else None
    if not isinstance(text, str):
        raise UnreadableCheckpointError(f"{SERIALIZED} is no string", where=place)
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise UnreadableCheckpointError(f"{SERIALIZED} is no base64: {error}", where=place) from error


def read_pickle(raw: bytes, where: str, place: str, found: Collected) -> object:
    """Return the inert value of a pickle that must fill `raw`.

    Args:
        raw: The whole pickle.
        where: What code facts call it, relative to the checkpoint.
        place: What errors call it, with the path.
        found: Gets its verdict and facts.

    Raises:
        UnreadableCheckpointError: It is broken, or bytes follow it.
        UnsafeCheckpointError: It asks for something forbidden and then breaks.
    """
    try:
        read = _known(raw).at(where) if len(raw) <= KNOWN_BYTES else pickles.load(raw, where=where)
    except CkptkitError as error:
        error.where = place
        raise
    found.take(read)
    if read.end != len(raw):
        raise UnreadableCheckpointError(f"{len(raw) - read.end} bytes behind the pickle", where=place)
    return read.root


@lru_cache(maxsize=128)
def _known(raw: bytes) -> Pickle:
    """Read a pickle once, however many agents hold it; nobody changes what they are given of one.

    The agents of one run have most of their cells in common.
    """
    return pickles.load(raw, where="")
