"""What a pickle may ask for: each way to reach a callable, with a payload that would leave a file."""

import pickle
import struct
from pathlib import Path

import pytest

from ckptkit.errors import UnreadableCheckpointError
from ckptkit.model.finding import Verdict
from ckptkit.model.inert import ClassRef, Instance
from tests.storage.pickles.streams import frame, name, read, short, stack_name, text

MARK = "touch /tmp/ckptkit-payload-ran"
ARGS = text(MARK) + b"\x85"

INNER = b"\x80\x02" + name("os", "system") + ARGS + b"R."
UNSAFE = {
    "GLOBAL only": name("os", "system") + b".",
    "STACK_GLOBAL only": b"\x80\x04" + stack_name("os", "system") + b".",
    "REDUCE": name("os", "system") + ARGS + b"R.",
    "REDUCE and POP": name("os", "system") + ARGS + b"R0N.",
    "Python 2 module": name("__builtin__", "eval") + ARGS + b"R.",
    "Python 2 commands": name("commands", "getoutput") + ARGS + b"R.",
    "posix": name("posix", "system") + ARGS + b"R.",
    "nt": name("nt", "system") + ARGS + b"R.",
    "INST": b"(" + text(MARK) + b"ios\nsystem\n.",
    "INST of a third-party function": b"(ithird\nparty\n.",
    "OBJ": b"(" + name("os", "system") + text(MARK) + b"o.",
    "OBJ and POP": b"(" + name("os", "system") + text(MARK) + b"o0N.",
    "OBJ of a third party": b"(" + name("third", "party") + b"o.",
    "NEWOBJ": name("subprocess", "Popen") + ARGS + b"\x81.",
    "NEWOBJ_EX": b"\x80\x04" + stack_name("subprocess", "Popen") + ARGS + b"}\x92.",
    "NEWOBJ_EX with keywords": b"\x80\x04" + stack_name("third", "Party") + b")}" + short("a") + b"Ns\x92.",
    "EXT1": b"\x82\x01.",
    "EXT2": b"\x83\x01\x00.",
    "EXT4": b"\x84\x01\x00\x00\x00.",
    "dotted name": b"\x80\x04" + stack_name("pathlib", "os.system") + ARGS + b"R.",
    "dotted name of a third party": b"\x80\x04" + stack_name("third", "Party.method") + b".",
    "dotted name of an allowed library": b"\x80\x04"
    + stack_name("stable_baselines3.common.policies", "th.hub.load")
    + b".",
    "dunder of an allowed library": b"\x80\x04"
    + stack_name("stable_baselines3.ppo.ppo", "PPO.__init__")
    + b".",
    "name through the memo": b"\x80\x04"
    + short("os")
    + b"\x940"
    + short("system")
    + b"\x940h\x00h\x01\x93"
    + ARGS
    + b"R.",
    "memo renamed": b"\x80\x04"
    + short("math")
    + b"q\x000"
    + short("os")
    + b"q\x000h\x00"
    + short("system")
    + b"\x93.",
    "name with a space": b"c os\nsystem\n.",
    "name that is none": b"cos\nsys tem\n.",
    "third party called": name("third", "party") + ARGS + b"R.",
    "third party with arguments": name("third", "Party") + ARGS + b"\x81.",
    "third party with a hostile state": name("third", "Party") + b")\x81" + text(MARK) + b"b.",
    "state on a class": name("third", "Party") + b"}" + text("a") + text("b") + b"sb.",
    "state on an allowed function": name("math", "cos") + b"}" + text("__code__") + b"Nsb.",
    "items on a class": name("third", "Party") + text("a") + b"Ns.",
    "items appended to a class": name("third", "Party") + b"Na.",
    "state of an allowed object": name("torch.nn.modules.linear", "Linear") + b")\x81" + text(MARK) + b"b.",
    "state that unpickles": name("stable_baselines3.common.vec_env.base_vec_env", "CloudpickleWrapper")
    + b")\x81.",
    "arguments of an allowed class": name("torch.nn.modules.linear", "Linear") + ARGS + b"\x81.",
    "allowed class called": name("torch.nn.modules.linear", "Linear") + ARGS + b"R.",
    "reconstructor of a third party's base": name("copy_reg", "_reconstructor")
    + name("third", "Party")
    + name("third", "Base")
    + text("x")
    + b"\x87R.",
    "getattr": name("builtins", "getattr") + name("third", "Party") + text("f") + b"\x86R.",
    "getattr of a module": name("builtins", "getattr")
    + name("dill", "_dill")
    + text("_unmarshal")
    + b"\x86R.",
    "setattr": name("builtins", "setattr") + name("third", "Party") + text("f") + b"N\x87R.",
    "attribute through dill": name("dill._dill", "_get_attr")
    + name("dill._dill", "_import_module")
    + text("os")
    + b"\x85R"
    + text("system")
    + b"\x86R"
    + ARGS
    + b"R.",
    "text evaluated by dill": name("dill._dill", "_eval_repr") + ARGS + b"R.",
    "file opened by dill": name("dill._dill", "_create_filehandle") + b".",
    "function by value called": name("cloudpickle.cloudpickle", "_make_function")
    + b"("
    + name("types", "CodeType")
    + b"(K\x00K\x00K\x00K\x01K\x43C\x01x)))"
    + text("f")
    + text("f")
    + b"K\x01C\x00tR}NNNtR)R.",
    "code from nothing": name("types", "CodeType") + b")R.",
    "module imported and called": name("cloudpickle.cloudpickle", "subimport") + text("os") + b"\x85R)R.",
    "encoding that runs code": name("_codecs", "encode") + text("x") + text("bz2") + b"\x86R.",
    "array of a third party": name("numpy", "dtype") + name("third", "Party") + b"\x85R.",
    "array class of a third party": name("numpy.core.multiarray", "_reconstruct")
    + name("third", "Party")
    + b"K\x00\x85C\x01b\x87R.",
    "ufunc of another module": name("numpy.core", "_ufunc_reconstruct")
    + text("os")
    + text("system")
    + b"\x86R.",
    "random generator of another module": name("numpy.random._pickle", "__bit_generator_ctor")
    + name("third", "Party")
    + b"\x85R.",
    "tensor rebuilt by something else": name("torch._tensor", "_rebuild_from_type_v2")
    + b"("
    + name("os", "system")
    + name("torch", "Tensor")
    + b"("
    + text(MARK)
    + b"t}tR.",
    "torch.hub": name("torch.hub", "load") + b".",
    "torch.load": name("torch.serialization", "load") + b".",
    "numpy.load": name("numpy", "load") + b".",
    "numpy.f2py": name("numpy.f2py", "compile") + b".",
    "pickle inside bytes": b"\x80\x04C" + bytes([len(INNER)]) + INNER + b".",
    "pickle inside a bytearray": b"\x80\x05\x96" + struct.pack("<Q", len(INNER)) + INNER + b".",
    "pickle inside encoded text": name("_codecs", "encode")
    + text(INNER.decode("latin1"))
    + text("latin1")
    + b"\x86R.",
    "pickle inside a Python 2 string": b"U" + bytes([len(INNER)]) + INNER + b".",
    "broken pickle inside bytes": b"\x80\x04C" + bytes([len(INNER)]) + INNER[:-2] + b"\xff." + b".",
    "pickle two deep": b"\x80\x04C"
    + bytes([len(INNER) + 5])
    + b"\x80\x04C"
    + bytes([len(INNER)])
    + INNER
    + b"..",
    "in a frame": frame(stack_name("os", "system") + ARGS + b"R."),
    "protocol 0": b"cos\nsystem\n(V" + MARK.encode() + b"\ntR.",
    "partial of a forbidden function": name("functools", "partial") + name("os", "system") + b"\x85R.",
    "factory that is forbidden": name("collections", "defaultdict") + name("os", "system") + b"\x85R.",
}


