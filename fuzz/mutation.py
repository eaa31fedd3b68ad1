"""Changes of inputs that know a little of their format: the same for the same random generator.

Blind changes of a file rarely get past its first check. These change a record of a zip, a step of a pickle
or a value of a JSON document, and keep the rest well formed; some inputs are changed blindly all the same.
"""

import base64
import io
import json
import pickletools
import struct
import warnings
import zipfile
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

from ckptkit.storage.sb3.data import SERIALIZED
from fuzz import onnx_files
from fuzz.mending import with_sums

BLIND = 0.25
"""Share of inputs that are changed without regard to their format."""
MOST_BYTES = 1 << 15
MOST_MEMBERS = 64
_RECORDS = {b"PK\1\2": "<4s6H3L5H2L", b"PK\3\4": "<4s5H3L2H", b"PK\5\6": "<4s4H2LH", b"PK\6\6": "<4sQ2H2L4Q"}
_NUMBERS = (
    0,
    1,
    2,
    7,
    8,
    255,
    0xFFFF,
    0x10000,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**53,
    2**63 - 1,
    2**64,
    10**400,
)
_WORDS = ("", "a", "..", "/", "a/b", "\0", "\ud800", "ü", "x" * 300, "NaN", "F32", "$tensor", "__metadata__")
_PLAIN: tuple[object, ...] = (
    None,
    True,
    False,
    -1,
    0.5,
    -0.0,
    1e308,
    float("nan"),
    float("inf"),
    *_NUMBERS,
    *_WORDS,
)
_STOP = ord(".")
_SHORT_OPCODES = b"()]}.0125NTaQRbcde lostu\x81\x85\x86\x87\x88\x89\x8f\x90\x91\x93\x94\x97\x98".replace(
    b" ", b""
)

_NUMERIC = (b"K", b"M", b"J", b"\x8a", b"G")
_ARGUMENTS = (
    *(b"h\0", b"q\0", b"K\0", b"K\xff", b"M\xff\xff", b"J\xff\xff\xff\xff", b"\x8c\x01a", b"N", b"\x88"),
    *(b"G" + struct.pack(">d", number) for number in (1e300, float("nan"), float("inf"), 0.5)),
    b"\x8a\xc8" + b"\xff" * 199 + b"\x7f",
)
"""Opcodes that name a memo entry or push a value; the last pushes an integer beyond float64."""

Holder = dict[Any, Any] | list[Any]
Change = Callable[[bytes, Random], bytes]


def blind(data: bytes, random: Random) -> bytes:
    """Change, remove, repeat or add a few bytes."""
    made = bytearray(data)
    for _ in range(random.randint(1, 4)):
        at = random.randrange(len(made) + 1)
        stop = at + random.choice((0, 1, 1, 1, 2, 4, 8, 40))
        match random.randrange(4):
            case 0:
                made[at:stop] = random.randbytes(min(stop, len(made)) - at)
            case 1:
                del made[at:stop]
            case 2:
                made[at:at] = made[at:stop]
            case 3 if made:
                made[min(at, len(made) - 1)] ^= 1 << random.randrange(8)
    return bytes(made[:MOST_BYTES])


def pickle(data: bytes, random: Random) -> bytes:
    """Remove, repeat, move or replace opcodes of the first pickle in `data`."""
    steps = list(_steps(data))
    if len(steps) < 2:
        return blind(data, random)
    for _ in range(random.randint(1, 3)):
        _change_step(steps, random)
        steps = steps or [b"."]
    return b"".join(steps)[:MOST_BYTES]


def _change_step(steps: list[bytes], random: Random) -> None:
    at, other = random.randrange(len(steps)), random.randrange(len(steps))
    match random.randrange(7):
        case 0:
            del steps[at : at + random.randint(1, 3)]
        case 1:
            steps[at:at] = steps[other : other + random.randint(1, 4)]
        case 2:
            steps[at], steps[other] = steps[other], steps[at]
        case 3:
            steps[at] = bytes([random.choice(_SHORT_OPCODES)])
        case 4:
            steps.insert(at, random.choice(_ARGUMENTS))
        case 5:
            numbers = [index for index, step in enumerate(steps) if step[:1] in _NUMERIC] or [at]
            steps[random.choice(numbers)] = random.choice(_ARGUMENTS)
        case _:
            steps[at] = steps[at][:1] + blind(steps[at][1:], random)


