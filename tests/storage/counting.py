"""A source that counts what is read through it."""

from ckptkit.model.source import Source


class Counting:
    """Another source, with the number of reads and of bytes that they gave."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.name, self.size = source.name, source.size
        self.reads = self.bytes = 0

    def read(self, offset: int, length: int) -> bytes:
        self.reads += 1
        self.bytes += length
        return self._source.read(offset, length)