@pytest.mark.parametrize("case", UNSAFE)
def test_is_unsafe_and_does_not_run(case: str) -> None:
    found = read(UNSAFE[case])
    assert found.verdict is Verdict.UNSAFE
    assert not Path(MARK.split()[1]).exists()


def test_there_are_enough_cases() -> None:
    assert len(UNSAFE) >= 60


def test_the_forbidden_name_is_in_the_facts() -> None:
    found = read(b"\x80\x02" + name("os", "system") + ARGS + b"R.")
    (use,) = found.globals
    assert (use.module, use.name, use.offset, use.allowed) == ("os", "system", 2, False)


def test_names_in_an_inner_pickle_are_in_the_facts() -> None:
    found = read(UNSAFE["pickle two deep"])
    assert [(use.module, use.name) for use in found.globals] == [("os", "system")]
    assert found.globals[0].where.count("[pickle at byte") == 2


def test_a_name_is_listed_once_at_its_first_place() -> None:
    found = read(b"\x80\x02" + (name("math", "cos") + b"0") * 3 + b"N.")
    assert [(use.name, use.offset, use.allowed) for use in found.globals] == [("cos", 2, True)]


def test_bytes_that_only_look_like_a_pickle_are_bytes() -> None:
    found = read(pickle.dumps([b"\x80\x04 no pickle."]))
    assert found.root == [b"\x80\x04 no pickle."]
    assert found.verdict is Verdict.DATA_ONLY