def _steps(data: bytes, *, whole: bool = False) -> Iterator[bytes]:
    """Yield the opcodes of a pickle with their arguments, as far as they can be told apart.

    Args:
        data: The pickle, and what follows it.
        whole: Yield STOP alone, and not with what follows.
    """
    before = None
    try:
        for _, _, at in pickletools.genops(data):
            if before is not None:
                yield data[before:at]
            before = at
    except (ValueError, IndexError, UnicodeError, AttributeError):
        pass
    if before is not None:
        yield data[before : before + 1] if whole and data[before] == _STOP else data[before:]


def legacy(data: bytes, random: Random) -> bytes:
    """Change one of the pickles that stand one behind the other, and keep what lies around it."""
    ends = [0]
    for _ in range(5):
        ends.append(ends[-1] + sum(map(len, _steps(data[ends[-1] :], whole=True))))
    at = random.randrange(5)
    return data[: ends[at]] + pickle(data[ends[at] : ends[at + 1]], random) + data[ends[at + 1] :]


def document(data: bytes, random: Random) -> bytes:
    """Replace, remove, repeat or rename values of a JSON document."""
    try:
        tree = json.loads(data)
    except (ValueError, RecursionError):
        return blind(data, random)
    return _dumped(_changed(tree, random))


def agent(data: bytes, random: Random) -> bytes:
    """Change the pickle in one cell of an agent's `data`, or the document around them."""
    tree = json.loads(data)
    cells = [value for value in tree.values() if isinstance(value, dict) and SERIALIZED in value]
    if not cells or random.random() < 0.5:
        return document(data, random)
    cell = random.choice(cells)
    made = pickle(base64.b64decode(cell[SERIALIZED]), random)
    cell[SERIALIZED] = base64.b64encode(made).decode()
    return _dumped(tree)


def _dumped(tree: object) -> bytes:
    return json.dumps(tree, ensure_ascii=True).encode()[:MOST_BYTES]


def _changed(tree: object, random: Random) -> object:
    for _ in range(random.randint(1, 3)):
        places = list(_places(tree))
        if not places:
            return random.choice(_PLAIN)
        _change_value(places, random)
    return tree


def _change_value(places: list[tuple[Holder, object]], random: Random) -> None:
    holder, key = random.choice(places)
    if random.random() < 0.3:
        _change_number(places, random)
        return
    match random.randrange(5):
        case 0:
            holder[key] = random.choice(_PLAIN)
        case 1:
            giver, name = random.choice(places)
            holder[key] = json.loads(json.dumps(giver[name]))
        case 2:
            del holder[key]
        case 3 if isinstance(holder, dict):
            holder[random.choice(_WORDS + tuple(holder))] = holder.pop(key)
        case 3:
            holder.insert(key, json.loads(json.dumps(holder[key])))
        case _:
            holder[key] = random.choice(([], {}, [holder[key]], {"a": holder[key]}))


def _change_number(places: list[tuple[Holder, object]], random: Random) -> None:
    """Replace a number by one near it, or by a small one: what is counted may still fit elsewhere."""
    found = [(holder, key) for holder, key in places if type(holder[key]) is int]
    if found:
        holder, key = random.choice(found)
        holder[key] = random.choice((holder[key] - 1, holder[key] + 1, holder[key] * 2, random.randrange(9)))


def _places(tree: object) -> Iterator[tuple[Holder, object]]:
    """Yield each object or array with each of its keys."""
    waiting = [tree]
    while waiting:
        holder = waiting.pop()
        if isinstance(holder, dict | list):
            for key in list(holder) if isinstance(holder, dict) else range(len(holder)):
                yield holder, key
                waiting.append(holder[key])


def safetensors(data: bytes, random: Random) -> bytes:
    """Change the header and state its new length, which moves no tensor."""
    length = int.from_bytes(data[:8], "little")
    header = document(data[8 : 8 + length], random)
    return struct.pack("<Q", len(header)) + header + data[8 + length :]


