"""A zip archive of stored members, written in one pass.

A member's CRC stands in front of its bytes. Where no zip that they come from states it, it is known
behind them only; then the local header is written twice, the second time over the first.
"""

import zlib
from collections.abc import Callable
from dataclasses import replace

from ckptkit.storage.canonical_zip import Placed, directory, local_header
from ckptkit.storage.output import Output
from ckptkit.storage.zip.layout import FULL32
from ckptkit.writers.copying import Copy, Hashing, copy, recorded_crc32
from ckptkit.writers.plan import Planned

Settled = Callable[[int], None]
"""Told up to where the output will not change any more."""


class ZipOut:
    """Writes members in order.

    The caller writes each member's bytes to the output itself, right behind `begin`.
    """

    def __init__(self, output: Output, *, wide_from: int = FULL32) -> None:
        """Start an archive.

        Args:
            output: An empty file.
            wide_from: Size or offset from which zip64 fields are used.
        """
        self._output = output
        self._wide_from = wide_from
        self._members: list[Placed] = []

    def begin(self, name: str, size: int, crc32: int = 0) -> int:
        """Write a local header.

        Args:
            name: With the root folder.
            size: Of the contents that follow.
            crc32: Of them, where it is known; else `patch` states it later.

        Returns:
            Number of the member.
        """
        member = Placed(name, size, crc32, self._output.size)
        self._output.write(local_header(member, self._wide_from))
        self._members.append(member)
        return len(self._members) - 1

    def add(self, name: str, data: bytes) -> None:
        """Write a member whose contents are at hand."""
        self.begin(name, len(data), zlib.crc32(data))
        self._output.write(data)

    def add_tensor(
        self, name: str, planned: Planned, hashing: Hashing, settled: Settled = lambda _: None
    ) -> Copy:
        """Write a member that is a tensor's logical bytes; the caller is to `verify` the copies.

        Args:
            name: With the root folder.
            planned: The tensor.
            hashing: Hashes it.
            settled: Told up to where the output will not change any more.
        """
        tensor, output = planned.tensor, self._output
        known = recorded_crc32(tensor)

        def write(piece: bytes | memoryview) -> None:
            output.write(piece)
            if known is not None:
                settled(output.size)

        number = self.begin(name, tensor.nbytes, known or 0)
        made = copy(planned, write, hashing, crc=known is None)
        if known is not None:
            made.crc32 = known
        elif tensor.nbytes:
            self.patch(number, made.crc32)
        settled(output.size)
        return made

    def patch(self, number: int, crc32: int) -> None:
        """State the CRC of a member that has been written."""
        member = self._members[number] = replace(self._members[number], crc32=crc32)
        self._output.patch(member.offset, local_header(member, self._wide_from))

    def end(self) -> None:
        """Write the central directory."""
        self._output.write(directory(self._members, self._output.size, self._wide_from))
