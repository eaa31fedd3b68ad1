"""Texts of a pickle stream changed in place, without running it: every other opcode stays as it is."""

import pickletools
from collections.abc import Callable

from ckptkit.errors import UnreadableCheckpointError

_TEXTS = ("BINUNICODE", "SHORT_BINUNICODE")
_FRAME = "FRAME"


def renamed_texts(data: bytes, change: Callable[[str], str]) -> bytes:
    """Return a stream whose texts were given to `change`.

    A stream of protocol 4 loses its frames, which no reader needs.

    Args:
        data: A whole stream that was read before, so that its opcodes are known to be sound.
        change: Gives the new text for each.

    Raises:
        UnreadableCheckpointError: It has texts in an older form.
    """
    opcodes = [(op.name, argument, at) for op, argument, at in pickletools.genops(data) if at is not None]
    ends = [*(at for _, _, at in opcodes[1:]), len(data)]
    made = bytearray()
    for (name, argument, at), end in zip(opcodes, ends, strict=True):
        if name == _FRAME:
            continue
        if name == "UNICODE" and isinstance(argument, str) and change(argument) != argument:
            raise UnreadableCheckpointError("its names are texts of pickle protocol 0")
        if name in _TEXTS and isinstance(argument, str) and change(argument) != argument:
            text = change(argument).encode("utf-8", "surrogatepass")
            made += b"X" + len(text).to_bytes(4, "little") + text
        else:
            made += data[at:end]
    return bytes(made)
