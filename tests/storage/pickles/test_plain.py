"""Plain data: our reading is Python's own, at every protocol."""

import collections
import math
import pickle
import pickletools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ckptkit.model.finding import Verdict
from tests.storage.pickles.streams import read

INTEGERS = st.one_of(st.integers(), st.integers(-(2**70), 2**70), st.integers(-300, 300))
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    INTEGERS,
    st.floats(allow_nan=False),
    st.complex_numbers(allow_nan=False),
    st.text(),
    st.binary(),
    st.binary().map(bytearray),
)
KEYS = st.one_of(
    st.text(), st.integers(-(2**63), 2**63), st.booleans(), st.none(), st.tuples(st.text(), st.integers(0, 9))
)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=5),
        st.lists(inner, max_size=5).map(tuple),
        st.dictionaries(KEYS, inner, max_size=5),
        st.dictionaries(KEYS, inner, max_size=3).map(collections.OrderedDict),
        st.sets(KEYS, max_size=4),
        st.frozensets(KEYS, max_size=4),
    ),
    max_leaves=25,
)


@settings(max_examples=300, deadline=None)
@given(tree=TREES, protocol=st.integers(0, 5), optimised=st.booleans())
def test_reads_what_python_reads(tree: object, protocol: int, optimised: bool) -> None:
    data = pickle.dumps(tree, protocol)
    data = pickletools.optimize(data) if optimised else data
    found = read(data)
    assert found.root == pickle.loads(data) == tree
    assert found.end == len(data)
    assert found.verdict is Verdict.DATA_ONLY


@settings(max_examples=100, deadline=None)
@given(tree=TREES, protocol=st.integers(0, 5))
def test_reads_what_the_pickler_in_python_writes(tree: object, protocol: int) -> None:
    data = pickle._dumps(tree, protocol)  # type: ignore[attr-defined]
    assert read(data).root == tree


@pytest.mark.parametrize("protocol", range(6))
def test_types_are_exact(protocol: int) -> None:
    value = [True, 1, 1.0, "1", b"1", bytearray(b"1"), (1,), {1}, frozenset([1]), None, 1j]
    found = read(pickle.dumps(value, protocol)).root
    assert isinstance(found, list)
    assert [type(item) for item in found] == [type(item) for item in value]


@pytest.mark.parametrize("protocol", range(6))
def test_non_finite_numbers_keep_their_value(protocol: int) -> None:
    found = read(pickle.dumps([math.inf, -math.inf, math.nan, -0.0], protocol)).root
    assert isinstance(found, list)
    assert found[:2] == [math.inf, -math.inf]
    assert math.isnan(found[2])
    assert math.copysign(1, found[3]) == -1


@pytest.mark.parametrize("protocol", range(6))
def test_sharing_is_kept(protocol: int) -> None:
    shared = [1]
    found = read(pickle.dumps((shared, {"a": shared}), protocol)).root
    assert isinstance(found, tuple)
    assert found[0] is found[1]["a"]


@pytest.mark.parametrize("protocol", range(6))
def test_containers_of_the_standard_library(protocol: int) -> None:
    ordered = collections.OrderedDict([("b", 1), ("a", 2)])
    default = collections.defaultdict(list, {"a": [1]})
    queue = collections.deque([1, 2], maxlen=7)
    found = read(pickle.dumps([ordered, default, queue, collections.Counter("aab")], protocol))
    assert found.verdict is Verdict.DATA_ONLY
    assert isinstance(found.root, list)
    assert list(found.root[0].items()) == [("b", 1), ("a", 2)]
    assert found.root[1:] == [{"a": [1]}, [1, 2], {"a": 2, "b": 1}]
    assert found.root[1].factory.name == "list"
    assert found.root[2].maxlen == 7


def test_a_stream_inside_other_bytes_starts_and_ends_where_it_says() -> None:
    first, second = pickle.dumps([1]), pickle.dumps([2])
    found = read(first + second + b"rest", start=len(first))
    assert (found.root, found.end) == ([2], len(first) + len(second))


def test_python_2_strings_are_text_where_ascii_and_bytes_elsewhere() -> None:
    assert read(b"\x80\x02U\x03abc.").root == "abc"
    assert read(b"\x80\x02U\x02\xff\x00.").root == b"\xff\x00"
    assert read(b"S'a\\x41\\n'\np0\n.").root == "aA\n"


@pytest.mark.parametrize(
    ("module", "qualified", "canonical"),
    [
        ("__builtin__", "set", "builtins.set"),
        ("UserDict", "IterableUserDict", "collections.UserDict"),
        ("numpy.core.multiarray", "_reconstruct", "numpy._core.multiarray._reconstruct"),
        ("copy_reg", "_reconstructor", "copyreg._reconstructor"),
        ("__builtin__", "xrange", "builtins.range"),
        ("pathlib._local", "PurePosixPath", "pathlib.PurePosixPath"),
    ],
)
def test_old_names_are_the_new_ones(module: str, qualified: str, canonical: str) -> None:
    found = read(b"c" + f"{module}\n{qualified}\n".encode() + b".")
    assert str(found.root) == canonical
    assert [f"{use.module}.{use.name}" for use in found.globals] == [canonical]
    assert found.verdict is Verdict.DATA_ONLY
