"""A tensor read in one step, where its call is spelled as torch spells it.

A state dict is one phrase of some 28 opcodes over and over: two marks, the storage's persistent id, the
numbers of the view, the call. One regular expression reads it, to the same values, memo entries, charges and
facts that its opcodes give one by one. Whatever is spelled in another way is left to them.

Source: torch 2.13.0, `torch/_tensor.py` (`__reduce_ex__`); CPython 3.14, `Lib/pickle.py` (protocol 2).
"""

import re
from functools import lru_cache
from operator import itemgetter
from struct import Struct

from ckptkit.storage.pickles import limits
from ckptkit.storage.pickles.machine import MISSING, Machine, Persistent
from ckptkit.storage.pickles.opcodes_call import call
from ckptkit.storage.pickles.opcodes_data import Opcode
from ckptkit.storage.pickles.opcodes_stack import mark
from ckptkit.storage.pickles.tensors import rebuild
from ckptkit.storage.pickles.torch_values import TypedStorage

_NUMBER = rb"(?:K.|M..|J.{4})"
_TUPLE = rb"(\)|%b\x85|%b{2}\x86|%b{3}\x87|\(%b{4,8}t)" % ((_NUMBER,) * 4)
_GET = rb"(h.|j.{4})"
_KEYS = [Struct(f"<{count}I") for count in range(8)]
_LAST_SHORT = 256 - 7
"""From this number of memo entries on, the last keys of a phrase take four bytes."""


def _phrase(put: bytes) -> re.Pattern[bytes]:
    """Return the expression for all that follows the first mark; `put` is one form of memo entry."""
    view = _TUPLE + rb"(?:(?<=\))|%b)" % put  # an empty tuple is not kept
    parts = (
        rb"\(" + _GET + _GET + rb"X(.)\0\0\0([0-9]{1,18})" + put,  # "storage", its class, its key
        _GET + rb"(%b)(N?)t" % _NUMBER + put + b"Q",  # device, number of elements, a legacy file's None
        rb"(%b)" % _NUMBER + view + view,
        rb"([\x88\x89])" + _GET + rb"\)(R)" + put,  # requires_grad, the empty dict of hooks
        b"t" + put + b"(R)" + put,
    )
    return re.compile(b"".join(parts), re.DOTALL)


_SHORT, _LONG = _phrase(b"q(.)"), _phrase(b"r(.{4})")
_GOT = itemgetter(0, 1, 5, 15)
_PUT = itemgetter(4, 8, 11, 13, 17, 18, 20)
_HOOKS_CALL, _CALL = 17, 20
_OPCODES = 13
"""Opcodes of a phrase besides numbers, tuples, memo entries, and the one that the machine counts."""


def _mark_or_tensor(m: Machine, at: int) -> int:
    return (m.data.startswith(b"(", at) and _tensor(m, at)) or mark(m, at)


def _tensor(m: Machine, at: int) -> int:
    """Read the phrase whose first mark stands before `at`; return the offset behind it, 0 where none is."""
    target, kept = m.stack[-1] if m.stack else None, len(m.memo)
    entry, find = m.entries.get(id(target)), m.persistent
    found = (_SHORT if kept < _LAST_SHORT else _LONG).match(m.data, at, m.limit)
    if found is None or find is None or entry is None or entry.call is not rebuild:
        return 0
    groups = found.groups()
    puts = _PUT(groups)
    if None in puts:
        puts = tuple(key for key in puts if key is not None)
    named = [_recalled(m.memo, spelled) for spelled in _GOT(groups)]
    is_next = b"".join(puts) == _keys(kept, len(puts)) and kept + len(puts) <= limits.MAX_MEMO
    if not is_next or MISSING in named or groups[2][0] != len(groups[3]):
        return 0
    m.opcodes += _OPCODES + len(puts)
    _make(m, found, named, find)
    return found.end()


def _recalled(memo: list[object], spelled: bytes) -> object:
    """Return what a GET opcode recalls; `MISSING` where nothing is there."""
    key = spelled[1] if len(spelled) == 2 else int.from_bytes(spelled[1:], "little")
    return memo[key] if key < len(memo) else MISSING


def _keys(first: int, count: int) -> bytes:
    """Return the keys of the next memo entries as PUT opcodes spell them."""
    if first < _LAST_SHORT:
        return bytes(range(first, first + count))
    return _KEYS[count].pack(*range(first, first + count))


def _make(m: Machine, found: re.Match[bytes], named: list[object], find: Persistent) -> None:
    """Do what the opcodes of a phrase do, in their order."""
    groups, target = found.groups(), m.stack[-1]
    key = groups[3].decode()
    (numel,), made1, count1 = _numbers(groups[6])
    (offset,), made2, count2 = _numbers(groups[9])
    size, made3, count3 = _numbers(groups[10])
    stride, made4, count4 = _numbers(groups[12])
    m.made += 184 + len(key) + made1 + made2 + made3 + made4
    m.opcodes += count1 + count2 + count3 + count4 + len(groups[7])
    word, cls, device, hooks_class = named
    pid = (word, cls, key, device, numel, None) if groups[7] else (word, cls, key, device, numel)
    storage = find(pid)
    if isinstance(storage, TypedStorage):
        m.storages.add(id(storage))
    hooks = call(m, hooks_class, (), found.end(_HOOKS_CALL))
    args = (storage, offset, size, stride, groups[14] == b"\x88", hooks)
    tensor = m.stack[-1] = call(m, target, args, found.end(_CALL))
    m.memo += (key, pid)
    if groups[11] is not None:
        m.memo.append(size)
    if groups[13] is not None:
        m.memo.append(stride)
    m.memo += (hooks, args, tensor)


@lru_cache(maxsize=4096)
def _numbers(spelled: bytes) -> tuple[tuple[int, ...], int, int]:
    """Return the integers that opcodes push, alone or as a tuple; their charge; and how many opcodes."""
    values, made, opcodes, at = [], 0, 0, 0
    while at < len(spelled):
        width = _WIDTHS.get(spelled[at], 0)
        if width:
            values.append(int.from_bytes(spelled[at + 1 : at + 1 + width], "little", signed=width == 4))
            made += 32 * (width > 1)
        elif spelled[at] not in b"()":
            made += 64
        opcodes += 1
        at += 1 + width
    return tuple(values), made, opcodes


_WIDTHS = {b"K"[0]: 1, b"M"[0]: 2, b"J"[0]: 4}

PHRASE_OPCODES: dict[bytes, Opcode] = {b"(": _mark_or_tensor}
"""Handlers by opcode byte, in place of those that read one opcode."""
