"""Streams that break the format: one clear error with a byte offset, whatever the bytes are."""

import contextlib
import pickle
import struct
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ckptkit.errors import (
    CkptkitError,
    LimitExceededError,
    UnreadableCheckpointError,
    UnsafeCheckpointError,
)
from tests.storage.pickles.streams import frame, name, read, short, stack_name, text

BROKEN = {
    "empty": b"",
    "no STOP": b"\x80\x04N",
    "STOP without a value": b".",
    "values left at STOP": b"NN.",
    "mark left at STOP": b"(N.",
    "unknown opcode": b"\x80\x04\xff.",
    "unknown protocol": b"\x80\x06N.",
    "argument cut": b"\x80\x04J\x01\x02",
    "text cut": b"X\x05\x00\x00\x00ab.",
    "text beyond 4 GiB": b"\x8d" + struct.pack("<Q", 1 << 40) + b"a.",
    "bytes cut": b"B\xff\xff\xff\x7fab.",
    "line without end": b"Ifoo",
    "not a number": b"Ifoo\n.",
    "hexadecimal": b"I0x10\n.",
    "octal": b"I010\n.",
    "float that is none": b"Fx\n.",
    "string without quotes": b"Sabc\n.",
    "text that is not UTF-8": b"X\x01\x00\x00\x00\xff.",
    "half a surrogate pair": b"X\x03\x00\x00\x00\xed\xa0\x80.",
    "pop of nothing": b"0N.",
    "tuple of nothing": b"\x86.",
    "setitem of nothing": b"s.",
    "missing memo entry": b"h\x07.",
    "missing long memo entry": b"j\x07\x00\x00\x01.",
    "missing text memo entry": b"g7\n.",
    "negative memo key": b"Np-1\n.",
    "memo key that is no number": b"Npx\n.",
    "put of nothing": b"q\x00.",
    "memoize of nothing": b"\x94.",
    "append to a tuple": b")Na.",
    "append to a dict": b"}Na.",
    "set in a list": b"]NNs.",
    "odd number of items": b"}(Nu.",
    "add to a list": b"](N\x90.",
    "list as a key": b"}]Ns.",
    "dict in a set": b"\x8f(}\x90.",
    "list in a frozenset": b"(]\x91.",
    "integer key beyond 64 bits": b"}\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x00\x7fNs.",
    "state on a list": b"]}b.",
    "state on nothing": b"}b.",
    "name that is no text": b"NN\x93.",
    "name over a mark": short("builtins") + b"(" + short("eval") + b"\x93.",
    "arguments that are no tuple": name("collections", "OrderedDict") + b"]R.",
    "persistent id": b"\x80\x02NQ.",
    "persistent id as text": b"Pabc\n.",
    "out-of-band buffer": b"\x80\x05\x97.",
    "read-only buffer": b"\x80\x05N\x98.",
    "frame beyond the data": b"\x80\x04\x95" + struct.pack("<Q", 100) + b"N.",
    "frame shorter than its opcodes": b"\x80\x04\x95" + struct.pack("<Q", 2) + b"X\x01\x00\x00\x00a.",
    "frame longer than the stream": frame(b"N.N"),
    "frame in a frame": frame(b"\x95" + struct.pack("<Q", 2) + b"N."),
    "frame of nothing": b"\x80\x04\x95" + struct.pack("<Q", 0) + b"N.",
    "negative integer length": b"\x8b\xff\xff\xff\xff.",
    "contains itself": b"]q\x00h\x00a.",
    "contains itself deeper": b"}q\x00X\x01\x00\x00\x00a(h\x00lts.",
}


@pytest.mark.parametrize("case", BROKEN)
def test_is_refused(case: str) -> None:
    with pytest.raises(UnreadableCheckpointError) as caught:
        read(BROKEN[case])
    assert "test.pkl" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_there_are_enough_cases() -> None:
    assert len(BROKEN) >= 50


def test_the_message_has_the_byte_offset() -> None:
    with pytest.raises(UnreadableCheckpointError, match="byte 2: memo entry 7 is missing"):
        read(b"zz\x80\x04h\x07.", start=2)


