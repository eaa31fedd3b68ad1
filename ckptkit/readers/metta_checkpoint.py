"""MettaAgent checkpoints, versions 1 and 2: standard, training and full-model saves."""

from collections.abc import Mapping

from ckptkit.errors import UnknownVersionError
from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.contents import Contents, contents
from ckptkit.model.torch_layout import METTA
from ckptkit.readers import Reader
from ckptkit.storage.probe import Probe
from ckptkit.storage.torch_contents import has_layout, read_torch

_VERSION_KEY = "checkpoint_format_version"
_KNOWN = (1, 2)
_CONFIG_KEYS = frozenset(
    (
        "action_space_version",
        "agent_attributes",
        "component_config",
        "layer_version",
        "model_type",
        "observation_space_version",
    )
)


def _recognises(probe: Probe) -> bool:
    return has_layout(probe, METTA)


def _read(probe: Probe) -> Checkpoint:
    """Read a save of any variant; version 1 is the one that states no version.

    Raises:
        UnknownVersionError: The file states another version.
        UnsupportedTensorError: A tensor has no form in a bundle.
    """
    root = probe.torch.root if probe.torch else None
    version = root.get(_VERSION_KEY, 1) if isinstance(root, Mapping) else 1
    if isinstance(version, bool) or not isinstance(version, int) or version not in _KNOWN:
        raise UnknownVersionError(
            f"MettaAgent checkpoint of unknown version: {_VERSION_KEY} is {_shown(version)}",
            where=str(probe.path),
            fix="versions 1 and 2 are known",
        )
    return read_torch(probe, METTA, _sort, version=str(version))


def _shown(version: object) -> str:
    return repr(version)[:40] if isinstance(version, int | float | str) else f"a {type(version).__name__}"


def _sort(root: object) -> Contents:
    entries = (
        {key: value for key, value in root.items() if key != _VERSION_KEY} if isinstance(root, dict) else {}
    )
    return contents(entries, _CONFIG_KEYS)


READER = Reader(METTA, "a MettaAgent checkpoint", _recognises, _read)
