import copy
import json

import pytest
from jsonschema import Draft202012Validator

from ckptkit import schema
from ckptkit.schema.apply import INVALID, SHOWN, UNKNOWN, pointer, shorten, validate_part
from ckptkit.schema.strict import CLOSED, strict
from tests.spec import prose

(EXAMPLE,) = prose.json_blocks("manifest")


def manifest() -> dict[str, object]:
    made: dict[str, object] = json.loads(EXAMPLE.text)
    return made


def test_the_example_is_valid_in_both_forms() -> None:
    assert schema.validate_manifest(manifest()) == []
    assert schema.validate_manifest(manifest(), strict=True) == []


def test_every_problem_comes_at_once_in_document_order_and_in_words() -> None:
    broken = manifest()
    del broken["content_digest"], broken["critical"]
    broken["tensors"] = [
        {"name": str(i), "dtype": "F32", "shape": [], "sha256": "AB", "nbytes": 4} for i in range(12)
    ]
    broken["files"] = [
        {"path": "a/../b", "size": 1.0, "sha256": "0" * 64, "media_type": "x/y", "role": "Model"}
    ]
    found = [(problem.pointer, problem.message) for problem in schema.validate_manifest(broken)]
    assert found[:4] == [
        ("", 'lacks "critical", "content_digest"'),
        (
            "/files/0/path",
            (
                "must be a relative path with `/`, without empty, `.` or `..` parts, backslash, colon or "
                'control characters, is "a/../b"'
            ),
        ),
        ("/files/0/role", 'must be a lowercase word (hyphens allowed), is "Model"'),
        ("/files/0/size", "must be an integer, is 1.0"),
    ]
    assert [place for place, _ in found[4:]] == [f"/tensors/{i}/sha256" for i in range(12)]
    assert found == [(p.pointer, p.message) for p in schema.validate_manifest(copy.deepcopy(broken))]


def test_a_message_never_dumps_the_document() -> None:
    broken = manifest() | {"tensors": {str(i): "x" * 1000 for i in range(100)}, "spec_version": "3" * 9999}
    for problem in schema.validate_manifest(broken):
        assert len(problem.message) < 200
    assert shorten({"a": 1}) == "an object of 1 member"
    assert shorten([1, 2]) == "an array of 2 items"
    assert len(shorten("y" * 500)) == SHOWN


def test_unknown_fields_are_tolerated_and_refused_by_the_strict_form() -> None:
    document = manifest() | {"colour": "red", "x-lab": 1}
    document["lineage"] = dict(document["lineage"], note="?")  # type: ignore[call-overload]
    document["tensors"][0]["stride"] = [1]  # type: ignore[index]
    assert schema.validate_manifest(document) == []
    found = schema.validate_manifest(document, strict=True)
    assert [(p.pointer, p.kind) for p in found] == [
        ("/colour", UNKNOWN),
        ("/lineage/note", UNKNOWN),
        ("/tensors/0/stride", UNKNOWN),
    ]
    assert schema.unknown_fields("manifest-2.0", document) == found


def test_a_tag_with_company_is_wrong_in_both_forms() -> None:
    document = manifest() | {"model_config": {"a": {"$float": "inf", "b": 1}}}
    for form in (False, True):
        found = schema.validate_manifest(document, strict=form)
        assert {(p.pointer, p.kind) for p in found} == {
            ("/model_config/a", INVALID),
            ("/model_config/a/b", INVALID),
        }


def test_trees_outside_the_training_state_refer_to_no_tensor() -> None:
    tree = {"deep": [{"$tuple": [{"$tensor": "t"}]}]}
    assert schema.validate_manifest(manifest() | {"training_state": tree}) == []
    for field in ("model_config", "training_info"):
        (problem,) = schema.validate_manifest(manifest() | {field: tree})
        assert problem.pointer == f"/{field}/deep/0/$tuple/0"


@pytest.mark.parametrize("value", [None, True, 1, "x", [], [{}]])
def test_a_manifest_of_another_type_is_one_problem(value: object) -> None:
    (problem,) = schema.validate("manifest-2.0", value)
    assert problem.message.startswith("must be an object, is ")