@pytest.mark.parametrize(
    "rest",
    [b"", b"h\x07", b"\xff", b"\x86", b"X\xff\xff\xff\xff"],
    ids=["cut", "memo", "opcode", "stack", "text"],
)
@pytest.mark.parametrize("called", [name("os", "system") + text("true") + b"\x85R", name("os", "system")])
def test_an_error_does_not_hide_a_forbidden_use(called: bytes, rest: bytes) -> None:
    with pytest.raises(UnsafeCheckpointError) as caught:
        read(b"\x80\x02" + called + rest)
    assert "os.system" in str(caught.value)
    assert "then malformed pickle at byte" in str(caught.value)


@settings(max_examples=1500, deadline=None)
@given(st.binary(max_size=200))
def test_random_bytes_raise_nothing_else(data: bytes) -> None:
    with contextlib.suppress(CkptkitError):
        read(data)


OPCODES = st.lists(
    st.one_of(
        st.sampled_from([bytes([i]) for i in range(256)]),
        st.sampled_from(
            [
                short("a"),
                b"K\x01",
                b"(",
                b")",
                b"}",
                b"]",
                b"\x85",
                b"\x86",
                b"\x87",
                b"t",
                b"R",
                b"b",
                b"\x81",
                b"q\x00",
                b"h\x00",
                b"\x94",
                b"N",
                b"2",
                b"C\x08abcdefgh",
                short("latin1"),
            ]
        ),
        st.sampled_from(
            [
                ("builtins", "set"),
                ("builtins", "getattr"),
                ("builtins", "setattr"),
                ("builtins", "bytearray"),
                ("builtins", "complex"),
                ("builtins", "range"),
                ("collections", "OrderedDict"),
                ("collections", "deque"),
                ("collections", "defaultdict"),
                ("_codecs", "encode"),
                ("copyreg", "_reconstructor"),
                ("functools", "partial"),
                ("functools", "reduce"),
                ("operator", "getitem"),
                ("numpy", "dtype"),
                ("numpy", "ndarray"),
                ("numpy._core.multiarray", "_reconstruct"),
                ("numpy._core.multiarray", "scalar"),
                ("numpy._core.numeric", "_frombuffer"),
                ("numpy.random._pickle", "__generator_ctor"),
                ("numpy.random.bit_generator", "__pyx_unpickle_SeedSequence"),
                ("torch._utils", "_rebuild_tensor_v2"),
                ("torch._utils", "_rebuild_parameter"),
                ("torch._tensor", "_rebuild_from_type_v2"),
                ("torch.storage", "_load_from_bytes"),
                ("torch", "Size"),
                ("torch.serialization", "_get_layout"),
                ("stable_baselines3.common.type_aliases", "TrainFreq"),
                ("cloudpickle.cloudpickle", "_make_function"),
                ("cloudpickle.cloudpickle", "_builtin_type"),
                ("cloudpickle.cloudpickle", "_make_skeleton_class"),
                ("dill._dill", "_create_code"),
                ("dill._dill", "_get_attr"),
                ("dill._dill", "_eval_repr"),
                ("os", "system"),
                ("third", "Party"),
            ]
        ).map(lambda pair: stack_name(*pair)),
    ),
    max_size=40,
)


@settings(max_examples=1500, deadline=None)
@given(OPCODES)
def test_random_opcodes_raise_nothing_else(opcodes: list[bytes]) -> None:
    with contextlib.suppress(CkptkitError):
        read(b"\x80\x04" + b"".join(opcodes) + b".")