def archive(data: bytes, random: Random) -> bytes:
    """Change fields of the records of a zip, or what its members hold."""
    if random.random() < 0.5:
        return _with_records(data, random)
    return _with_members(data, random)


def _with_records(data: bytes, random: Random) -> bytes:
    """Set a field of one record, or the same field of all records of its kind, and mend the sums."""
    found = [(at, magic) for magic in _RECORDS for at in _all(data, magic)]
    if not found:
        return blind(data, random)
    made = bytearray(data)
    for _ in range(random.randint(1, 2)):
        at, magic = random.choice(found)
        form = _RECORDS[magic]
        index = random.randrange(1, len(struct.unpack(form, bytes(struct.calcsize(form)))))
        alike = [other for other, kind in found if kind == magic] if random.random() < 0.2 else [at]
        for place in alike:
            _set(made, place, form, index, random)
    return with_sums(bytes(made)) if random.random() < 0.5 else bytes(made)


def _set(made: bytearray, at: int, form: str, index: int, random: Random) -> None:
    if at + struct.calcsize(form) > len(made):
        return
    fields = list(struct.unpack_from(form, made, at))
    wide = {2: 0xFFFF, 4: 0xFFFFFFFF, 8: 2**64 - 1}
    width = struct.calcsize("<" + "".join(_codes(form))[index])
    near = (fields[index] + random.choice((-1, 1, 2, 16)), fields[index] ^ (1 << random.randrange(8 * width)))
    fields[index] = random.choice((*near, *near, random.choice(_NUMBERS))) & wide[width]
    struct.pack_into(form, made, at, *fields)


def _codes(form: str) -> Iterator[str]:
    """Yield one letter for each field of a `struct` format; the magic is the first."""
    count = ""
    for letter in form[1:]:
        if letter.isdigit():
            count += letter
        else:
            yield from ["x"] if letter == "s" else letter * int(count or 1)
            count = ""


def _all(data: bytes, magic: bytes) -> Iterator[int]:
    at = data.find(magic)
    while at >= 0:
        yield at
        at = data.find(magic, at + 1)


def _with_members(data: bytes, random: Random) -> bytes:
    """Write the members anew, one of them changed, renamed, removed, doubled or moved."""
    with zipfile.ZipFile(io.BytesIO(data)) as given:
        members = [(info.filename, given.read(info)) for info in given.infolist()[:MOST_MEMBERS]]
    at = random.randrange(len(members))
    name, content = members[at]
    match random.randrange(8):
        case 0:
            members[at] = (random.choice([*_NAMES, name.upper(), name + "x", name[:-1] or "x"]), content)
        case 1:
            del members[at]
        case 2:
            members.append((name + random.choice(("", "2", "/x")), content))
        case 3:
            random.shuffle(members)
        case _:
            pickles = [i for i, (other, _) in enumerate(members) if other.endswith((".pkl", "data"))]
            at = random.choice(pickles) if pickles and random.random() < 0.7 else at
            name, content = members[at]
            change = pickle if name.endswith(".pkl") else document if content[:1] == b"{" else blind
            members[at] = (name, change(content, random))
    return _written(members, random)


_NAMES = ("archive/data.pkl", "../x", "a\\b", "a/./b", "archive/data/0", "version", "x/", "C:x", "ﬀ")


def _written(members: list[tuple[str, bytes]], random: Random) -> bytes:
    buffer = io.BytesIO()
    method = random.choice((zipfile.ZIP_STORED, zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
    with zipfile.ZipFile(buffer, "w", method) as made, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # two members of one name are meant
        for name, content in members:
            made.writestr(zipfile.ZipInfo(name), content, method)
    return buffer.getvalue()


CHANGES: dict[str, Change] = {
    "pickle": pickle,
    "zip": archive,
    "torch_zip": archive,
    "torch_legacy": legacy,
    "safetensors": safetensors,
    "onnx": onnx_files.changed,
    "sb3_data": agent,
    "manifest": document,
    "graph": document,
}


def mutated(target: str, data: bytes, random: Random) -> bytes:
    """Return a changed input of a target."""
    if random.random() < BLIND:
        return blind(data, random)
    try:
        return CHANGES[target](data, random)
    except Exception:  # noqa: BLE001 - changed once more, what has been changed before may be too broken for it
        return blind(data, random)
