"""Raw facts of a v2 encoding (directory or torch dict), for the checks to judge."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ckptkit.model.source import Source


@dataclass(frozen=True, slots=True)
class HeaderEntry:
    """One tensor as the container itself lists it (safetensors header, pickled tensor).

    Attributes:
        dtype: Spelling in the container's header.
        shape: As stated.
        offset: First byte in the file.
        nbytes: Length in bytes.
    """

    dtype: str
    shape: tuple[int, ...]
    offset: int
    nbytes: int


@dataclass(frozen=True, slots=True)
class MemberFacts:
    """One file of a bundle directory, or one member group of a v2 torch dict.

    Attributes:
        path: Relative to the bundle, with `/`.
        source: Its bytes; None where it is listed and missing, or is no regular file.
        problem: Why it cannot be used (missing, a link, an LFS pointer …); empty otherwise.
        entries: Tensors by name, for a safetensors member.
        data_start: First byte of tensor data.
        pointer: Where a Git LFS or DVC pointer stands in place of the content: the content's hex
            sha256, empty where the pointer states none; None for any other file.
        pointer_size: Bytes of that content; None where it is not stated.
    """

    path: str
    source: Source | None
    problem: str = ""
    entries: Mapping[str, HeaderEntry] = field(default_factory=dict)
    data_start: int = 0
    pointer: str | None = None
    pointer_size: int | None = None


@dataclass(frozen=True, slots=True)
class BundleFacts:
    """A v2 encoding before anyone has judged it.

    Attributes:
        encoding: `deploy` (directory) or `torch-dict`.
        manifest_name: `ckpt.json`, or `data.pkl:ckpt`.
        manifest_bytes: The raw manifest of a directory; None in a torch dict.
        manifest: The parsed manifest; None where it does not parse or is absent.
        parse_problems: What I-JSON parsing found (duplicate key, NaN literal, BOM …).
        recorded_digest: Hex sha256 that the bundle records for the manifest's bytes (the content
            of `ckpt.json.sha256`, or of the `ckpt.sha256` member for `data.pkl`); "" if absent.
        actual_digest: The sha256 of those bytes.
        members: Every file in the directory but the manifest and its digest file, sorted by path.
        embedded: Encoded trees that the torch dict itself holds beside the manifest, by field.
        entries: What `checks.view` has made of lists in the manifest, by field, each beside its list.
    """

    encoding: str
    manifest_name: str
    manifest_bytes: bytes | None
    manifest: Mapping[str, object] | None
    parse_problems: tuple[str, ...] = ()
    recorded_digest: str = ""
    actual_digest: str = ""
    members: Mapping[str, MemberFacts] = field(default_factory=dict)
    embedded: Mapping[str, object] = field(default_factory=dict)
    entries: dict[str, tuple[object, Any]] = field(default_factory=dict, compare=False, repr=False)
