"""Pickles that lie as bytes inside another pickle."""

from ckptkit.errors import LimitExceededError, UnreadableCheckpointError, UnsafeCheckpointError
from ckptkit.model.finding import Verdict
from ckptkit.model.inert import ClassRef, CodeFact, GlobalUse, Instance
from ckptkit.storage.pickles import limits
from ckptkit.storage.pickles.machine import Machine


def look_inside(m: Machine, value: bytes, offset: int) -> None:
    """Read `value` as a pickle where it looks like one, so that what it names is seen.

    Bytes that start like a pickle and do not parse are only bytes, unless something forbidden
    stands before the place where they break.
    """
    if len(value) < 4 or value[0] != 0x80 or not 2 <= value[1] <= 5 or value[-1:] != b".":
        return
    from ckptkit.storage.pickles import load

    descend(m, len(value), offset)
    place = f"{m.where}[pickle at byte {offset - m.start}]"
    try:
        inner = load(value, where=place, persistent=_unknown, depth=m.depth + 1)
    except UnsafeCheckpointError as error:
        m.flag(None, f"a pickle inside it: {error.what}", offset)
        return
    except LimitExceededError:
        raise
    except UnreadableCheckpointError:
        return
    merge(m, inner.verdict, inner.globals, inner.code, offset)


def descend(m: Machine, length: int, offset: int) -> None:
    """Check that one more file inside the stream may be read.

    Raises:
        LimitExceededError: It lies too deep, or the same bytes are read over and over.
    """
    m.looked += length
    if m.depth >= limits.MAX_NESTED_PICKLES:
        raise m.over("files lie deeper inside pickles than is followed", offset)
    if m.looked > limits.LOOK_PER_BYTE * len(m.data):
        raise m.over("the same bytes are read as a pickle over and over", offset)


def merge(
    m: Machine, verdict: Verdict, uses: tuple[GlobalUse, ...], code: tuple[CodeFact, ...], offset: int
) -> None:
    """Add what an inner pickle holds to what the outer one holds."""
    m.nested.extend(uses[: limits.MAX_FACTS - len(m.nested)])
    for fact in code:
        m.fact(fact)
    m.has_code = m.has_code or verdict is Verdict.CONTAINS_CODE
    if verdict is Verdict.UNSAFE:
        first = next((use for use in uses if not use.allowed), None)
        name = f"{first.module}.{first.name}: {first.why}" if first else "forbidden use"
        m.flag(None, f"a pickle inside it: {name}", offset)


def _unknown(pid: object) -> object:
    return Instance(ClassRef("pickle", "persistent_load"), (pid,))