@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_mutated_pickles_raise_nothing_else(seeds: list[bytes], data: st.DataObject) -> None:
    stream = bytearray(data.draw(st.sampled_from(seeds)))
    for _ in range(data.draw(st.integers(1, 4))):
        stream[data.draw(st.integers(0, len(stream) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(stream)))
    with contextlib.suppress(CkptkitError):
        read(bytes(stream[: cut or None]))


@pytest.fixture(scope="module")
def seeds() -> list[bytes]:
    import cloudpickle
    import dill
    import numpy as np
    from gymnasium import spaces

    values = [
        {"a": [1, 2.0, "x", b"y", (1,)], "b": {1, 2}},
        spaces.Box(-1, 1, (3,), np.float32),
        np.arange(6).reshape(2, 3).T,
        np.array([object(), None, "x"], dtype=object),
        np.random.default_rng(0),
    ]
    streams = [pickle.dumps(value, protocol) for value in values for protocol in (0, 2, 4, 5)]
    return [*streams, cloudpickle.dumps(lambda x: x + 1), dill.dumps(lambda x: x + 1, recurse=True)]


INNER = b"\x80\x02" + b"N0" * 100_000 + b"N."


def nested(levels: int) -> bytes:
    data = INNER
    for _ in range(levels):
        data = pickle.dumps(data)
    return data


BOMBS = {
    "dicts": b"(" + b"}" * 2_500_000,
    "lists": b"(" + b"]" * 2_500_000,
    "marks": b"(" * 2_000_000,
    "dup": b"N" + b"2" * 3_000_000,
    "opcodes": b"N" + b"20" * 4_000_000,
    "memo": b"N" + b"".join(b"r" + struct.pack("<I", i) for i in range(1_700_000)),
    "deep lists": b"]" * 1_000_000 + b"a" * 999_999 + b".",
    "deep tuples": b")" + b"\x85" * 1_400_000 + b".",
    "exponential tuple": b")" + b"2\x86" * 60 + b".",
    "exponential list": b"]q\x000" + b"]h\x00ah\x00aq\x000" * 60 + b"h\x00.",
    "exponential key": b"}" + b")" + b"2\x86" * 60 + b"Ns.",
    "deep key": b"}" + b")" + b"\x85" * 1_000_000 + b"Ns.",
    "big integer": b"\x8b" + struct.pack("<i", 5_000_000) + b"\x01" * 5_000_000 + b".",
    "big decimal": b"L" + b"1" * 5_000_000 + b"L\n.",
    "big name": b"c" + b"a" * 5_000_000 + b"\nb\n.",
    "many names": b"".join(b"cm\nn%d\n0" % i for i in range(200_000)) + b"N.",
    "copied list": b"]("
    + b"N" * 300_000
    + b"eq\x00"
    + name("builtins", "set")
    + b"q\x01"
    + b"("
    + b"h\x01h\x00\x85R0" * 5000,
    "copied bytes": b"B"
    + struct.pack("<I", 1_000_000)
    + b"a" * 1_000_000
    + b"q\x000"
    + name("builtins", "bytearray")
    + b"q\x01("
    + b"h\x01h\x00\x85R" * 5000,
    "nested pickles": text(INNER.decode("latin1"))
    + b"q\x000"
    + text("latin1")
    + b"q\x010"
    + name("_codecs", "encode")
    + b"q\x020("
    + b"h\x02h\x00h\x01\x86R" * 5000
    + b"t.",
    "shared leaves": b"](" + b"N" * 10_000 + b"eq\x000](" + b"h\x00" * 10_000 + b"e.",
    "shared text": text("a" * 1_000_000) + b"q\x000](" + b"h\x00" * 10_000 + b"e.",
    "shared through objects": name("third", "Party")
    + b")\x81}"
    + text("a")
    + b"]q\x000"
    + b"]h\x00ah\x00aq\x000" * 60
    + b"h\x00sb.",
    "nested deeper": nested(40),
}


@pytest.mark.parametrize("case", BOMBS)
def test_bombs_cost_little(case: str) -> None:
    started = time.perf_counter()
    with pytest.raises(CkptkitError) as caught:
        read(BOMBS[case])
    assert "truncated" not in str(caught.value)
    assert "left on the stack" not in str(caught.value)
    assert time.perf_counter() - started < 6


def test_limits_are_said_as_such() -> None:
    with pytest.raises(LimitExceededError, match="values would take far more memory than the stream is long"):
        read(BOMBS["dicts"])
