"""What code by value says is read alike for every Python that wrote it, and hostile code gives no reading."""

import dataclasses
import json
import types
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ckptkit.model.inert import ClassRef, Instance
from ckptkit.storage import pickles
from ckptkit.storage.bytecode.classes import read_class
from ckptkit.storage.bytecode.layouts import bytecode_index, code_parts
from ckptkit.storage.bytecode.tables import OPCODES

FOLDER = Path(__file__).parents[3] / "fixtures" / "code"
FILES = sorted(FOLDER.glob("*.pkl"))
VERSIONS = ("3.8", "3.9", "3.10", "3.11", "3.12", "3.13")


def load(path: Path) -> Instance:
    root = pickles.load(path.read_bytes(), where="x").root
    assert isinstance(root, Instance)
    return root


def reading(path: Path, **given: object) -> dict[str, object]:
    return read_class(load(path), given)


def test_there_are_fixtures_of_every_python() -> None:
    assert len(FILES) == 3 * 2 * len(VERSIONS)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_python_and_pickler_gives_the_same_reading(path: Path) -> None:
    name, _, version = path.stem.split("-")
    found = reading(path)
    versions = found.pop("python")
    assert isinstance(versions, list)
    assert version.removeprefix("py") in versions
    wanted = reading(FOLDER / f"{name}-cloudpickle-py3.11.pkl")
    assert wanted.pop("python") == ["3.11"]
    assert found == wanted
    json.dumps(found)


def calls(expression: object) -> Iterator[str]:
    """Yield the last name of everything that is called, in the order of the source."""
    if isinstance(expression, dict):
        called = expression.get("call")
        if isinstance(called, dict):
            yield str(called.get("attr"))
        for value in expression.values():
            yield from calls(value)
    elif isinstance(expression, list):
        for value in expression:
            yield from calls(value)


def test_a_loop_is_followed_as_often_as_its_keywords_say() -> None:
    path = FOLDER / "loop-dill-py3.12.pkl"
    for n_layers, widths in ((1, ()), (3, (9,)), (0, (4, 4))):
        found = reading(path, n_layers=n_layers, widths=widths)
        attributes = found["attributes"]
        assert isinstance(attributes, dict)
        made = list(calls(attributes["linear"]))
        assert made[0] == "Sequential"
        assert made.count("ReLU") == n_layers
        assert made.count("ELU") == len(widths)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"n_layers": 10**9}, "too often"),
        ({"n_layers": "two"}, "how often"),
        ({"n_layers": 1001}, "too often"),
        ({"n_layers": 900}, "too long"),
        ({"widths": ((1,) * 900,) * 900}, "too large"),
        ({"depth": 3}, "takes no keyword depth"),
    ],
)
def test_keywords_that_give_no_reading(given: dict[str, object], words: str) -> None:
    assert words in str(reading(FOLDER / "loop-dill-py3.12.pkl", **given)["unread"])


def modern(code: bytes, constants: tuple[object, ...], names: tuple[str, ...], variables: tuple[str, ...]):
    """Return a code object's arguments as Python 3.11 and newer have them."""
    counts = (len(variables), 0, 0, len(variables), 9, 3)
    rest = ("f.py", "f", "C.f", 1, b"", b"", (), ())
    return Instance(ClassRef("types", "CodeType"), (*counts, code, constants, names, variables, *rest))


def made_class(start: Instance, forward: Instance) -> Instance:
    """Return a class as dill makes it, over `torch.nn.Module`."""
    module = Instance(ClassRef("dill._dill", "_import_module"), ("torch.nn",))
    methods = {
        name: Instance(ClassRef("dill._dill", "_create_function"), (code, {"nn": module}, name, None, None))
        for name, code in (("__init__", start), ("forward", forward))
    }
    base = ClassRef("torch.nn.modules.module", "Module")
    return Instance(
        ClassRef("dill._dill", "_create_type"), (ClassRef("builtins", "type"), "C", (base,), methods)
    )


def assemble(*words: tuple[str, int]) -> bytes:
    """Return instructions of Python 3.14 with the inline caches that its `LOAD_ATTR` and others have."""
    numbers = {name: number for number, name in OPCODES[14].items()}
    caches = {"LOAD_GLOBAL": 4, "LOAD_ATTR": 9, "STORE_ATTR": 4, "CALL": 3, "BINARY_OP": 5}
    return b"".join(bytes([numbers[name], arg]) + bytes(2 * caches.get(name, 0)) for name, arg in words)


