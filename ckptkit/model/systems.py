"""Which training system made a checkpoint, and how far the training had come: told by its contents.

Names of files and folders are never asked, but for a step that the contents do not say.
"""

from collections.abc import Callable, Mapping

from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.inert import ClassRef
from ckptkit.model.progress import counts, step_in_name

UNKNOWN = "unknown"
ASTEROIDS = "asteroids"
_COMPILED = "_orig_mod."


def system(checkpoint: Checkpoint) -> str:
    """Return `asteroids`, `keisei`, `metta`, `rl-snake`, `tetris`, `sb3`, or `unknown`."""
    return next((name for name, fits in _SYSTEMS if fits(checkpoint)), UNKNOWN)


def step(checkpoint: Checkpoint, name: str) -> tuple[int | None, str]:
    """Return how far the training had come, and the field that says so.

    Args:
        checkpoint: What was read; its own words come first.
        name: Name of the file, whose last number counts where the contents say nothing.

    Returns:
        The count and where it stands, `file name` for the name; None and an empty text where nothing
        says it.
    """
    for field, value in counts(checkpoint.training_info):
        if value >= 0:
            return value, field
    found = step_in_name(name.partition(".")[0])
    return (None, "") if found is None else (found, "file name")


def _names(checkpoint: Checkpoint) -> frozenset[str]:
    """Return the tensors' names without what `torch.compile` puts in front."""
    return frozenset(name.removeprefix(_COMPILED) for name in checkpoint.tensors)


def _is_metta(checkpoint: Checkpoint) -> bool:
    if checkpoint.format.startswith("metta-"):
        return True
    if checkpoint.training_info.keys() >= {"agent_step", "policy_path"}:
        return True
    return checkpoint.format == "torch-module" and any(
        fact.name.startswith(("metta.", "agent.")) for fact in checkpoint.code
    )


def _is_keisei(checkpoint: Checkpoint) -> bool:
    names = _names(checkpoint)
    tower = {"stem.weight", "bn_stem.weight", "policy_head.0.weight", "value_head.0.weight"}
    first = {"conv.weight", "policy_head.weight", "value_head.weight"}
    said = {"global_timestep", "total_episodes_completed"}
    return names >= tower or names >= first or checkpoint.training_info.keys() >= said


def _is_asteroids(checkpoint: Checkpoint) -> bool:
    config, names = checkpoint.model_config, _names(checkpoint)
    if config.keys() >= {"input_shape", "n_action", "dueling_dqn"}:
        return True
    if str(config.get("model_class", "")).startswith("Atari"):
        return True
    heads = any(name.startswith(("fc.0.", "value_stream.0.")) for name in names)
    encoder = "input_shape" in config and "encoder.0.weight" in names
    return encoder or ("conv.0.weight" in names and heads)


def _is_sb3(checkpoint: Checkpoint) -> bool:
    return checkpoint.model_config.get("system") == "stable-baselines3"


def _is_rl_snake(checkpoint: Checkpoint) -> bool:
    extractor = checkpoint.model_config.get("features_extractor")
    cls = extractor.get("class") if isinstance(extractor, Mapping) else None
    return isinstance(cls, ClassRef) and "rl_snake" in cls.module.split(".")


def _is_tetris(checkpoint: Checkpoint) -> bool:
    """Whether a slot's metadata says so, or the board of 40 numbers for each of 13 columns does."""
    if not _is_sb3(checkpoint):
        return False
    if "metadata" in checkpoint.training_info:
        return True
    seen, done = (checkpoint.spaces.get(side) for side in ("observation", "action"))
    board = isinstance(seen, Mapping) and list(seen.get("shape") or ()) == [40, 13]
    return board and isinstance(done, Mapping) and done.get("n") == 40


_SYSTEMS: tuple[tuple[str, Callable[[Checkpoint], bool]], ...] = (
    ("rl-snake", _is_rl_snake),
    ("tetris", _is_tetris),
    ("sb3", _is_sb3),
    ("metta", _is_metta),
    ("keisei", _is_keisei),
    (ASTEROIDS, _is_asteroids),
)
