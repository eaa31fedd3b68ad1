"""Deploy bundles: what stands in them, that it repeats, and what is refused."""

import hashlib
import json
import struct
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from ckptkit.errors import (
    IntegrityError,
    TargetExistsError,
    UnreadableCheckpointError,
    UnsupportedTensorError,
    UsageError,
)
from ckptkit.model.checkpoint import Checkpoint, SourceFile
from ckptkit.model.inert import ClassRef, NdArray
from ckptkit.storage.source import FileSource, MemorySource
from ckptkit.writers.deploy import WRITER, write
from tests.writers.made import lifted, same


def tied() -> dict[str, torch.Tensor]:
    weight = torch.arange(12, dtype=torch.float32).reshape(3, 4)
    return {
        "head.weight": weight,
        "body.bias": torch.tensor([1, 2], dtype=torch.bfloat16),
        "embed.weight": weight,
        "steps": torch.tensor(7),
        "empty": torch.zeros(0, 3),
        "turned": weight.t(),
    }


def optimizer() -> dict[object, object]:
    moment = torch.ones(2, dtype=torch.float32)
    return {
        "state": {0: {"step": torch.tensor(3.0), "exp_avg": moment, "max": moment}},
        "param_groups": [{"lr": 1e-3, "betas": (0.9, 0.999), "params": [0]}],
        "bound": float("-inf"),
        "kind": ClassRef("torch.optim", "Adam"),
        "rng": NdArray("<u4", (2,), bytes(8)),
    }


def manifest(folder: Path) -> dict[str, object]:
    return json.loads((folder / "ckpt.json").read_bytes())


def tree_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_safetensors_reads_what_was_written(tmp_path: Path) -> None:
    source = tied()
    write(lifted(source), tmp_path / "out", False)
    read = load_file(tmp_path / "out" / "model.safetensors")
    alias = {t["name"]: t["alias_of"] for t in manifest(tmp_path / "out")["tensors"] if "alias_of" in t}
    assert alias == {"embed.weight": "head.weight"}
    assert dict.fromkeys(source, True) == {
        name: same(value, read[alias.get(name, name)]) for name, value in source.items()
    }


def test_header_is_sorted_aligned_and_without_holes(tmp_path: Path) -> None:
    write(lifted(tied()), tmp_path / "out", False)
    raw = (tmp_path / "out" / "model.safetensors").read_bytes()
    (length,) = struct.unpack_from("<Q", raw)
    assert (8 + length) % 64 == 0
    header = json.loads(raw[8 : 8 + length])
    assert header.pop("__metadata__") == {"format": "pt"}
    assert list(header) == ["steps", "empty", "head.weight", "turned", "body.bias"]
    starts = [entry["data_offsets"] for entry in header.values()]
    assert starts == [[0, 8], [8, 8], [8, 56], [56, 104], [104, 108]]
    assert len(raw) == 8 + length + 108


def test_manifest_places_and_hashes_every_tensor(tmp_path: Path) -> None:
    write(lifted(tied(), training_state={"optimizer": optimizer()}), tmp_path / "out", False)
    made = manifest(tmp_path / "out")
    for entry in made["tensors"]:
        raw = (tmp_path / "out" / entry["file"]).read_bytes()[entry["offset"] :][: entry["nbytes"]]
        assert hashlib.sha256(raw).hexdigest() == entry["sha256"]
    for entry in made["files"]:
        raw = (tmp_path / "out" / entry["path"]).read_bytes()
        assert (len(raw), hashlib.sha256(raw).hexdigest()) == (entry["size"], entry["sha256"])
    names = [entry["name"] for entry in made["tensors"]]
    model = [name for name in names if not name.startswith("training_state.")]
    assert names == sorted(model) + sorted(set(names) - set(model))


def test_training_state_is_a_tree_with_tensors_beside_it(tmp_path: Path) -> None:
    write(lifted(tied(), training_state={"optimizer": optimizer()}), tmp_path / "out", False)
    made = manifest(tmp_path / "out")
    at = "training_state.optimizer.state.0"
    assert made["training_state"]["optimizer"]["state"] == {
        "$dict": [
            [
                0,
                {
                    "step": {"$tensor": f"{at}.step"},
                    "exp_avg": {"$tensor": f"{at}.exp_avg"},
                    "max": {"$tensor": f"{at}.max"},
                },
            ]
        ]
    }
    entries = {entry["name"]: entry for entry in made["tensors"]}
    assert entries[f"{at}.max"]["alias_of"] == f"{at}.exp_avg"
    assert set(load_file(tmp_path / "out" / "training.safetensors")) == {f"{at}.step", f"{at}.exp_avg"}


def test_paths_that_read_alike_get_names_of_their_own(tmp_path: Path) -> None:
    state = {"a": {"b": torch.zeros(1)}, "a.b": torch.ones(1)}
    write(lifted(tied(), training_state=state), tmp_path / "out", False)
    made = manifest(tmp_path / "out")
    assert made["training_state"] == {
        "a": {"b": {"$tensor": "training_state.a.b"}},
        "a.b": {"$tensor": "training_state.a.b~2"},
    }


def test_same_input_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write(lifted(tied(), training_state=optimizer()), tmp_path / name, False)
    assert tree_of(tmp_path / "one") == tree_of(tmp_path / "two")
    assert str(tmp_path) not in (tmp_path / "one" / "ckpt.json").read_text()


def test_sha256sum_reads_the_digest_file(tmp_path: Path) -> None:
    write(lifted(tied()), tmp_path / "out", False)
    run = subprocess.run(
        ["sha256sum", "-c", "ckpt.json.sha256"], cwd=tmp_path / "out", capture_output=True, check=False
    )
    assert run.returncode == 0


