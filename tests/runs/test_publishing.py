"""Publishing: bundles with digests, an index that is replaced whole, and what tampering shows."""

import json
from pathlib import Path

import pytest

from ckptkit import runs, schema
from ckptkit.errors import (
    IntegrityError,
    LevelError,
    NotACheckpointError,
    UnreadableCheckpointError,
    UsageError,
)
from tests.runs.conftest import damage


@pytest.fixture
def registry(run: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "registry"
    runs.publish(run / "model_100.pt", folder, "agent", aliases=["first"], metadata={"run": "a"})
    runs.publish(run / "model_200.pt", folder, "agent", aliases=["good"])
    return folder


def test_versions_are_numbered_and_aliases_move(registry: Path, run: Path) -> None:
    assert [(one.version, one.aliases) for one in runs.artifacts(registry)] == [
        (1, ("first",)),
        (2, ("good", "latest")),
    ]
    third = runs.publish(run / "model_300.pt", registry, "agent", aliases=["good"])
    assert (third.version, third.new, third.level) == (3, True, 2)
    assert [one.aliases for one in runs.artifacts(registry)] == [("first",), (), ("good", "latest")]
    assert runs.verify(registry).problems == ()


def test_the_index_follows_its_schema_and_says_what_is_known(registry: Path) -> None:
    document = json.loads((registry / "index.json").read_text())
    assert schema.validate("artifact-index-1.0", document, strict=True) == []
    assert document["artifacts"][0]["metadata"] == {
        "system": "unknown",
        "step": 100,
        "metrics": {"metadata.lines": -100.0, "metadata.score": 0.1, "step": 100.0},
        "run": "a",
    }


def test_the_same_content_is_no_new_version(registry: Path, run: Path) -> None:
    again = runs.publish(run / "model_100.pt", registry, "agent", aliases=["kept"])
    assert (again.version, again.new, again.aliases) == (1, False, ("first", "kept", "latest"))
    assert sorted(path.name for path in (registry / "agent").iterdir()) == ["v1", "v2"]
    assert runs.resolve(registry, "agent") == registry / "agent/v1"


def test_what_a_dead_run_left_is_replaced(registry: Path, run: Path) -> None:
    index = (registry / "index.json").read_bytes()
    runs.publish(run / "model_300.pt", registry, "agent")
    (registry / "index.json").write_bytes(index)
    third = runs.publish(run / "model_400.pt", registry, "agent")
    assert (third.version, third.new) == (3, True)
    assert runs.verify(registry).problems == ()


@pytest.mark.parametrize(("word", "version"), [("latest", 2), ("good", 2), ("first", 1), ("v1", 1)])
def test_a_word_leads_to_a_bundle(registry: Path, word: str, version: int) -> None:
    assert runs.resolve(registry, "agent", word) == registry / f"agent/v{version}"


def test_unknown_words_name_the_known_ones(registry: Path) -> None:
    with pytest.raises(UsageError, match="versions: v1, first, v2, good, latest"):
        runs.resolve(registry, "agent", "v9")
    with pytest.raises(UsageError, match="names: agent"):
        runs.resolve(registry, "other")


@pytest.mark.parametrize("name", ["ckpt.json", "model.safetensors"])
def test_tampering_is_found(registry: Path, name: str) -> None:
    damage(registry / "agent/v1" / name)
    (found,) = runs.verify(registry).problems
    assert found.path == registry / "agent/v1"
    with pytest.raises(IntegrityError):
        runs.resolve(registry, "agent", "v1")


def test_a_bundle_that_is_gone_is_found(registry: Path) -> None:
    (registry / "agent/v1").rename(registry / "elsewhere")
    assert [one.reason for one in runs.verify(registry).problems] == ["is missing"]


@pytest.mark.parametrize(
    ("name", "aliases"),
    [("../x", ()), ("", ()), ("a/b", ()), (".x", ()), ("index.json", ()), ("a", ("v3",)), ("a", ("b c",))],
)
def test_words_that_are_none_are_refused(
    run: Path, tmp_path: Path, name: str, aliases: tuple[str, ...]
) -> None:
    with pytest.raises(UsageError):
        runs.publish(run / "best.pt", tmp_path / "registry", name, aliases=aliases)
    assert not (tmp_path / "registry").exists()


def test_metadata_that_is_no_json_is_refused(run: Path, tmp_path: Path) -> None:
    for value in (float("nan"), {1, 2}, 2**60):
        with pytest.raises(UsageError, match="no JSON data"):
            runs.publish(run / "best.pt", tmp_path / "registry", "a", metadata={"x": value})


def test_a_level_that_is_not_reached_leaves_the_index_as_it_was(registry: Path, run: Path) -> None:
    before = (registry / "index.json").read_bytes()
    with pytest.raises(LevelError):
        runs.publish(run / "model_300.pt", registry, "agent", require_level=4)
    assert (registry / "index.json").read_bytes() == before


def test_a_broken_index_is_refused(tmp_path: Path, run: Path) -> None:
    for text in ("{", "[]", '{"artifacts": [{"path": "../../x"}]}'):
        (tmp_path / "index.json").write_text(text)
        with pytest.raises(UnreadableCheckpointError):
            runs.publish(run / "best.pt", tmp_path, "a")
    with pytest.raises(NotACheckpointError):
        runs.verify(run)
