"""A Stable-Baselines3 zip, and what stands beside it, as one checkpoint."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ckptkit.errors import UnreadableCheckpointError
from ckptkit.model.checkpoint import Checkpoint, SourceFile
from ckptkit.model.finding import Verdict
from ckptkit.model.naming import kind_of, partial_sharing, plain, state_dict
from ckptkit.model.spaces import Space, describe, random_states
from ckptkit.model.tensor import Tensor
from ckptkit.model.tree import tensors_in
from ckptkit.storage.leftovers import is_unfinished, waiting_of
from ckptkit.storage.sb3 import data as data_member
from ckptkit.storage.sb3 import extractor, members, slot
from ckptkit.storage.sb3.algorithm import algorithm
from ckptkit.storage.sb3.beside import Beside
from ckptkit.storage.sb3.collected import Collected
from ckptkit.storage.sb3.schedules import SCHEDULES, schedule
from ckptkit.storage.sb3.values import unwrapped
from ckptkit.storage.torch_file import open_torch
from ckptkit.storage.zip import ZipArchive, is_zip

_SPACES = {"observation_space": "observation", "action_space": "action"}
WAY_OUT = (
    f"the weights can be taken out by themselves (unzip -p ZIP {members.POLICY} > policy.pth) and described: "
    "ckptkit recover policy.pth --assume stable-baselines3"
)
"""What helps where `data` is not what it should be; a zip with such a member is no sound one."""
_LEFT_OUT = {
    "_last_obs": "the environment's last observation, not part of the agent",
    "_last_original_obs": "the environment's last observation, not part of the agent",
    "_last_episode_starts": "the environment's state, not part of the agent",
    "_last_dones": "the environment's state, not part of the agent",
    "_last_lstm_states": "the state of an episode that was running, not part of the agent",
    "replay_buffer": "past observations, not part of the agent",
    "rollout_buffer": "past observations, not part of the agent",
}


@dataclass(slots=True)
class _Config:
    """What the fields of `data` become; `extractor` is the class as the pickle would make it."""

    model: dict[str, object] = field(default_factory=lambda: {"system": "stable-baselines3"})
    info: dict[str, object] = field(default_factory=dict)
    rest: dict[str, object] = field(default_factory=dict)
    spaces: dict[str, Space] = field(default_factory=dict)
    training: dict[str, object] = field(default_factory=dict)
    extractor: object = None


def read(archive: ZipArchive, path: Path, *, directory: bool) -> Checkpoint:
    """Read a zip that `members.is_sb3` claims, with the sidecars that belong to it.

    Args:
        archive: The zip.
        path: The zip's own path; what stands beside it is looked for from here.
        directory: Whether the user named the zip's directory and not the zip.

    Raises:
        UnknownVersionError: It is of another major version, or a Stable-Baselines 2 zip.
        UnreadableCheckpointError: A member or a sidecar is missing or broken.
        UnsupportedTensorError: It holds a tensor that no bundle can carry.
        UnsafeCheckpointError: A pickle asks for something forbidden and then breaks.
    """
    members.require(archive)
    unfinished = is_unfinished(path)
    found = Collected(files=[SourceFile(path.name, "weights", archive.source)])
    version = members.version(archive, found)
    system_info = members.system_info(archive, found)
    for name in archive.members:
        if not _checks_itself(archive, name):
            archive.check_crc(name)
    tensors = _policy(archive, found)
    config = _config(_fields(archive, found), found)
    training = _training(archive, found) | config.training
    beside = Beside(path)
    _extractor(config, beside, found)
    config.info |= _slot(config, beside, found)
    preprocessing = beside.statistics(config.spaces.get("observation"), found)
    if unfinished or is_unfinished(path):  # at the begin or at the end of the reading
        message = f"{path.name} and what stands beside it may be of two agents: new files wait here"
        found.note("unfinished", message, waiting_of(path).name)
    for note in partial_sharing({**tensors, **tensors_in(training)}):
        found.notes.append(note)
    info = {"sb3_version": version, "system_info": system_info, **config.info, "data": config.rest}
    return Checkpoint(
        path=str(path.parent if directory else path),
        format="sb3-directory" if directory else "sb3-zip",
        format_version=version,
        container="directory" if directory else "zip",
        files=tuple(found.files),
        tensors=tensors,
        training_state=training or None,
        model_config=config.model,
        training_info=info,
        spaces=config.spaces,
        preprocessing=preprocessing,
        verdict=found.verdict,
        code=tuple(found.code),
        globals=tuple(found.globals),
        dropped=tuple(found.dropped),
        notes=tuple(found.notes),
        carries_code=True,
    )


def _checks_itself(archive: ZipArchive, name: str) -> bool:
    """Whether a member is an archive whose own members have CRCs, which are compared when they are read.

    To compare its CRC as well would read every tensor of a file of which little is asked for.
    """
    source = archive.source_of(name)
    return name.endswith(".pth") and is_zip(source.read(0, min(4, source.size)))


def _policy(archive: ZipArchive, found: Collected) -> dict[str, Tensor]:
    """Return the state dict of `policy.pth`."""
    source = archive.source_of(members.POLICY)
    file = open_torch(source, where=members.POLICY)
    found.take(file)
    tensors = state_dict(file.root)
    if tensors is None and file.verdict is not Verdict.UNSAFE:
        raise UnreadableCheckpointError(f"holds a {kind_of(file.root)} and no state dict", where=source.name)
    if tensors is None or not isinstance(file.root, dict):
        return {}
    for key in file.root:
        if key not in tensors:
            found.drop(f"{members.POLICY}:{key}", "an entry of the state dict that is no tensor")
    return tensors


def _training(archive: ZipArchive, found: Collected) -> dict[str, object]:
    """Return every other `.pth` member as a tree, by its name without the suffix."""
    training: dict[str, object] = {}
    known = (members.DATA, members.POLICY, members.VERSION, members.SYSTEM_INFO)
    for name in archive.members:
        if name in known:
            continue
        if not name.endswith(".pth") or "/" in name:
            found.note("unknown-member", f"member {name!r} is none that Stable-Baselines3 writes", name)
            found.drop(name, "a member that Stable-Baselines3 does not write")
            continue
        file = open_torch(archive.source_of(name), where=name)
        found.take(file)
        key = "pytorch_variables" if name in members.VARIABLES else name.removesuffix(".pth")
        training[key], dropped = plain(file.root, key)
        found.drop_all(dropped)
    return training


def _fields(archive: ZipArchive, found: Collected) -> dict[str, object]:
    if members.DATA not in archive.members:
        message = "the member 'data' is missing: spaces, policy class and hyper-parameters are lost"
        found.note("lost-data", message, members.DATA)
        return {}
    raw = archive.read(members.DATA, data_member.MAX_BYTES)
    try:
        return data_member.fields(raw, f"{archive.source.name}:{members.DATA}", found)
    except UnreadableCheckpointError as error:
        error.fix = error.fix or WAY_OUT
        raise


def _config(values: Mapping[str, object], found: Collected) -> _Config:
    config = _Config()
    name = algorithm(values.get("policy_class"), values)
    if name:
        config.model["algorithm"] = name
    for key, value in values.items():
        if key in _SPACES:
            _space(config, key, value, found)
        elif key in _MODEL_FIELDS:
            _MODEL_FIELDS[key](config, key, value, found)
        elif key not in _LEFT_OUT:
            _training_field(config, key, value, found)
        elif value is not None:
            found.drop(f"data:{key}", _LEFT_OUT[key])
    return config


def _plain(value: object, place: str, found: Collected) -> object:
    tree, dropped = plain(value, place)
    found.drop_all(dropped)
    return tree


def _space(config: _Config, key: str, value: object, found: Collected) -> None:
    place = f"data:{key}"
    config.spaces[_SPACES[key]], notes = describe(value, place)
    found.notes.extend(notes)
    for path in random_states(value, place):
        found.drop(path, "the random state from which the space draws samples")


def _policy_class(config: _Config, key: str, value: object, found: Collected) -> None:
    named = extractor.class_of(value)
    if named is None:
        config.model[key] = _plain(value, f"data:{key}", found)
        return
    config.model[key] = named[0]
    if named[1] == "value":
        found.drop(f"data:{key}", "a class by value: its name is kept, its code is not")


def _policy_kwargs(config: _Config, key: str, value: object, found: Collected) -> None:
    kwargs = extractor.without_code(value, found) if isinstance(value, Mapping) else value
    config.model[key] = _plain(kwargs, f"data:{key}", found)
    if isinstance(value, Mapping):
        said = extractor.from_policy_kwargs(value)
        if said:
            # Whatever of it is not plain is recorded for policy_kwargs itself.
            config.extractor = said.pop(extractor.RAW)
            config.model["features_extractor"] = plain(said, "features_extractor")[0]


def _model_field(config: _Config, key: str, value: object, found: Collected) -> None:
    config.model[key] = _plain(value, f"data:{key}", found)


def _training_field(config: _Config, key: str, value: object, found: Collected) -> None:
    place = f"data:{key}"
    read = schedule(value) if key in SCHEDULES else None
    if read is not None:
        config.rest[key] = read.observation
        if read.is_code:
            found.drop(place, "a function by value: what it was seen to hold is kept, its code is not")
        return
    tree, dropped = plain(unwrapped(value), place)
    found.drop_all(dropped)
    if tensors_in(tree):
        held = config.training.setdefault("data", {})
        if isinstance(held, dict):
            held[key] = tree
    elif key == "num_timesteps":
        config.info[key] = tree
    elif tree is not None or value is None:
        config.rest[key] = tree


_MODEL_FIELDS: dict[str, Callable[[_Config, str, object, Collected], None]] = {
    "policy_class": _policy_class,
    "policy_kwargs": _policy_kwargs,
    "use_sde": _model_field,
    "n_quantiles": _model_field,
}
"""Fields of `data` that say what the network is."""


def _slot(config: _Config, beside: Beside, found: Collected) -> dict[str, object]:
    """Return what stands beside a zip that has a slot's name."""
    if beside.path.name != slot.ZIP:
        return {}
    said = slot.metadata(beside.open, found)
    slot.check_network(said, config.model.get("policy_kwargs"), found)
    slot.note_replay_buffer(beside.open, found)
    return {"metadata": said} if said else {}


def _extractor(config: _Config, beside: Beside, found: Collected) -> None:
    """Put what sidecars and `policy_kwargs` say of the extractor into the configuration."""
    said = beside.extractor(found)
    named = config.model.get("features_extractor")
    inside = {**named, extractor.RAW: config.extractor} if isinstance(named, dict) else {}
    merged = extractor.merged(inside, said, found)
    if merged:
        config.model["features_extractor"] = merged
