"""The quick validator, the library in Rust, and the explaining one never differ."""

import copy
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ckptkit import schema
from ckptkit.schema import apply, catalogue, fast
from ckptkit.schema.pattern import compiled
from ckptkit.schema.quick import Compiler
from tests.conformance.cases import CASES
from tests.spec import prose


def slow(name: str, strict: bool, document: object) -> bool:
    return apply._problems(apply._validator(name, strict), document) == []


def by_library(name: str, strict: bool, document: object) -> bool:
    """Whether jsonschema-rs calls a document valid; what the oracle says where it is not installed."""
    if not fast.is_installed():
        return slow(name, strict, document)
    return apply._fast(name, strict)(document)


needs_library = pytest.mark.skipif(not fast.is_installed(), reason="jsonschema-rs is not installed")


def documents() -> list[tuple[str, object]]:
    """Return a document of each schema; most are valid."""
    found: list[tuple[str, object]] = []
    for case in CASES:
        manifest = case.path / "ckpt.json"
        if case.name in ("deploy", "deploy-minimal", "field-extension") and manifest.is_file():
            found.append(("manifest-2.0", json.loads(manifest.read_bytes())))
    for block in prose.json_blocks("fragment"):
        name, _, part = block.tags["fragment"].partition("#")
        if not part:
            found.append((name, json.loads(block.text)))
    (example,) = prose.json_blocks("manifest")
    return [*found, ("manifest-2.0", json.loads(example.text))]


DOCUMENTS = documents()
VALUES = st.sampled_from(
    [
        None,
        True,
        False,
        0,
        1,
        -1,
        1.0,
        0.5,
        2**53,
        "",
        "x",
        "x-a",
        "..",
        "../a",
        "a\n",
        "0" * 64,
        "0" * 64 + "\n",
        "F32",
        "Box",
        "2.0",
        "2.0\n",
        [],
        [1],
        [[1, 2]],
        {},
        {"a": 1},
        {"$float": "nan"},
        {"$float": 1},
        {"$tuple": []},
        {"$tuple": [], "b": 1},
        {"$dict": [[1, 2]]},
        {"$dict": [[1]]},
        {"$tensor": "t"},
        {"$new": 1},
        {"$ndarray": {"dtype": "<f4", "shape": [1], "data": "AAAAAA=="}},
        {"$bytes": "AA=="},
        {"$bytes": "AA"},
        {"$int": "9007199254740993"},
        {"$int": "12"},
        {"$class": "a:b"},
        {"$complex": [1, {"$float": "inf"}]},
        {"type": "Discrete", "n": 2, "start": 0},
        {"type": "Box"},
        ["x-a", "x-a"],
    ]
)
KEYS = st.sampled_from(["x-a", "$float", "$tensor", "type", "alias_of", "offset", "colour", "shape", "low"])


def places(value: object) -> list[tuple[object, object]]:
    """Return each (container, key) in a document."""
    items = (
        list(value.items())
        if isinstance(value, dict)
        else list(enumerate(value))
        if isinstance(value, list)
        else []
    )
    return [(value, key) for key, _ in items] + [place for _, item in items for place in places(item)]


@settings(max_examples=600, deadline=None)
@given(st.data())
def test_mutated_documents_are_judged_alike(data: st.DataObject) -> None:
    name, original = data.draw(st.sampled_from(DOCUMENTS))
    document = copy.deepcopy(original)
    for _ in range(data.draw(st.integers(0, 3))):
        found = places(document)
        if not found:
            break
        holder, key = data.draw(st.sampled_from(found))
        match data.draw(st.sampled_from(["replace", "delete", "add"])):
            case "replace":
                holder[key] = copy.deepcopy(data.draw(VALUES))
            case "delete":
                del holder[key]
            case _ if isinstance(holder, dict):
                holder[data.draw(KEYS)] = copy.deepcopy(data.draw(VALUES))
            case _:
                holder.append(copy.deepcopy(data.draw(VALUES)))
    for strict in (False, True):
        said = apply._problems(apply._validator(name, strict), document)
        assert apply._is_valid(name, strict, document) == (said == [])
        assert apply._problems(apply._validator(name, strict, guided=True), document) == said
        assert not fast.suits(document, 0) or by_library(name, strict, document) == (said == [])


@needs_library
def test_a_large_document_is_judged_by_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apply, "_quick", None)
    manifest = next(one for name, one in DOCUMENTS if name == "manifest-2.0" and fast.suits(one, 0))
    large = {**manifest, "x-a": list(range(fast.LARGE))}
    assert schema.validate("manifest-2.0", large, strict=True) == []
    with pytest.raises(TypeError):
        schema.validate("manifest-2.0", manifest, strict=True)


@needs_library
def test_a_whole_float_is_no_integer_to_any_of_them() -> None:
    ((_, manifest), *_) = DOCUMENTS
    document = {**manifest, "x-a": list(range(fast.LARGE))}
    document["tensors"] = [{**row, "nbytes": float(row["nbytes"])} for row in manifest["tensors"]]
    assert by_library("manifest-2.0", False, document)
    problems = schema.validate("manifest-2.0", document)
    assert len(problems) == len(manifest["tensors"])
    assert all(problem.pointer.endswith("/nbytes") for problem in problems)


@needs_library
def test_what_the_library_cannot_hold_goes_to_the_others() -> None:
    assert not by_library("tree-1.0", False, {"a": object()})


@pytest.mark.parametrize("name", schema.names())
def test_each_value_is_judged_alike(name: str) -> None:
    @settings(max_examples=60, deadline=None)
    @given(VALUES)
    def check(value: object) -> None:
        for strict in (False, True):
            assert apply._is_valid(name, strict, value) == slow(name, strict, value)

    check()


def test_enough_documents_to_mutate() -> None:
    assert len(DOCUMENTS) >= 8
    assert {name for name, _ in DOCUMENTS} >= {"manifest-2.0", "tree-1.0", "spaces-1.0", "sb3-data-1.0"}


def test_an_unknown_keyword_is_an_error_and_never_passed_over() -> None:
    with pytest.raises(KeyError, match="unevaluatedProperties"):
        Compiler({"a": {"unevaluatedProperties": False}}).document("a")


def test_a_valid_document_needs_no_library() -> None:
    import subprocess
    import sys

    program = (
        "import json, sys; from ckptkit import schema;"
        "assert schema.validate_manifest(json.load(open(sys.argv[1]))) == [];"
        "assert not {'jsonschema', 'referencing', 'numpy'} & set(sys.modules)"
    )
    path = next(case.path for case in CASES if case.name == "deploy") / "ckpt.json"
    root = catalogue.folder().parent
    run = subprocess.run(
        [sys.executable, "-c", program, str(path)], cwd=root, capture_output=True, check=False
    )
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize(
    ("text", "matches", "misses"),
    [
        (r"^a$", ["a"], ["a\n", "b"]),
        (r"^[$]a\$", ["$a$", "$a$ "], ["a$"]),
        (r"^(?:/|$)", ["", "/x"], ["\n"]),
    ],
)
def test_patterns_end_where_the_text_ends(text: str, matches: list[str], misses: list[str]) -> None:
    assert all(compiled(text).search(each) for each in matches)
    assert not any(compiled(text).search(each) for each in misses)
