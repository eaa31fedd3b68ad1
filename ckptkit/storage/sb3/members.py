"""Which members a Stable-Baselines3 zip has, and what they prove of its age.

Sources: stable-baselines3, `common/save_util.py` at the tags v0.8.0, v0.9.0, v1.3.0, v1.8.0 and
v2.9.2; stable-baselines 2.10.2, `common/save_util.py`.
"""

import re

from ckptkit.errors import CkptkitError, UnknownVersionError, UnreadableCheckpointError
from ckptkit.storage.sb3.collected import Collected
from ckptkit.storage.zip import ZipArchive

DATA = "data"
POLICY = "policy.pth"
VERSION = "_stable_baselines3_version"
SYSTEM_INFO = "system_info.txt"
VARIABLES = ("pytorch_variables.pth", "tensors.pth")
"""The second is the name until 0.9."""
OLDER = ("parameter_list", "parameters")
"""Members that a Stable-Baselines 2 zip has and no Stable-Baselines3 zip."""

MAX_TEXT_BYTES = 1 << 16
NEWEST_MAJOR = 2
NEWEST_KNOWN = (2, 9)
_VERSION = re.compile(r"(\d+)\.(\d+)[0-9A-Za-z.+-]*")


def is_sb3(archive: ZipArchive) -> bool:
    """Whether the members are those that Stable-Baselines 2 or 3 writes; raises nothing."""
    names = archive.members
    if POLICY in names or VERSION in names:
        return True
    return DATA in names and (all(name in names for name in OLDER) or _starts_as_object(archive))


def _starts_as_object(archive: ZipArchive) -> bool:
    """Whether `data` begins as JSON does when SB3 writes it; a member of that name proves little."""
    try:
        source = archive.source_of(DATA)
        return source.read(0, min(source.size, 16)).lstrip().startswith(b"{")
    except CkptkitError:
        return False


def require(archive: ZipArchive) -> None:
    """Refuse a zip whose weights are not there.

    Raises:
        UnknownVersionError: It is a Stable-Baselines 2 zip.
        UnreadableCheckpointError: It has no `policy.pth`.
    """
    if POLICY in archive.members:
        return
    where = archive.source.name
    if all(name in archive.members for name in OLDER):
        raise UnknownVersionError(
            "a Stable-Baselines 2 zip (TensorFlow weights in `parameters`), an older format than "
            "Stable-Baselines3",
            where=where,
            fix="train or convert it with Stable-Baselines 2 itself; ckptkit reads Stable-Baselines3 zips",
        )
    present = ", ".join(sorted(archive.members)[:12])
    raise UnreadableCheckpointError(
        f"a Stable-Baselines3 zip without {POLICY}, so without weights (members: {present})", where=where
    )


def version(archive: ZipArchive, found: Collected) -> str | None:
    """Return the SB3 version that the zip states; None, with a note of what the members prove.

    Raises:
        UnknownVersionError: It is no version, or one of a major release that is not known.
    """
    if VERSION not in archive.members:
        found.note("no-version", f"states no SB3 version; its members are those of {_age(archive)}")
        return None
    text = archive.read(VERSION, MAX_TEXT_BYTES).decode(errors="replace").strip()
    match = _VERSION.fullmatch(text)
    where = f"{archive.source.name}:{VERSION}"
    if match is None or int(match[1]) > NEWEST_MAJOR:
        shown = repr(text if len(text) <= 40 else text[:40] + "…")
        raise UnknownVersionError(f"Stable-Baselines3 version {shown} is not known", where=where)
    if (int(match[1]), int(match[2])) > NEWEST_KNOWN:
        known = ".".join(map(str, NEWEST_KNOWN))
        found.note(
            "newer-version", f"written by Stable-Baselines3 {text}; known are those to {known}", VERSION
        )
    return text


def _age(archive: ZipArchive) -> str:
    if VARIABLES[1] in archive.members:
        return "0.8 or earlier"
    return "0.9 or later" if VARIABLES[0] in archive.members else "no release in particular"


def system_info(archive: ZipArchive, found: Collected) -> dict[str, object]:
    """Return the lines `- Key: value` of `system_info.txt` by key; empty where it is absent."""
    if SYSTEM_INFO not in archive.members:
        return {}
    text = archive.read(SYSTEM_INFO, MAX_TEXT_BYTES).decode(errors="replace")
    info: dict[str, object] = {}
    for line in text.splitlines():
        key, colon, value = line.removeprefix("- ").partition(":")
        if colon:
            info[key.strip()] = value.strip()
        elif line.strip():
            found.note("unknown-field", f"line without a key: {line[:60]!r}", SYSTEM_INFO)
    return info
