"""The versioned torch dict, 2.x: with the manifest `ckpt` a v2 bundle, without it a plain 2.0 dict."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import replace

from ckptkit.errors import UnknownVersionError
from ckptkit.model.bundle import BundleFacts
from ckptkit.model.checkpoint import Checkpoint, Note
from ckptkit.model.contents import Contents, bundle_contents, contents
from ckptkit.model.dict_v2 import decode, digests_of, manifest_of, map_tensors, stored_names, with_digest
from ckptkit.model.tensor import PIECE_BYTES, Tensor
from ckptkit.model.torch_layout import DICT_V2, SCHEME_KEYS, versioned
from ckptkit.model.tree import from_json, to_json
from ckptkit.readers import Reader
from ckptkit.storage import yaml_beside
from ckptkit.storage.probe import Probe
from ckptkit.storage.torch_contents import has_layout, read_torch

TREES = ("model_config", "training_info", "training_state")
NEWEST = (2, 0)
DIGEST_MEMBER = "ckpt.sha256"
_DIGEST_BYTES = 1024


def _recognises(probe: Probe) -> bool:
    return has_layout(probe, DICT_V2)


def _read(probe: Probe) -> Checkpoint:
    """Read the dict; a manifest in it is passed on as it is, for the checks to judge.

    Raises:
        UnknownVersionError: The version is not 2.x.
        UnsupportedTensorError: A tensor has no form in a bundle.
    """
    root = probe.torch.root if probe.torch else None
    if not isinstance(root, dict):
        raise TypeError("not a versioned dict")
    version = versioned(root)
    if not re.fullmatch(r"2(\.[0-9]+)?", version, re.ASCII):
        raise UnknownVersionError(
            f"versioned torch dict of unknown version {version[:40]}",
            where=str(probe.path),
            fix="versions 2.x are known",
        )
    newer = (Note("newer-minor", f"version {version} is newer than 2.0; what it adds was not read"),)
    read = _bundle if isinstance(root.get("ckpt"), dict) else _plain_dict
    checkpoint = read(probe, root, version)
    minor = int(version.partition(".")[2] or 0)
    return checkpoint if (2, minor) <= NEWEST else replace(checkpoint, notes=checkpoint.notes + newer)


def _plain_dict(probe: Probe, root: dict[object, object], version: str) -> Checkpoint:
    def sort(_: object) -> Contents:
        return contents({key: value for key, value in root.items() if key != "version"})

    return yaml_beside.attach(read_torch(probe, DICT_V2, sort, version=version), probe.path)


def _bundle(probe: Probe, root: dict[object, object], version: str) -> Checkpoint:
    manifest, problems = manifest_of(root["ckpt"])
    trees: dict[str, object] = {}
    for field in TREES:
        if field in root:
            try:
                trees[field] = decode(root[field])
            except ValueError as error:
                problems += (f"/{field}: {error}",)
                trees[field] = root[field]
    digests = digests_of(manifest)

    def sort(_: object) -> Contents:
        unknown = [str(key) for key in root if key not in SCHEME_KEYS]
        return _with_digests(bundle_contents(root["model_state_dict"], trees, unknown), digests)

    checkpoint = read_torch(probe, DICT_V2, sort, version=version)
    recorded, actual = _pickle_digests(probe)
    embedded = {
        "model_config": to_json(checkpoint.model_config),
        "training_info": to_json(checkpoint.training_info),
        "training_state": to_json(checkpoint.training_state, stored_names(), "training_state"),
    }
    facts = BundleFacts(
        "torch-dict", "data.pkl:ckpt", None, manifest, problems, recorded, actual, embedded=embedded
    )
    stated = manifest or {}
    spaces = _tree(stated.get("spaces"))
    return replace(
        checkpoint,
        bundle=facts,
        spaces=spaces if isinstance(spaces, dict) else {},
        preprocessing=_steps(stated.get("preprocessing")),
        postprocessing=_steps(stated.get("postprocessing")),
    )


def _with_digests(found: Contents, digests: Mapping[str, str]) -> Contents:
    name_of = stored_names()

    def placed(tensor: Tensor, path: str) -> Tensor:
        return with_digest(tensor, digests.get(name_of(tensor, path), ""))

    state = map_tensors(found.training_state, placed, "training_state")
    return replace(
        found,
        tensors={name: with_digest(tensor, digests.get(name, "")) for name, tensor in found.tensors.items()},
        training_state=state if isinstance(state, dict) else None,
    )


def _pickle_digests(probe: Probe) -> tuple[str, str]:
    """Return the digest that the archive records for its pickle, and the pickle's own; empty where none."""
    archive = probe.zip
    if archive is None or probe.torch is None:
        return "", ""
    folder = probe.torch.facts["root_folder"]
    recorded = ""
    if f"{folder}/{DIGEST_MEMBER}" in archive.members:
        recorded = archive.read(f"{folder}/{DIGEST_MEMBER}", _DIGEST_BYTES).decode("utf-8", "replace")
    source, digest = archive.source_of(f"{folder}/data.pkl"), hashlib.sha256()
    for at in range(0, source.size, PIECE_BYTES):
        digest.update(source.read(at, min(PIECE_BYTES, source.size - at)))
    return recorded.strip(), digest.hexdigest()


def _steps(value: object) -> tuple[Mapping[str, object], ...]:
    """Return the steps that are of the form of one; the schema reports the others."""
    steps = _tree(value)
    return tuple(step for step in steps if isinstance(step, dict)) if isinstance(steps, list) else ()


def _tree(value: object) -> object:
    try:
        return from_json(value)
    except ValueError:
        return None


READER = Reader(DICT_V2, "a versioned torch dict 2.x, a bundle where it holds a manifest", _recognises, _read)
