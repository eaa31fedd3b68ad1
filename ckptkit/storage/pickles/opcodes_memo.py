"""Opcodes that bring values in from elsewhere: the memo, persistent ids, and buffers out of band.

Source: CPython 3.14, `Lib/pickletools.py`.
"""

from ckptkit.storage.pickles import limits
from ckptkit.storage.pickles.machine import MISSING, Machine
from ckptkit.storage.pickles.opcodes_data import Opcode, decimal, line, unsigned
from ckptkit.storage.pickles.torch_values import TypedStorage


def _recall(m: Machine, key: int, at: int) -> None:
    value = m.memo[key] if 0 <= key < len(m.memo) else MISSING
    if value is MISSING:
        raise m.malformed(f"memo entry {key} is missing", at - 1)
    m.stack.append(value)


def _keep(m: Machine, key: int, at: int) -> None:
    """Set a memo entry; keys count up from 0 in whatever a pickler writes."""
    memo, value = m.memo, m.stack[-1]
    if key == len(memo) < limits.MAX_MEMO:
        memo.append(value)
    elif key < len(memo):
        m.skipped -= memo[key] is MISSING
        memo[key] = value
    elif key < limits.MAX_MEMO:
        m.skipped += key - len(memo)
        memo.extend([MISSING] * (key - len(memo)))
        memo.append(value)
    else:
        raise m.over(f"memo key {key}, more than {limits.MAX_MEMO:,} memo entries", at - 1)


def _binget(m: Machine, at: int) -> int:
    key, memo = m.data[at], m.memo
    if key < len(memo) and memo[key] is not MISSING:
        m.stack.append(memo[key])
    else:
        _recall(m, key, at)
    return at + 1


def _long_binget(m: Machine, at: int) -> int:
    _recall(m, unsigned(m, at, 4), at)
    return at + 4


def _get_text(m: Machine, at: int) -> int:
    raw, end = line(m, at)
    _recall(m, decimal(m, raw, at), at)
    return end


def _binput(m: Machine, at: int) -> int:
    _keep(m, m.data[at], at)
    return at + 1


def _long_binput(m: Machine, at: int) -> int:
    _keep(m, int.from_bytes(m.data[at : at + 4], "little"), at)
    return at + 4


def _put_text(m: Machine, at: int) -> int:
    raw, end = line(m, at)
    key = decimal(m, raw, at)
    if key < 0:
        raise m.malformed("a negative memo key", at - 1)
    _keep(m, key, at)
    return end


def _memoize(m: Machine, at: int) -> int:
    if not m.skipped and len(m.memo) < limits.MAX_MEMO:
        m.memo.append(m.stack[-1])
    else:
        _keep(m, len(m.memo) - m.skipped, at)
    return at


def _binpersid(m: Machine, at: int) -> int:
    if m.persistent is None:
        raise m.malformed("a persistent id, which this kind of pickle cannot hold", at - 1)
    value = m.stack[-1] = m.persistent(m.stack[-1])
    if isinstance(value, TypedStorage):
        m.storages.add(id(value))
    return at


def _persid_text(m: Machine, at: int) -> int:
    raw, end = line(m, at)
    if not raw.isascii():
        raise m.malformed("a persistent id that is not ASCII", at - 1)
    m.stack.append(raw.decode())
    _binpersid(m, at)
    return end


def _out_of_band(m: Machine, at: int) -> int:
    raise m.malformed("an out-of-band buffer (protocol 5), whose bytes are not in the file", at - 1)


MEMO_OPCODES: dict[bytes, Opcode] = {
    b"h": _binget,
    b"j": _long_binget,
    b"g": _get_text,
    b"q": _binput,
    b"r": _long_binput,
    b"p": _put_text,
    b"\x94": _memoize,
    b"Q": _binpersid,
    b"P": _persid_text,
    b"\x97": _out_of_band,
    b"\x98": _out_of_band,
}
"""Handlers by opcode byte."""
