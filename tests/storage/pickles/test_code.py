"""Code by value: what dill and cloudpickle write is described and listed, and never made."""

import abc
import dataclasses
import enum
import functools
import math
import os
import typing

import cloudpickle
import dill
import pytest

from ckptkit.model.finding import Verdict
from ckptkit.model.inert import CodeFact, Instance
from ckptkit.storage.pickles.code_objects import code_fact
from tests.storage.pickles.streams import name, read, text


def values() -> dict[str, object]:
    """Return functions and classes that exist only here, so that they are written by value."""
    scale = 3e-4

    def schedule(progress: float, *, low: float = 1e-5) -> float:
        """A schedule."""
        return max(progress * scale, low) + math.cos(0) * len(os.fspath("a"))

    class Base(abc.ABC):
        @abc.abstractmethod
        def forward(self) -> None: ...

    class Network(Base):
        count: typing.ClassVar[dict[str, int]] = {}

        def __init__(self, size: int = 64) -> None:
            super().__init__()
            self.size = size

        def forward(self) -> None:
            return None

        @property
        def width(self) -> int:
            return self.size

        @classmethod
        def make(cls) -> "Network":
            return cls()

        @staticmethod
        def twice(x: int | None) -> list[int]:
            return [x or 0] * 2

    @dataclasses.dataclass
    class Settings:
        rate: float = 1.0
        names: list[str] = dataclasses.field(default_factory=list)

    return {
        "schedule": schedule,
        "lambda": lambda x: x,
        "class": Network,
        "instance": Network(3),
        "method": Network(3).forward,
        "dataclass": Settings,
        "partial": functools.partial(schedule, low=0.0),
    }


@pytest.mark.parametrize("case", values())
@pytest.mark.parametrize("pickler", [cloudpickle, dill], ids=["cloudpickle", "dill"])
@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_code_by_value_is_described(case: str, pickler: typing.Any, protocol: int) -> None:
    options = {"recurse": True, "byref": False} if pickler is dill else {}
    found = read(pickler.dumps(values()[case], protocol=protocol, **options))
    assert found.verdict is Verdict.CONTAINS_CODE, [use for use in found.globals if not use.allowed]
    assert any(fact.kind == "code" for fact in found.code)


def test_names_and_constants_of_a_function_are_listed() -> None:
    found = read(cloudpickle.dumps(values()["schedule"]))
    code = next(fact for fact in found.code if fact.kind == "code")
    assert code.name.endswith("schedule")
    assert {"max", "math", "cos", "len", "os", "fspath"} <= set(code.names)
    assert "'A schedule.'" in code.constants
    assert any(fact.kind == "function" for fact in found.code)


def test_a_class_is_listed_by_its_name() -> None:
    found = read(cloudpickle.dumps(values()["class"]))
    assert {"Network", "Base"} <= {fact.name for fact in found.code if fact.kind == "class"}


def test_enums_by_value() -> None:
    class Color(enum.Enum):
        RED = 1

    found = read(cloudpickle.dumps([Color, Color.RED]))
    assert found.verdict is Verdict.CONTAINS_CODE


FILE, NAME = "file.py", "f"
LAYOUTS = {
    "2.7": (0, 0, 1, 67, "code", ("c",), ("n",), ("v",), FILE, NAME, 1, "", (), ()),
    "3.6": (0, 0, 0, 1, 67, b"code", ("c",), ("n",), ("v",), FILE, NAME, 1, b"", (), ()),
    "3.8": (0, 0, 0, 0, 1, 67, b"code", ("c",), ("n",), ("v",), FILE, NAME, 1, b"", (), ()),
    "3.11": (0, 0, 0, 0, 1, 67, b"code", ("c",), ("n",), ("v",), FILE, NAME, "C.f", 1, b"", b"", (), ()),
    "3.11 dill": (
        b"ln",
        0,
        0,
        0,
        0,
        1,
        67,
        b"code",
        ("c",),
        ("n",),
        ("v",),
        FILE,
        NAME,
        "C.f",
        1,
        b"",
        b"",
        (),
        (),
    ),
}


@pytest.mark.parametrize("version", LAYOUTS)
def test_code_of_every_python(version: str) -> None:
    label = "C.f" if version.startswith("3.11") else "f"
    assert code_fact(LAYOUTS[version], "w") == CodeFact("code", label, "w", ("n",), ("'c'",))


def test_constants_are_cut_short() -> None:
    big = (
        0,
        0,
        0,
        0,
        1,
        67,
        b"c",
        ("x" * 10**6, 1 << 5000, (b"y" * 10**6,), frozenset("z")),
        (),
        (),
        FILE,
        NAME,
        1,
    )
    fact = code_fact(big, "w")
    assert fact is not None
    assert fact.constants[1] == "an integer of 5001 bits"
    assert all(len(text) <= 120 for text in fact.constants)


def test_types_by_name_are_judged_as_the_types_themselves() -> None:
    assert str(read(name("dill._dill", "_load_type") + text("int") + b"\x85R.").root) == "builtins.int"
    assert read(name("dill._dill", "_load_type") + text("eval") + b"\x85R.").verdict is Verdict.UNSAFE


def test_attributes_by_name_are_judged_as_what_they_name() -> None:
    module = name("dill._dill", "_import_module") + text("math") + b"\x85R"
    found = read(name("dill._dill", "_get_attr") + module + text("cos") + b"\x86R.")
    assert str(found.root) == "math.cos"


def test_the_state_of_a_function_is_kept_beside_it() -> None:
    found = read(cloudpickle.dumps(values()["schedule"]))
    assert isinstance(found.root, Instance)
    assert isinstance(found.root.state, tuple)
