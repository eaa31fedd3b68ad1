"""CK207 to CK209: names and paths in the manifest that are ambiguous or lead out of the bundle."""

import re
from collections.abc import Iterable, Iterator

from ckptkit.checks import Rule
from ckptkit.checks.view import at, file_entries, manifest_of, manifest_place, tensor_entries
from ckptkit.errors import UnsupportedTensorError
from ckptkit.model.checkpoint import EXPORTED, Checkpoint
from ckptkit.model.finding import Finding, Severity
from ckptkit.model.refusals import check_name

_DRIVE = re.compile(r"[A-Za-z]:")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def check_tensor_names(checkpoint: Checkpoint) -> Iterator[Finding]:
    """Report a tensor name that is listed twice or that no UTF-8 file can hold."""
    first: dict[str, str] = {}
    for entry in tensor_entries(checkpoint):
        earlier = first.setdefault(entry.name, entry.pointer)
        if earlier != entry.pointer:
            message = f"tensor {entry.name!r} is listed twice, first at {earlier}"
        elif not _is_unicode(entry.name):
            message = f"tensor name {entry.name!r} is not valid Unicode"
        else:
            continue
        yield _at(checkpoint, "CK207", f"{entry.pointer}/name", message)


def check_legacy_names(checkpoint: Checkpoint) -> Iterator[Finding]:
    """Report tensors of a legacy file whose names no bundle can hold (CK104), or look like paths (CK115)."""
    if checkpoint.bundle is not None:
        return
    for name in checkpoint.tensors:
        try:
            check_name(name)
        except UnsupportedTensorError as error:
            yield Finding("CK104", Severity.ERROR, error.what, checkpoint.path, fix=error.fix)
            continue
        # Exporters of ONNX begin the names of values with it: `/net/Constant_output_0`.
        if _leads_elsewhere(name.removeprefix("/") if checkpoint.container == EXPORTED else name):
            message = f"the name {name!r} leads elsewhere if a program takes it for a path"
            yield Finding("CK115", Severity.ERROR, message, checkpoint.path, name)


def _leads_elsewhere(name: str) -> bool:
    absolute = name.startswith(("/", "\\")) or _DRIVE.match(name) is not None
    return absolute or ".." in name.replace("\\", "/").split("/")


def check_paths(checkpoint: Checkpoint) -> Iterator[Finding]:
    """Report paths that are not plain relative paths inside the bundle."""
    for pointer, path in _paths(checkpoint):
        problem = path_problem(path)
        if problem:
            yield _at(checkpoint, "CK208", pointer, f"path {path!r} {problem}")


def path_problem(path: str) -> str:
    """Say why `path` is no plain relative path with `/`; empty where it is one."""
    parts = path.split("/")
    problems = (
        (not path, "is empty"),
        (path.startswith("/"), "is absolute"),
        ("\\" in path, "has a backslash"),
        (_DRIVE.match(path) is not None, "starts with a drive letter"),
        (_CONTROL.search(path) is not None, "has a control character"),
        (".." in parts, "leaves the bundle"),
        ("." in parts or "" in parts, "has an empty part or a dot for one"),
        (not _is_unicode(path), "is not valid Unicode"),
    )
    return next((words for wrong, words in problems if wrong), "")


def check_path_collisions(checkpoint: Checkpoint) -> Iterator[Finding]:
    """Report files that are listed twice, or would be one on a system that ignores case."""
    first: dict[str, tuple[str, str]] = {}
    for entry in file_entries(checkpoint):
        pointer, path = first.setdefault(entry.path.casefold(), (entry.pointer, entry.path))
        if pointer != entry.pointer:
            how = "is listed twice" if path == entry.path else f"differs from {path!r} in case alone"
            yield _at(checkpoint, "CK209", f"{entry.pointer}/path", f"file {entry.path!r} {how}")


def _paths(checkpoint: Checkpoint) -> Iterator[tuple[str, str]]:
    for entry in file_entries(checkpoint):
        yield f"{entry.pointer}/path", entry.path
    listed = {entry.path for entry in file_entries(checkpoint)}
    for tensor in tensor_entries(checkpoint):
        if tensor.file and tensor.file not in listed:
            yield f"{tensor.pointer}/file", tensor.file
    yield from _lineage_paths(manifest_of(checkpoint).get("lineage"))


def _lineage_paths(lineage: object) -> Iterator[tuple[str, str]]:
    """Yield paths of source files; they may hold a backslash or colon, as file names on Linux do."""
    files = lineage.get("files") if isinstance(lineage, dict) else None
    for index, row in enumerate(files if isinstance(files, Iterable) else ()):
        path = row.get("path") if isinstance(row, dict) else None
        if isinstance(path, str) and (path.startswith("/") or ".." in path.split("/") or "\x00" in path):
            yield f"/lineage/files/{index}/path", path


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= char <= "\udfff" for char in text)


def _at(checkpoint: Checkpoint, code: str, pointer: str, message: str) -> Finding:
    return Finding(code, Severity.ERROR, message, manifest_place(checkpoint), at(checkpoint, pointer))


RULES = (
    Rule(
        "CK115",
        "path-like-name",
        Severity.ERROR,
        0,
        "The name of a tensor would lead elsewhere if a program took it for a path: `../a`, `/a`, `C:a`.",
        "Names are data here and nothing more. Some programs write a file for each tensor, under its name; "
        "with such a name the file lands outside the folder that was meant. No training gives such names.",
        "Do not unpack the file with other tools. Ask where it comes from.",
        musts=("LEV-006",),
        check=check_legacy_names,
    ),
    Rule(
        "CK207",
        "tensor-name",
        Severity.ERROR,
        1,
        "A tensor name is listed twice, or is not valid Unicode.",
        "Names are how weights find their place in a network. With two entries of one name, a reader "
        "that takes "
        "the first and one that takes the last load different networks from the same bundle.",
        "Write the bundle again from its source; state dicts cannot hold a name twice.",
        musts=("MAN-005",),
        check=check_tensor_names,
    ),
    Rule(
        "CK208",
        "path-escape",
        Severity.ERROR,
        1,
        "A path in the manifest is absolute, leaves the bundle, or means another file on another system.",
        "A bundle comes from elsewhere. A path such as `../../.ssh/id_rsa` would make a reader open, hash or "
        "publish files that are none of its business; backslashes and drive letters do the same on Windows.",
        "Do not use the bundle unless you know how it came about. Paths are relative to `ckpt.json`, "
        "with `/`.",
        musts=(
            "MAN-003",
            "MAN-008",
        ),
        check=check_paths,
    ),
    Rule(
        "CK209",
        "path-collision",
        Severity.ERROR,
        1,
        "Two entries of `files` name the same file, or differ in letter case alone.",
        "On file systems that ignore case (Windows, macOS) the second file replaces the first, so a "
        "bundle that "
        "passes here would fail there, or be another one.",
        "Rename one of the files and write the manifest again.",
        musts=("MAN-004",),
        check=check_path_collisions,
    ),
)