def test_depth_never_crashes() -> None:
    tree: object = 1
    for _ in range(900):
        tree = {"$tuple": [tree]}
    (problem,) = schema.validate("tree-1.0", tree)
    assert "deeply" in problem.message


def test_pointers_are_escaped() -> None:
    assert pointer(["a/b", 0, "~"]) == "/a~1b/0/~0"
    (problem,) = schema.unknown_fields("manifest-2.0", manifest() | {"a/b~": 1})
    assert problem.pointer == "/a~1b~0"


@pytest.mark.parametrize("name", schema.names())
def test_schemas_are_schemas_and_know_their_names(name: str) -> None:
    document = schema.find(name)
    Draft202012Validator.check_schema(document)
    Draft202012Validator.check_schema(strict(document))
    assert document["$id"] == f"https://ckptkit.dev/schemas/{name}.schema.json"
    assert document["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert CLOSED not in json.dumps(document)
    schema.validate(name, {})
    schema.validate(name, {}, strict=True)


def test_there_are_as_many_schemas_as_were_written() -> None:
    assert len(schema.names()) >= 8


def test_an_unknown_schema_is_named() -> None:
    for call in (schema.find, schema.read, lambda name: schema.validate(name, {})):
        with pytest.raises(KeyError, match=r"nothing-1\.0"):
            call("nothing-1.0")


SPACES = [
    {"type": "Box", "shape": [2], "dtype": "float32", "low": [-1.0, {"$float": "-inf"}], "high": 1},
    {"type": "Box", "shape": [], "dtype": "int64", "low": {"$int": "-9223372036854775808"}, "high": 5},
    {"type": "Discrete", "n": 4, "start": -1, "dtype": "int64"},
    {"type": "MultiDiscrete", "nvec": [2, 3], "start": [0, 1]},
    {"type": "MultiBinary", "shape": [4]},
    {"type": "Tuple", "spaces": [{"type": "Discrete", "n": 2, "start": 0}]},
    {"type": "Dict", "spaces": [{"key": "a", "space": {"type": "MultiBinary", "shape": [4]}}]},
    {"type": "Text", "min_length": 1, "max_length": 5, "characters": "abc"},
    {"type": "Sequence", "space": {"type": "MultiBinary", "shape": [4]}, "stack": False},
    {"type": "Graph", "node": {"type": "MultiBinary", "shape": [4]}, "edge": None},
    {"type": "unknown", "class": "some.Space"},
]


@pytest.mark.parametrize("space", SPACES, ids=lambda space: space["type"])
def test_each_space_is_known_and_every_member_of_it_needed(space: dict[str, object]) -> None:
    assert schema.validate("spaces-1.0", space, strict=True) == []
    for key in space.keys() - {"dtype", "start"}:
        assert schema.validate("spaces-1.0", {k: v for k, v in space.items() if k != key}), key
    assert schema.validate("spaces-1.0", space | {"colour": 1}, strict=True)


@pytest.mark.parametrize(
    "space",
    [
        {"type": "Cube"},
        {"type": "Box", "shape": [-1], "dtype": "float32", "low": 0, "high": 1},
        {"type": "Box", "shape": [1], "dtype": "float32", "low": "-inf", "high": 1},
        {"type": "Discrete", "n": 0, "start": 0},
        {"type": "Tuple", "spaces": [{"type": "Discrete", "n": 2.0, "start": 0}]},
        {"type": "Tuple", "spaces": [{"type": "Box"}]},
        {"type": "Dict", "spaces": [{"key": "a", "space": {"type": "Discrete"}}]},
        {"type": "Graph", "node": {"type": "MultiBinary", "shape": [4]}, "edge": {"type": "Box"}},
    ],
)
def test_broken_spaces_are_refused(space: dict[str, object]) -> None:
    assert schema.validate("spaces-1.0", space)


def test_a_part_of_a_schema_applies_by_itself() -> None:
    assert validate_part("manifest-2.0", "/$defs/sha256", "0" * 64) == []
    (problem,) = validate_part("manifest-2.0", "/$defs/sha256", "0" * 63)
    assert problem.pointer == ""
