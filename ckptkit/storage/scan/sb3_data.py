"""The cells of a Stable-Baselines3 `data` member: each is a pickle that loading the agent runs."""

import base64
import binascii
import re
from dataclasses import replace
from functools import lru_cache

from ckptkit.errors import CkptkitError, LimitExceededError, UnreadableCheckpointError
from ckptkit.model import ijson
from ckptkit.storage.pickles import Pickle, examine
from ckptkit.storage.sb3.data import MAX_BYTES, MAX_FIELDS, MAX_VALUES, SERIALIZED, decoded, is_cell
from ckptkit.storage.scan.facts import Facts
from ckptkit.storage.scan.streams import streams

CACHED_BYTES = 1 << 16
"""Cells up to this size are remembered."""
_CELL = re.compile(rb'"' + re.escape(SERIALIZED).encode() + rb'"\s*:\s*"([A-Za-z0-9+/=]*+)"')


def cells(raw: bytes, place: str, name: str) -> Facts:
    """Return what the pickles in `data` name; a broken one hides no other.

    Args:
        raw: The member's bytes.
        place: What facts call the member.
        name: What errors call it.
    """
    facts = Facts(carries=True)
    try:
        document = ijson.parse(raw, where=name, max_bytes=MAX_BYTES, max_values=MAX_VALUES, legacy=True)
        if not isinstance(document, dict):
            raise UnreadableCheckpointError("the top level is no JSON object", where=name)
        if len(document) > MAX_FIELDS:
            raise LimitExceededError(f"{len(document)} fields, at most {MAX_FIELDS} are read", where=name)
    except CkptkitError as error:
        facts.problem = error
        for number, match in enumerate(_CELL.finditer(raw)):
            _salvaged(match[1], f"{place}:cell {number}", facts)
        return facts
    for field, value in document.items():
        if is_cell(value):
            _cell(value, f"{place}:{field}", f"{name}:{field}", facts)
    return facts


def _cell(value: object, place: str, name: str, facts: Facts) -> None:
    try:
        raw = decoded(value, name)
    except CkptkitError as error:
        facts.problem = facts.problem or error
        return
    known = _whole(raw) if len(raw) <= CACHED_BYTES else None
    if known is not None:
        facts.found.take(known.at(place))
        return
    several = streams(raw, place)
    for pickle in several.pickles:
        facts.found.take(pickle)
    facts.problem = facts.problem or several.problem or _behind(name)


@lru_cache(maxsize=4096)
def _whole(raw: bytes) -> Pickle | None:
    """Return what a whole pickle names, without its value; None for any other bytes.

    The zips of one run, and of one algorithm, have most of their cells in common.
    """
    one = examine(raw, where="")
    whole = one.problem is None and one.pickle.end == len(raw)
    return replace(one.pickle, root=None) if whole else None


def _behind(name: str) -> CkptkitError:
    return UnreadableCheckpointError("more than one pickle", where=name)


def _salvaged(text: bytes, place: str, facts: Facts) -> None:
    """Take what a cell names that lies in JSON which has no one reading."""
    try:
        raw = base64.b64decode(text)
    except (binascii.Error, ValueError):
        return
    for pickle in streams(raw, place).pickles:
        facts.found.take(pickle)
