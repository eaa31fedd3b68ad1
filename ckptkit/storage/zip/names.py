"""Member names: only those that every reader on every system takes for the same file."""

import re

from ckptkit.storage.zip.layout import MAX_NAME_BYTES, over_limit, refuse

_UTF8 = 0x800
_BAD = re.compile(r"[\x00-\x1f\x7f\\]")
_DRIVE = re.compile(r"[A-Za-z]:")
_WRONG = re.compile(r"[\x00-\x1f\x7f\\]|^[A-Za-z]:|(?:^|/)\.{0,2}(?:/|$)")
"""Found in every name that `_problem` has words for, and in no other."""


def decode(raw: bytes, flags: int, where: str) -> str:
    """Return the name of a member.

    Raises:
        UnreadableCheckpointError: The name is empty, of a directory, leaves its folder, is
            absolute, holds a drive, a backslash, NUL or control characters, or is not UTF-8
            (not ASCII, where the UTF-8 bit is unset).
        LimitExceededError: It is over `MAX_NAME_BYTES`.
    """
    if len(raw) > MAX_NAME_BYTES:
        over_limit(f"member name of {len(raw)} bytes, over the limit of {MAX_NAME_BYTES}", where)
    try:
        name = raw.decode("utf-8" if flags & _UTF8 else "ascii")
    except UnicodeDecodeError:
        refuse(f"member name {raw!r} is not text in the encoding that its flags state", where)
    if _WRONG.search(name):
        problem = _problem(name)
        refuse(f"member name {name!r} {problem}", where)
    return name


def _problem(name: str) -> str | None:
    if not name:
        return "is empty"
    if name.endswith("/"):
        return "is that of a directory"
    if name.startswith("/") or _DRIVE.match(name):
        return "is absolute"
    if _BAD.search(name):
        return "holds a backslash or a control character"
    if any(part in ("", ".", "..") for part in name.split("/")):
        return "leaves its folder or has an empty part"
    return None
