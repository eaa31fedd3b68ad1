"""What the Tetris trainer keeps beside `model.zip`: `metadata.json` of two forms, and a replay buffer.

`latest` and `final` hold what was trained and with which settings; `best` and the named slots hold how
good the agent was. Neither form has a version, and a slot may have none.
"""

from collections.abc import Callable, Mapping

from ckptkit.errors import CkptkitError
from ckptkit.model import ijson
from ckptkit.model.checkpoint import SourceFile
from ckptkit.model.source import Source
from ckptkit.storage.sb3.collected import Collected

ZIP, METADATA, REPLAY = "model.zip", "metadata.json", "replay_buffer.pkl"
MAX_BYTES = 1 << 20
FORMS = (
    frozenset(("total_timesteps_trained", "num_timesteps", "config")),
    frozenset(("best_lines", "episode", "timesteps")),
)
"""Fields of the two forms; a file has all of one."""

Open = Callable[[str], Source | None]
"""Opens a file beside the zip; None where there is none."""


def metadata(opened: Open, found: Collected) -> Mapping[str, object]:
    """Return what `metadata.json` says; empty where it is missing or of neither form; a part of one is noted.

    Args:
        opened: Opens a file of the slot's directory.
        found: Gets the file, and a note on what was not read.
    """
    source = opened(METADATA)
    if source is None:
        return {}
    try:
        data = source.read(0, min(source.size, MAX_BYTES + 1))
        said = ijson.parse(data, max_bytes=MAX_BYTES, legacy=True)
    except CkptkitError as error:
        found.note("stray-sidecar", f"{METADATA} could not be read: {error.what}", METADATA)
        return {}
    if not isinstance(said, dict) or not any(fields & said.keys() for fields in FORMS):
        return {}  # many programs call a file so
    if not any(fields <= said.keys() for fields in FORMS):
        found.note("stray-sidecar", f"{METADATA} lacks fields of a slot: not read", METADATA)
        return {}
    found.files.append(SourceFile(METADATA, "sidecar", source))
    return said


def check_network(said: Mapping[str, object], kwargs: object, found: Collected) -> None:
    """Note where the metadata's `net_arch` is not that of the zip, which is taken."""
    config = said.get("config")
    if not isinstance(config, Mapping) or not isinstance(kwargs, Mapping):
        return
    beside, inside = config.get("net_arch"), kwargs.get("net_arch")
    if None not in (beside, inside) and beside != inside:
        message = f"net_arch is {beside} in {METADATA} and {inside} in policy_kwargs; the zip is taken"
        found.note("contradiction", message, METADATA)


def note_replay_buffer(opened: Open, found: Collected) -> None:
    """Say that there is a replay buffer, which is never read."""
    if opened(REPLAY) is not None:
        message = "past observations, which are no weights: not read and not carried"
        found.note("replay-buffer", message, REPLAY)
