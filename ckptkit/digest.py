"""Digests: pure functions from bytes and tensors to lowercase hex (`spec/integrity.md`)."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ckptkit.model.source import Source
from ckptkit.model.tensor import Tensor

_PIECE_BYTES = 4 << 20
_quoted = json.encoder.encode_basestring
LEAF, NODE = b"\x00", b"\x01"
"""Domain separation of RFC 6962, section 2.1."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """What the content digest binds of one tensor.

    Attributes:
        name: State-dict name.
        dtype: Safetensors spelling.
        shape: Sizes, outermost first.
        sha256: Hex digest of the logical bytes.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    sha256: str

    def encode(self) -> bytes:
        """Return the canonical JSON (RFC 8785) of `[name, dtype, shape, sha256]`."""
        sizes = ",".join(map(str, self.shape))
        return f"[{_quoted(self.name)},{_quoted(self.dtype)},[{sizes}],{_quoted(self.sha256)}]".encode()


def tensor_sha256(tensor: Tensor) -> str:
    """Hash the logical bytes of `tensor`: row-major, little-endian, as stored bit for bit."""
    digest = hashlib.sha256()
    for piece in tensor.pieces():
        digest.update(piece)
    return digest.hexdigest()


def source_sha256(source: Source) -> str:
    """Hash all bytes of a source."""
    digest = hashlib.sha256()
    for at in range(0, source.size, _PIECE_BYTES):
        digest.update(source.read(at, min(_PIECE_BYTES, source.size - at)))
    return digest.hexdigest()


def text_sha256(text: str) -> str:
    """Hash the UTF-8 bytes of `text`; lone surrogates, which file names can hold, included."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def content_digest(leaves: Iterable[Leaf]) -> str:
    """Return the Merkle root (RFC 6962) over `leaves`, sorted by the UTF-8 bytes of their names.

    It depends on names, dtypes, shapes and data alone: not on the container, the order in the
    file, or whether equal tensors share storage. No leaves give the sha256 of nothing.
    """
    ordered = sorted(leaves, key=lambda leaf: leaf.name.encode())
    hashes = [hashlib.sha256(LEAF + leaf.encode()).digest() for leaf in ordered]
    return _root(hashes).hex() if hashes else hashlib.sha256().hexdigest()


def _root(hashes: Sequence[bytes]) -> bytes:
    """Merkle tree hash of RFC 6962: split at the largest power of two below the length."""
    if len(hashes) == 1:
        return hashes[0]
    split = 1 << ((len(hashes) - 1).bit_length() - 1)
    return hashlib.sha256(NODE + _root(hashes[:split]) + _root(hashes[split:])).digest()
