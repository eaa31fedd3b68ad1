"""The manifest: order, bytes, digests, and what is carried along."""

import hashlib
import json
from dataclasses import replace

import pytest

from ckptkit.errors import UnsupportedTensorError
from ckptkit.model import manifest as m
from ckptkit.model.bundle import BundleFacts
from ckptkit.model.checkpoint import Checkpoint, Dropped, Note, SourceFile
from ckptkit.model.inert import CodeFact
from ckptkit.storage.source import MemorySource

CHECKPOINT = Checkpoint(
    path="somewhere/agent.zip",
    format="sb3-zip",
    format_version="1.3.1a9",
    container="zip",
    files=(SourceFile("agent.zip", "weights", MemorySource(b"1234", "agent.zip")),),
    model_config={"net_arch": [64, (2, 3)], "bound": float("-inf")},
    training_info={"steps": 7},
    dropped=(Dropped("data:lr_schedule", "code"),),
    notes=(Note("stray-sidecar", "left alone", "x.json"),),
    code=(CodeFact("function", "f", "data:lr_schedule"),),
)


def entry(name: str, role: str = m.MODEL, **more: object) -> m.TensorEntry:
    return replace(m.TensorEntry(name, "F32", (2,), "a" * 64, 8, role), **more)


def build(checkpoint: Checkpoint = CHECKPOINT, **more: object) -> dict[str, object]:
    given: dict[str, object] = {
        "tensors": [entry("b"), entry("a")],
        "content_digest": "0" * 64,
        "training_state": None,
        "lineage": m.lineage(checkpoint, {"agent.zip": "c" * 64}),
    }
    return m.build(checkpoint, **(given | more))  # type: ignore[arg-type]


def test_keys_stand_in_the_order_of_the_specification() -> None:
    assert list(build()) == [
        "$schema", "spec_version", "critical", "files", "tensors", "content_digest", "architecture",
        "model_config", "spaces", "preprocessing", "postprocessing", "conformance", "training_info",
        "training_state", "lineage", "recovery", "extensions",
    ]  # fmt: skip


def test_tensors_are_sorted_model_first_then_by_utf_8_name() -> None:
    rows = [
        entry("z"),
        entry("training_state.a", m.TRAINING),
        entry("\ue000"),
        entry("\U0001f600"),
        entry("a"),
    ]
    made = build(tensors=rows)["tensors"]
    assert [row["name"] for row in made] == ["a", "z", "\ue000", "\U0001f600", "training_state.a"]  # type: ignore[attr-defined]


def test_placement_and_alias_are_written_only_where_there_are_any() -> None:
    placed = entry("b", file="model.safetensors", offset=64, alias_of="a").to_json()
    assert placed["file"] == "model.safetensors"
    assert placed["offset"] == 64
    assert placed["alias_of"] == "a"
    assert set(entry("a").to_json()) == {"name", "dtype", "shape", "sha256", "nbytes"}


def test_trees_are_encoded() -> None:
    assert build()["model_config"] == {"net_arch": [64, {"$tuple": [2, 3]}], "bound": {"$float": "-inf"}}


def test_lineage_names_the_source_and_what_was_left_behind() -> None:
    lineage = build()["lineage"]
    assert lineage["files"] == [  # type: ignore[index]
        {"path": "agent.zip", "size": 4, "sha256": "c" * 64, "role": "weights"}
    ]
    assert lineage["format_version"] == "1.3.1a9"  # type: ignore[index]
    assert lineage["dropped"] == [{"path": "data:lr_schedule", "reason": "code"}]  # type: ignore[index]
    assert lineage["code"] == [{"kind": "function", "name": "f", "where": "data:lr_schedule"}]  # type: ignore[index]


def test_a_v2_source_hands_on_what_only_its_manifest_says() -> None:
    before = {
        "architecture": {"family": "mlp"},
        "critical": ["x-a"],
        "extensions": {"x-a": 1},
        "lineage": {"n": 1},
    }
    source = replace(CHECKPOINT, bundle=BundleFacts("deploy", m.NAME, b"", before))
    made = build(source, lineage=m.carried(source)["lineage"])
    assert {key: made[key] for key in before} == before


def test_rendering_is_utf_8_with_a_newline_and_repeatable() -> None:
    data = m.render(build(tensors=[entry("größe")]))
    assert data.endswith(b"\n}\n")
    assert "größe".encode() in data
    assert json.loads(data) == build(tensors=[entry("größe")])
    assert data == m.render(build(tensors=[entry("größe")]))


def test_half_a_utf_16_pair_is_refused() -> None:
    with pytest.raises(UnsupportedTensorError, match="UTF-16"):
        m.render(build(replace(CHECKPOINT, training_info={"note": "a\ud800"})))


def test_the_digest_file_is_what_sha256sum_reads() -> None:
    digest = hashlib.sha256(b"{}").hexdigest()
    assert m.digest_line(b"{}").decode() == f"{digest}  ckpt.json\n"


def test_the_bundle_digest_does_not_depend_on_layout() -> None:
    made = build()
    assert m.bundle_digest(made) == m.bundle_digest(json.loads(json.dumps(dict(reversed(made.items())))))
