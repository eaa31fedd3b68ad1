"""Pointer files that stand where a checkpoint should be: Git LFS and DVC.

Sources: git-lfs 3.7 `docs/spec.md`, "The Pointer"; DVC 3.60 user guide, ".dvc files".
"""

import re
from dataclasses import dataclass
from pathlib import Path

from ckptkit.errors import PointerError

MAX_POINTER_BYTES = 1024
"""Git LFS's own bound on a pointer."""

_LFS_VERSIONS = ("https://git-lfs.github.com/spec/v1", "https://hawser.github.com/spec/v1")
_LFS_OID = re.compile(r"sha256:([0-9a-f]{64})")
_DVC_OUTPUT = re.compile(
    r"- (?:md5|etag|checksum|hash|size|nfiles|isexec|path|version_id|cloud"
    r"|desc|type|remote|persist|cache|push): *\S"
)
_DVC_FIELD = re.compile(r"^[- ] (md5|etag|checksum|size|path): *(.+?) *$", re.MULTILINE)
_DIGITS = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class Pointer:
    """What a pointer says of the content that is not there.

    Attributes:
        kind: `git-lfs` or `dvc`.
        algorithm: `sha256`, `md5` or `etag`; empty where none is stated.
        digest: In hexadecimal where the algorithm is a hash.
        size: Bytes of the content; None where it is not stated.
        path: Name of the content; empty where the pointer stands in its place.
    """

    kind: str
    algorithm: str
    digest: str
    size: int | None
    path: str = ""

    @property
    def fix(self) -> str:
        """The command that fetches the content."""
        return "git lfs pull" if self.kind == "git-lfs" else "dvc pull"


def parse(text: bytes) -> Pointer | None:
    """Return the pointer that a file consists of, or starts with; None where it is none."""
    try:
        lines = text[:MAX_POINTER_BYTES].decode().replace("\r\n", "\n")
    except UnicodeDecodeError:
        return None
    return _lfs(lines) or _dvc(lines)


def _lfs(text: str) -> Pointer | None:
    pairs = dict(line.partition(" ")[::2] for line in text.splitlines())
    if not text.startswith("version ") or pairs["version"] not in _LFS_VERSIONS:
        return None
    oid, size = _LFS_OID.fullmatch(pairs.get("oid", "")), pairs.get("size", "")
    digest = oid.group(1) if oid else ""
    return Pointer("git-lfs", "sha256" if oid else "", digest, int(size) if _DIGITS.fullmatch(size) else None)


def _dvc(text: str) -> Pointer | None:
    """Read the first output of a `.dvc` file, which is YAML in one fixed form."""
    _, marker, outputs = f"\n{text}".partition("\nouts:\n")
    if not marker or not _DVC_OUTPUT.match(outputs):
        return None
    first, *_ = outputs[2:].split("\n- ")
    fields = {name: value.strip("'\"") for name, value in _DVC_FIELD.findall(f"- {first}")}
    algorithm = next((name for name in ("md5", "etag", "checksum") if name in fields), "")
    size = fields.get("size", "")
    return Pointer(
        "dvc",
        algorithm,
        fields.get(algorithm, "").removesuffix(".dir"),
        int(size) if _DIGITS.fullmatch(size) else None,
        fields.get("path", ""),
    )


def refuse(pointer: Pointer, where: str) -> PointerError:
    """Return the error for a pointer met where content is needed."""
    name = "Git LFS" if pointer.kind == "git-lfs" else "DVC"
    content = f" of {pointer.path}" if pointer.path else ""
    size = f", {pointer.size} bytes" if pointer.size is not None else ""
    digest = f", {pointer.algorithm} {pointer.digest}" if pointer.digest else ""
    return PointerError(
        f"is a {name} pointer{content}: content not present{size}{digest}", where=where, fix=pointer.fix
    )


def beside(path: Path) -> Pointer | None:
    """Return the DVC pointer of a file that is not there; None where there is no `<path>.dvc`."""
    try:
        with path.with_name(f"{path.name}.dvc").open("rb") as file:
            return parse(file.read(MAX_POINTER_BYTES))
    except (OSError, ValueError):
        return None
