"""Whatever safetensors file we take, the library reads the same tensors out of it.

The files are seeded changes of headers and of whole files; nothing is written to disk.
"""

import json
import struct
from collections.abc import Iterator
from functools import cache
from random import Random

import pytest
import safetensors

from ckptkit.errors import CkptkitError
from ckptkit.storage.safetensors_file import open_safetensors
from ckptkit.storage.source import MemorySource
from fuzz.make_corpus import seeds
from fuzz.mutation import mutated

BATCHES, FILES = 4, 5000
assert BATCHES * FILES >= 20_000

Facts = dict[str, tuple[str, list[int], bytes]]


def packed(header: object, data: bytes) -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


@cache
def given() -> tuple[bytes, ...]:
    """Return files to change: seeds of the fuzzing, and one with what shares offsets and has no elements."""
    header = {
        "__metadata__": {"format": "pt"},
        "empty": {"dtype": "F32", "shape": [0, 3], "data_offsets": [4, 4]},
        "a": {"dtype": "I16", "shape": [2], "data_offsets": [0, 4]},
        "b": {"dtype": "BF16", "shape": [1, 2], "data_offsets": [4, 8]},
        "scalar": {"dtype": "U8", "shape": [], "data_offsets": [8, 9]},
    }
    small = packed(header, bytes(range(9)))
    return (*[small] * 20, *[data for data in seeds("safetensors").values() if len(data) < 4096])


def files(batch: int) -> Iterator[bytes]:
    for number in range(FILES):
        random = Random(batch * FILES + number)
        data = random.choice(given())
        for change in random.choices((restated, broken), k=random.randint(1, 2)):
            data = change(data, random)
        yield data


def broken(data: bytes, random: Random) -> bytes:
    return mutated("safetensors", data, random)


def restated(data: bytes, random: Random) -> bytes:
    """Say something else in a header that stays one: names, order, types, shapes, spaces."""
    length = int.from_bytes(data[:8], "little")
    try:
        header = json.loads(data[8 : 8 + length])
        items = [[name, dict(info)] for name, info in header.items()]
        name, info = item = random.choice(items)
        match random.randrange(5):
            case 0:
                item[0] = name + random.choice(("", "é", "/..", "\ud83d\ude00", "\x7f", "__metadata__"))
            case 1:
                random.shuffle(items)
            case 2:
                info["dtype"] = random.choice(("F32", "I32", "U32", "F16", "U8", "BOOL", "F8_E5M2", "C64"))
            case 3:
                info["shape"] = [*reversed(info["shape"]), *random.choice(([], [1], [1, 1], [2], [0]))]
            case 4:
                items.append(["__metadata__", {"a": random.choice(("", "b", "\0", "\u2028"))}])
    except (ValueError, TypeError, KeyError, IndexError, AttributeError):
        return broken(data, random)
    text = json.dumps(dict(items), ensure_ascii=random.random() < 0.5) + random.choice(("", "", "   "))
    raw = text.encode(errors="surrogatepass")
    return struct.pack("<Q", len(raw)) + raw + data[8 + length :]


def ours(data: bytes) -> Facts:
    opened = open_safetensors(MemorySource(data, "x.safetensors"))
    return {name: (t.dtype.name, list(t.shape), t.tobytes()) for name, t in opened.tensors().items()}


def by_library(data: bytes) -> Facts:
    return {name: (t["dtype"], t["shape"], bytes(t["data"])) for name, t in safetensors.deserialize(data)}


@pytest.mark.parametrize("batch", range(BATCHES))
def test_every_file_that_we_take_has_one_reading(batch: int) -> None:
    taken = made = changed = 0
    before = {data: ours(data) for data in given()[:1]}
    for data in files(batch):
        made += 1
        try:
            found = ours(data)
        except CkptkitError:
            continue
        assert by_library(data) == found
        taken += 1
        changed += found not in before.values()
    assert made == FILES
    assert taken >= FILES // 5
    assert changed >= FILES // 10