def test_instructions_of_python_3_14() -> None:
    start = assemble(
        ("RESUME", 0),
        ("LOAD_GLOBAL", 0),
        ("LOAD_ATTR", 3),
        ("LOAD_SMALL_INT", 3),
        ("LOAD_SMALL_INT", 2),
        ("CALL", 2),
        ("LOAD_FAST_BORROW", 0),
        ("STORE_ATTR", 2),
        ("LOAD_CONST", 0),
        ("RETURN_VALUE", 0),
    )
    forward = assemble(
        ("RESUME", 0),
        ("LOAD_FAST_BORROW", 0),
        ("LOAD_ATTR", 1),
        ("LOAD_FAST_BORROW", 1),
        ("CALL", 1),
        ("RETURN_VALUE", 0),
    )
    made = made_class(
        modern(start, (None,), ("nn", "Linear", "fc"), ("self",)),
        modern(forward, (None,), ("fc",), ("self", "x")),
    )
    found = read_class(made, {})
    linear = {"call": {"attr": "Linear", "of": {"global": "torch.nn"}}, "keywords": {}}
    assert found["attributes"] == {"fc": linear | {"args": [{"const": 3}, {"const": 2}]}}
    assert found["forward"] == {
        "call": {"attr": "fc", "of": {"self": None}},
        "args": [{"param": "x"}],
        "keywords": {},
    }
    assert found["python"] == ["3.14"]


def test_a_layout_that_is_this_pythons_own() -> None:
    def sample(self, x, *, scale=2):
        return self.layer(x) * scale

    code = sample.__code__
    args = (
        code.co_argcount,
        code.co_posonlyargcount,
        code.co_kwonlyargcount,
        code.co_nlocals,
        code.co_stacksize,
        code.co_flags,
        code.co_code,
        code.co_consts,
        code.co_names,
        code.co_varnames,
        code.co_filename,
        code.co_name,
        code.co_qualname,
        code.co_firstlineno,
        code.co_linetable,
        code.co_exceptiontable,
        code.co_freevars,
        code.co_cellvars,
    )
    assert types.CodeType(*args) == code
    parts = code_parts(args)
    assert parts is not None
    assert (parts.arguments, parts.keyword_only, parts.modern) == (2, 1, True)
    assert parts.code == code.co_code
    assert code_parts((b"line table", *args)) == parts


JUNK = st.one_of(
    st.none(),
    st.integers(-(2**70), 2**70),
    st.binary(max_size=40),
    st.text(max_size=8),
    st.tuples(),
    st.lists(st.text(max_size=4), max_size=4).map(tuple),
    st.lists(st.integers(), max_size=4),
)
FEW = [path for path in FILES if "stack" in path.stem or "loop" in path.stem]


@settings(max_examples=150, deadline=None)
@given(path=st.sampled_from(FEW), data=st.data())
def test_mangled_code_never_raises_and_is_never_long(path: Path, data: st.DataObject) -> None:
    """Arguments of a code object become junk, or its bytes do: a reading or a reason, and no error."""
    made = load(path)
    for code in list(code_objects(made)):
        args = list(code.args)
        if data.draw(st.booleans()):
            index = bytecode_index(tuple(args))
            raw = bytearray(args[index])
            for _ in range(data.draw(st.integers(0, 6))):
                raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
            args[index] = bytes(raw)
        else:
            args[data.draw(st.integers(0, len(args) - 1))] = data.draw(JUNK)
        code.args = tuple(args)
    found = read_class(made, {})
    assert ("unread" in found) != ("forward" in found)
    json.dumps(found)


@settings(max_examples=200, deadline=None)
@given(st.lists(JUNK, max_size=22).map(tuple))
def test_junk_is_no_code_object(args: tuple[object, ...]) -> None:
    code_parts(args)


@settings(max_examples=150, deadline=None)
@given(data=st.data(), path=st.sampled_from(FEW))
def test_parts_of_a_class_that_are_junk(data: st.DataObject, path: Path) -> None:
    made = load(path)
    every = list(instances(made))
    for _ in range(3):
        part = every[data.draw(st.integers(0, len(every) - 1))]
        args = list(part.args)
        if args and data.draw(st.booleans()):
            args[data.draw(st.integers(0, len(args) - 1))] = data.draw(JUNK)
            part.args = tuple(args)
        else:
            part.state = data.draw(JUNK)
    assert isinstance(read_class(made, {}), dict)


def test_an_endless_jump_ends() -> None:
    numbers = {name: number for number, name in OPCODES[10].items()}
    loop = bytes([numbers["JUMP_ABSOLUTE"], 0, numbers["RETURN_VALUE"], 0])
    for path in FILES:
        if path.stem.endswith("py3.10"):
            made = load(path)
            for code in code_objects(made):
                index = bytecode_index(tuple(code.args))
                code.args = (*code.args[:index], loop, *code.args[index + 1 :])
            assert "too many steps" in str(read_class(made, {})["unread"])


def instances(value: object, seen: set[int] | None = None) -> Iterator[Instance]:
    """Yield every described object below a value, once."""
    seen = set() if seen is None else seen
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, Instance):
        yield value
        for field in dataclasses.fields(value):
            yield from instances(getattr(value, field.name), seen)
    elif isinstance(value, dict):
        for item in value.values():
            yield from instances(item, seen)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from instances(item, seen)


def code_objects(made: Instance) -> Iterator[Instance]:
    """Yield the code objects of a class."""
    for one in instances(made):
        if isinstance(one.cls, ClassRef) and one.cls.name in ("CodeType", "_create_code"):
            yield one
