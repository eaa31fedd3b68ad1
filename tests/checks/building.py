"""Sound bundles as facts in memory, for tests to break in one place."""

import copy
import hashlib
import json
from dataclasses import replace

from ckptkit.digest import Leaf, content_digest
from ckptkit.model.bundle import BundleFacts, HeaderEntry, MemberFacts
from ckptkit.model.checkpoint import Checkpoint, SourceFile
from ckptkit.model.dtype import BY_NAME
from ckptkit.model.tensor import Storage, Tensor, contiguous_strides
from ckptkit.storage.source import MemorySource

TENSORS = {
    "a.weight": ("F32", (2, 3), bytes(range(24))),
    "a.bias": ("F32", (2,), b"\x00\x00\x80?" * 2),
    "steps": ("I64", (), (7).to_bytes(8, "little")),
}
TRAINING = {"training_state.optimizer.exp_avg": ("F32", (2, 3), bytes(24))}
TREE = {"optimizer": {"exp_avg": {"$tensor": "training_state.optimizer.exp_avg"}, "lr": 0.1}}
LINEAGE = {
    "files": [{"path": "ppo.zip", "size": 9, "sha256": "1b3e" + "0" * 60, "role": "weights"}],
    "format": "sb3-zip",
    "format_version": "1.3.1",
    "container": "zip",
    "tool": {"name": "ckptkit", "version": "0.1.0"},
    "verdict": "data-only",
    "migrations": [],
    "dropped": [],
}


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def entry(name: str, dtype: str, shape: tuple[int, ...], data: bytes, **place: object) -> dict[str, object]:
    made = {"name": name, "dtype": dtype, "shape": list(shape), "sha256": sha(data), "nbytes": len(data)}
    return made | place


def manifest_of(tensors: list[dict[str, object]], files: list[dict[str, object]]) -> dict[str, object]:
    leaves = [
        Leaf(str(row["name"]), str(row["dtype"]), tuple(row["shape"]), str(row["sha256"]))  # type: ignore[arg-type]
        for row in tensors
        if not str(row["name"]).startswith("training_state.")
    ]
    return {
        "$schema": "https://ckptkit.dev/schemas/manifest-2.0.schema.json",
        "spec_version": "2.0",
        "critical": [],
        "files": files,
        "tensors": tensors,
        "content_digest": content_digest(leaves),
        "architecture": None,
        "model_config": {"net_arch": [64, 64]},
        "spaces": {"action": {"type": "Discrete", "n": 2, "start": 0}},
        "preprocessing": [],
        "postprocessing": [],
        "conformance": None,
        "training_info": {"steps": 3},
        "training_state": copy.deepcopy(TREE),
        "lineage": copy.deepcopy(LINEAGE),
        "recovery": None,
        "extensions": {},
    }


def member(path: str, held: dict[str, tuple[str, tuple[int, ...], bytes]]) -> MemberFacts:
    """Return a weights file whose tensors lie one behind the other, from byte 64."""
    data, entries = b"h" * 64, {}
    for name, (dtype, shape, raw) in held.items():
        entries[name] = HeaderEntry(dtype, shape, len(data), len(raw))
        data += raw
    return MemberFacts(path, MemorySource(data, path), entries=entries, data_start=64)


def file_row(facts: MemberFacts, role: str) -> dict[str, object]:
    assert facts.source is not None
    data = facts.source.read(0, facts.source.size)
    kind = "application/vnd.safetensors"
    return {"path": facts.path, "size": len(data), "sha256": sha(data), "media_type": kind, "role": role}


