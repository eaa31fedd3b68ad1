"""What a file claims to be, by its first bytes: names and endings are never asked.

Sources of the marks: APPNOTE.TXT 6.3.10 (zip), POSIX.1-2017 `pax` (tar), `7zFormat.txt`, RFC 1950 (zlib),
`lzma-file-format.txt` of xz 5.4, RAR 5.0 technical note, NEP 1 (npy).
"""

from ckptkit.model.source import Source
from ckptkit.storage import compressed
from ckptkit.storage.safetensors_file import is_safetensors
from ckptkit.storage.torch_legacy import is_legacy
from ckptkit.storage.zip import is_zip
from ckptkit.storage.zip.layout import END, END_MAGIC

HEAD_BYTES = 512
ZIP, LEGACY, TAR, COMPRESSED, NUMPY, SAFETENSORS, PICKLE = (
    "zip",
    "torch-legacy",
    "tar",
    "compressed",
    "numpy",
    "safetensors",
    "pickle",
)
ONNX = "onnx"
ONNX_MARK = b"\x08"
"""`ir_version`, the first field; what follows tells whether it is one."""
_NEWEST_PROTOCOL = 16
"""Beyond what Python writes, so that a protocol of the future is refused by name and not passed over."""
_UNOPENED = {
    b"7z\xbc\xaf\x27\x1c": "7z",
    b"Rar!\x1a\x07": "rar",
    b"\x5d\x00\x00": "lzma",
    b"\x78\x01": "zlib",
    b"\x78\x5e": "zlib",
    b"\x78\x9c": "zlib",
    b"\x78\xda": "zlib",
}
"""Containers that may hold a pickle and are not opened."""

_TEXT_STARTS = frozenset(bytes([one]) for one in b"()]}cIJKLMFGNSTUVXBC\x88\x89\x8a\x8c\x8e\x8f\x95")
"""First bytes of pickles that nothing marks."""


def kind_of(head: bytes) -> str:
    """Return what a file that starts with `head` claims to be; empty where that is open."""
    if is_zip(head):
        return ZIP
    if head[257:262] == b"ustar":
        return TAR
    if is_legacy(head):
        return LEGACY
    if compressed.kind_of(head):
        return COMPRESSED
    if head.startswith(b"\x93NUMPY"):
        return NUMPY
    if len(head) > 2 and head[0] == 0x80 and head[1] <= _NEWEST_PROTOCOL:
        return PICKLE
    return SAFETENSORS if is_safetensors(head) else ""


def unopened(head: bytes) -> str:
    """Return the name of a container that is known and not opened; empty for anything else."""
    return next((name for mark, name in _UNOPENED.items() if head.startswith(mark)), "")


def ends_as_zip(source: Source) -> bool:
    """Whether other programs would find the end of a zip archive in a file that does not start as one."""
    reach = min(source.size, END.size + 0xFFFF)
    return END_MAGIC in source.read(source.size - reach, reach)


def may_hold(head: bytes) -> bool:
    """Whether what starts with `head` is worth a look, inside a container."""
    return bool(kind_of(head) or unopened(head) or head[:1] in _TEXT_STARTS)