def test_pickles_inside_pickles_are_followed_to_a_depth() -> None:
    data = INNER
    for _ in range(8):
        data = pickle.dumps(data)
    with pytest.raises(UnreadableCheckpointError, match="deeper"):
        read(data)


def test_a_class_of_a_third_party_is_a_reference() -> None:
    found = read(name("third.party", "Thing") + b".")
    assert found.root == ClassRef("third.party", "Thing")
    assert found.verdict is Verdict.DATA_ONLY
    assert [(fact.kind, fact.name) for fact in found.code] == [("reference", "third.party.Thing")]


@pytest.mark.parametrize(
    "made",
    [
        name("third.party", "Thing") + b")\x81",
        name("copy_reg", "_reconstructor")
        + name("third.party", "Thing")
        + name("builtins", "object")
        + b"N\x87R",
    ],
)
def test_an_instance_of_a_third_party_is_code(made: bytes) -> None:
    found = read(made + b"}" + text("x") + b"K\x01sb" + made + b"\x86.")
    assert found.verdict is Verdict.CONTAINS_CODE
    assert isinstance(found.root, tuple)
    first = found.root[0]
    assert isinstance(first, Instance)
    assert (str(first.cls), first.state) == ("third.party.Thing", {"x": 1})
    assert [fact.kind for fact in found.code].count("instance") == 1


def test_what_an_extended_list_gets_is_kept() -> None:
    found = read(name("third", "List") + b")\x81(K\x01K\x02e(" + text("a") + b"K\x03u.")
    assert isinstance(found.root, Instance)
    assert (found.root.items, found.root.pairs) == ([1, 2], [("a", 3)])


@pytest.mark.parametrize("protocol", range(6))
def test_inert_values_of_the_standard_library(protocol: int) -> None:
    import argparse
    import datetime as dt
    import decimal
    import fractions
    import functools
    import pathlib
    import types
    import typing
    import uuid

    now = dt.datetime(2020, 1, 2, tzinfo=dt.UTC)
    values = [
        argparse.Namespace(lr=1e-3),
        types.SimpleNamespace(a=1),
        now,
        now.date(),
        now.time(),
        dt.timedelta(1),
        pathlib.PurePosixPath("/a/b"),
        decimal.Decimal("1.5"),
        fractions.Fraction(1, 3),
        uuid.UUID(int=5),
        functools.partial(int, base=2),
        slice(1, 2),
        range(3),
        int,
        type(None),
        typing.Any,
        list[int],
        typing.Optional[int],  # noqa: UP045 - this spelling is the one under test
        int | None,
        print,
        NotImplemented,
        ...,
        object(),
    ]
    for value in values:
        found = read(pickle.dumps(value, protocol))
        assert found.verdict is Verdict.DATA_ONLY, (value, found.globals)