def test_result_says_what_was_written(tmp_path: Path) -> None:
    done = write(lifted(tied(), training_state={"o": optimizer()}), tmp_path / "out", False)
    assert (done.tensors, done.aliases, done.training_tensors) == (6, 1, 3)
    assert {name for name, _, _ in done.files} == {path.name for path in (tmp_path / "out").iterdir()}
    for name, size, digest in done.files:
        raw = (tmp_path / "out" / name).read_bytes()
        assert (size, digest) == (len(raw), hashlib.sha256(raw).hexdigest())
    assert done.content_digest == manifest(tmp_path / "out")["content_digest"]


def test_lineage_hashes_the_source(tmp_path: Path) -> None:
    write(lifted(tied()), tmp_path / "out", False)
    assert manifest(tmp_path / "out")["lineage"]["files"] == [
        {
            "path": "agent.pth",
            "size": 6,
            "sha256": hashlib.sha256(b"source").hexdigest(),
            "role": "weights",
        }
    ]


def test_a_checkpoint_without_tensors_is_a_bundle_too(tmp_path: Path) -> None:
    done = write(lifted({}), tmp_path / "out", False)
    assert done.content_digest == hashlib.sha256().hexdigest()
    assert load_file(tmp_path / "out" / "model.safetensors") == {}


@pytest.mark.parametrize("name", ["", "a\0b", "__metadata__", "a\ud800"])
def test_names_that_cannot_be_written_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnsupportedTensorError):
        write(lifted({name: torch.zeros(1)}), tmp_path / "out", False)
    assert not list(tmp_path.iterdir())


def with_digest(digest: str) -> Checkpoint:
    made = lifted(tied())
    return replace(made, tensors={**made.tensors, "steps": replace(made.tensors["steps"], sha256=digest)})


def test_a_tensor_that_differs_from_its_digest_is_named(tmp_path: Path) -> None:
    write(with_digest(hashlib.sha256((7).to_bytes(8, "little")).hexdigest()), tmp_path / "good", False)
    with pytest.raises(IntegrityError, match="steps"):
        write(with_digest("0" * 64), tmp_path / "bad", False)
    assert [path.name for path in tmp_path.iterdir()] == ["good"]


class Rotten(MemorySource):
    """A zip member whose bytes are not those that were stored."""

    __slots__ = ()

    def verify(self) -> None:
        raise UnreadableCheckpointError("bytes do not match the CRC", where=self.name)


def test_a_rotten_source_is_not_converted(tmp_path: Path) -> None:
    made = lifted(tied())
    tensor = made.tensors["steps"]
    rotten = replace(tensor, storage=replace(tensor.storage, source=Rotten(bytes(8), "data/3")))
    with pytest.raises(UnreadableCheckpointError, match="CRC"):
        write(replace(made, tensors={**made.tensors, "steps": rotten}), tmp_path / "out", False)
    assert not list(tmp_path.iterdir())


def test_an_unreadable_source_file_leaves_nothing(tmp_path: Path) -> None:
    class Broken(MemorySource):
        __slots__ = ()

        def read(self, offset: int, length: int) -> bytes:
            raise UnreadableCheckpointError("became shorter", where=self.name)

    made = replace(lifted(tied()), files=(SourceFile("agent.pth", "weights", Broken(b"12", "agent.pth")),))
    with pytest.raises(UnreadableCheckpointError, match="shorter"):
        write(made, tmp_path / "out", False)
    assert not list(tmp_path.iterdir())


def test_an_existing_bundle_needs_force(tmp_path: Path) -> None:
    write(lifted(tied()), tmp_path / "out", False)
    before = tree_of(tmp_path / "out")
    with pytest.raises(TargetExistsError, match="--force"):
        write(lifted({"a": torch.zeros(1)}), tmp_path / "out", False)
    assert tree_of(tmp_path / "out") == before
    write(lifted({"a": torch.zeros(1)}), tmp_path / "out", True)
    assert set(load_file(tmp_path / "out" / "model.safetensors")) == {"a"}
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_force_replaces_nothing_but_a_bundle(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    write(lifted(tied()), tmp_path / "out", True)
    (tmp_path / "out" / "notes.txt").write_text("mine")
    with pytest.raises(TargetExistsError, match=r"notes\.txt"):
        write(lifted(tied()), tmp_path / "out", True)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "a").touch()
    with pytest.raises(TargetExistsError, match="no ckptkit bundle"):
        write(lifted(tied()), tmp_path / "other", True)


def test_force_replaces_a_bundle_whose_manifest_is_broken(tmp_path: Path) -> None:
    write(lifted(tied()), tmp_path / "out", False)
    (tmp_path / "out" / "ckpt.json").write_bytes(b"{")
    write(lifted(tied()), tmp_path / "out", True)
    assert manifest(tmp_path / "out")["spec_version"] == "2.0"


def test_the_source_is_never_written_over(tmp_path: Path) -> None:
    path = tmp_path / "agent.pth"
    path.write_bytes(b"source")
    files = (SourceFile("agent.pth", "weights", FileSource(path)),)
    made = replace(lifted(tied()), path=str(path), files=files)
    with pytest.raises((UsageError, TargetExistsError)):
        write(made, path, True)
    inside = replace(made, path=str(tmp_path), container="directory")
    with pytest.raises(UsageError, match="source"):
        write(inside, tmp_path / "out", False)
    assert path.read_bytes() == b"source"


def test_it_is_found_by_its_id() -> None:
    assert WRITER.id == "deploy"