def deploy() -> Checkpoint:
    """Return a directory bundle without a fault."""
    held = dict(sorted(TENSORS.items(), key=lambda item: -BY_NAME[item[1][0]].itemsize))
    model, training = member("model.safetensors", held), member("training.safetensors", TRAINING)
    rows = []
    for facts, tensors in ((model, TENSORS), (training, TRAINING)):
        for name in sorted(tensors):
            place = {"file": facts.path, "offset": facts.entries[name].offset}
            rows.append(entry(name, *tensors[name], **place))
    manifest = manifest_of(rows, [file_row(model, "model"), file_row(training, "training")])
    raw = json.dumps(manifest).encode()
    facts = BundleFacts(
        encoding="deploy",
        manifest_name="ckpt.json",
        manifest_bytes=raw,
        manifest=manifest,
        recorded_digest=sha(raw),
        actual_digest=sha(raw),
        members={model.path: model, training.path: training},
    )
    files = (SourceFile("ckpt.json", "manifest", MemorySource(raw, "ckpt.json")),)
    return Checkpoint(
        path="out/ppo",
        format="deploy",
        format_version="2.0",
        container="directory",
        files=files,
        bundle=facts,
    )


def tensor(dtype: str, shape: tuple[int, ...], data: bytes) -> Tensor:
    storage = Storage(MemorySource(data, "storage"))
    return Tensor(BY_NAME[dtype], shape, contiguous_strides(shape), 0, storage)


def torch_dict() -> Checkpoint:
    """Return a single-file bundle without a fault (its zip container is not looked at here)."""
    rows = [entry(name, *TENSORS[name]) for name in sorted(TENSORS)]
    rows += [entry(name, *TRAINING[name]) for name in TRAINING]
    manifest = manifest_of(rows, [])
    facts = BundleFacts(
        encoding="torch-dict",
        manifest_name="data.pkl:ckpt",
        manifest_bytes=None,
        manifest=manifest,
        recorded_digest="ab" * 32,
        actual_digest="ab" * 32,
        embedded={field: copy.deepcopy(manifest[field]) for field in ("model_config", "training_info")},
    )
    (moment,) = TRAINING.values()
    return Checkpoint(
        path="out/ppo.pt",
        format="v2",
        format_version="2.0",
        container="torch-zip",
        tensors={name: tensor(*held) for name, held in TENSORS.items()},
        training_state={"optimizer": {"exp_avg": tensor(*moment), "lr": 0.1}},
        bundle=facts,
    )


def changed(checkpoint: Checkpoint, **facts: object) -> Checkpoint:
    """Return the checkpoint with other bundle facts."""
    assert checkpoint.bundle is not None
    return replace(checkpoint, bundle=replace(checkpoint.bundle, **facts))  # type: ignore[arg-type]


def with_manifest(checkpoint: Checkpoint, **fields: object) -> Checkpoint:
    """Return the checkpoint with other fields in its manifest; None of them is checked."""
    assert checkpoint.bundle is not None
    return changed(checkpoint, manifest={**(checkpoint.bundle.manifest or {}), **fields})


def with_row(checkpoint: Checkpoint, index: int, **fields: object) -> Checkpoint:
    """Return the checkpoint with other fields in one tensor entry."""
    assert checkpoint.bundle is not None
    manifest = checkpoint.bundle.manifest
    assert manifest is not None
    rows = copy.deepcopy(manifest["tensors"])
    assert isinstance(rows, list)
    rows[index] = {key: value for key, value in (rows[index] | fields).items() if value is not None}
    return with_manifest(checkpoint, tensors=rows)


def with_file(checkpoint: Checkpoint, index: int, **fields: object) -> Checkpoint:
    """Return the checkpoint with other fields in one file entry."""
    assert checkpoint.bundle is not None
    manifest = checkpoint.bundle.manifest
    assert manifest is not None
    rows = copy.deepcopy(manifest["files"])
    assert isinstance(rows, list)
    rows[index] |= fields
    return with_manifest(checkpoint, files=rows)


def with_bytes(checkpoint: Checkpoint, path: str, data: bytes) -> Checkpoint:
    """Return the checkpoint with other bytes in one member (its parsed header stays)."""
    assert checkpoint.bundle is not None
    members = dict(checkpoint.bundle.members)
    entries = members[path].entries if path in members else {}
    members[path] = MemberFacts(path, MemorySource(data, path), entries=entries, data_start=64)
    return changed(checkpoint, members=members)


def bytes_of(checkpoint: Checkpoint, path: str) -> bytes:
    assert checkpoint.bundle is not None
    source = checkpoint.bundle.members[path].source
    assert source is not None
    return source.read(0, source.size)
