"""Pickle opcodes for plain Python data, and for names; what else a writer emits it adds to this."""

import struct
from collections.abc import Mapping


class Pickler:
    """Appends opcodes; texts and names that stood before are fetched from the memo.

    Attributes:
        out: What has been written.
    """

    def __init__(self) -> None:
        self.out = bytearray()
        self._memo: dict[tuple[str, ...], int] = {}

    def save(self, value: object) -> None:
        """Append a value: None, bool, int, float, str, list, tuple, a mapping, or what `other` takes.

        Raises:
            TypeError: It is something else.
        """
        match value:
            case None:
                self.out += b"N"
            case bool():
                self.out += b"\x88" if value else b"\x89"
            case int():
                self.out += _integer(value)
            case float():
                self.out += b"G" + struct.pack(">d", value)
            case str():
                self.text(value)
            case _:
                self._container(value)

    def _container(self, value: object) -> None:
        match value:
            case tuple():
                self._tuple(value)
            case list():
                self.out += b"]"
                self.batch(value, b"e")
            case Mapping():
                self.out += b"}"
                self.batch([part for pair in value.items() for part in pair], b"u")
            case _:
                self.other(value)

    def other(self, value: object) -> None:
        """Append a value that is no plain data.

        Raises:
            TypeError: There is no form for it.
        """
        raise TypeError(f"{type(value).__name__} has no place in this pickle")

    def batch(self, items: list[object], end: bytes) -> None:
        """Append a mark, items and the opcode that takes them; nothing where there are none."""
        if items:
            self.out += b"("
            for item in items:
                self.save(item)
            self.out += end

    def _tuple(self, value: tuple[object, ...]) -> None:
        short = (b")", b"\x85", b"\x86", b"\x87")
        if len(value) >= len(short):
            self.out += b"("
        for item in value:
            self.save(item)
        self.out += short[len(value)] if len(value) < len(short) else b"t"

    def text(self, value: str) -> None:
        """Append a text."""
        if not self._fetch(("text", value)):
            data = value.encode()
            self.out += b"X" + struct.pack("<I", len(data)) + data
            self._keep(("text", value))

    def named(self, module: str, name: str) -> None:
        """Append the class or function of that name, for the reader to look up.

        Raises:
            TypeError: The name would end early, and what follows would be read as opcodes.
        """
        if "\n" in module + name:
            raise TypeError(f"{module + name!r} is no name")
        if not self._fetch(("global", module, name)):
            self.out += f"c{module}\n{name}\n".encode()
            self._keep(("global", module, name))

    def _fetch(self, key: tuple[str, ...]) -> bool:
        place = self._memo.get(key)
        if place is not None:
            self.out += b"h" + bytes([place]) if place < 256 else b"j" + struct.pack("<I", place)
        return place is not None

    def _keep(self, key: tuple[str, ...]) -> None:
        place = self._memo[key] = len(self._memo)
        self.out += b"q" + bytes([place]) if place < 256 else b"r" + struct.pack("<I", place)


def _integer(value: int) -> bytes:
    if 0 <= value < 1 << 8:
        return b"K" + struct.pack("<B", value)
    if 0 <= value < 1 << 16:
        return b"M" + struct.pack("<H", value)
    if -(1 << 31) <= value < 1 << 31:
        return b"J" + struct.pack("<i", value)
    length = value.bit_length() // 8 + 1
    return b"\x8a" + bytes([length]) + value.to_bytes(length, "little", signed=True)
