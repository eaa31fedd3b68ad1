"""An audit hook that says what Python code did: imports, files, code, processes, network.

A hook cannot be removed from an interpreter, so there is one, which records while a recording runs. It
does not see an import of what is imported already; the trap does, and knows what ckptkit's source imports.
"""

import ast
import builtins
import importlib
import os
import posix
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

WRITE_FLAGS = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
NAMELESS = getattr(os, "O_TMPFILE", -1)
"""Flags of a temporary file that never has a name; what is compressed is unpacked into one."""
CHANGES = frozenset(
    [
        "os.chmod",
        "os.chown",
        "os.link",
        "os.mkdir",
        "os.remove",
        "os.rename",
        "os.rmdir",
        "os.symlink",
        "os.truncate",
        "os.utime",
        "os.setxattr",
        "os.removexattr",
        "tempfile.mkstemp",
        "tempfile.mkdtemp",
        "shutil.move",
        "shutil.rmtree",
        "shutil.copyfile",
        "shutil.copytree",
        "shutil.make_archive",
        "shutil.unpack_archive",
    ]
)
MAKES_SECOND = frozenset(["os.link", "os.symlink", "shutil.copyfile", "shutil.copytree"])
"""Events of which only the second path is changed."""
PROCESSES = frozenset(
    [
        "subprocess.Popen",
        "os.exec",
        "os.fork",
        "os.forkpty",
        "os.posix_spawn",
        "os.spawn",
        "os.startfile",
        "os.system",
        "pty.spawn",
        "webbrowser.open",
    ]
)
CODE = frozenset(
    [
        "exec",
        "compile",
        "code.__new__",
        "marshal.loads",
        "marshal.load",
        "function.__new__",
    ]
)
ALWAYS_WRONG = frozenset(["pickle.find_class", "builtins.input", "builtins.breakpoint"])
GENERATORS = frozenset(["attr._make", "dataclasses"])
"""Modules of our dependencies that write the methods of a class as text of their own and compile it."""
IMPORT_MACHINERY = ("<frozen importlib._bootstrap>", "<frozen importlib._bootstrap_external>")


@dataclass
class Audit:
    """What happened while it was recorded.

    Attributes:
        imports: Names of modules that were looked for, found or not, in order.
        opened: Paths of files that were opened for reading.
        violations: Anything that reading a checkpoint must never do, one line each.
        writable: Folders in which files may be made, changed and removed.
    """

    writable: tuple[str, ...] = ()
    imports: list[str] = field(default_factory=list)
    opened: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)


_running: list[Audit] = []
_state = {"installed": False}


@contextmanager
def audit(writable: Sequence[Path] = ()) -> Iterator[Audit]:
    """Record until the block ends.

    Args:
        writable: Folders in which files may be made, changed and removed.
    """
    if not _state["installed"]:
        sys.addaudithook(_hook)
        _state["installed"] = True
    own_names()  # reading our source compiles it
    record = Audit(tuple(str(folder.resolve()) for folder in writable))
    _running.append(record)
    try:
        with _trap(record):
            yield record
    finally:
        _running.remove(record)


@cache
def own_names() -> frozenset[str]:
    """Return every top-level module that ckptkit's source imports."""
    import ckptkit

    names = {"ckptkit"}
    for path in Path(ckptkit.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            match node:
                case ast.Import(names=aliases):
                    names.update(alias.name for alias in aliases)
                case ast.ImportFrom(module=str(module)):
                    names.add(module)
                case ast.Call(func=ast.Attribute(attr="import_module"), args=[ast.Constant(value=str(name))]):
                    names.add(name)
    return frozenset(name.partition(".")[0] for name in names)


@contextmanager
def _trap(record: Audit) -> Iterator[None]:
    """Record imports by ckptkit of names that stand nowhere in its source, loaded already or not."""
    by_name, by_statement = importlib.import_module, builtins.__import__

    def judge(name: str, importer: object) -> None:
        # Compiled code imports parts of its own package in the name of whoever called it.
        package = name.partition(".")[0]
        if str(importer).partition(".")[0] == "ckptkit" and package not in own_names():
            record.violations.append(f"{importer} imports {name}, which its source does not name")

    def import_module(name: str, package: str | None = None) -> Any:
        judge(name, sys._getframe(1).f_globals.get("__name__"))
        return by_name(name, package)

    def import_statement(
        name: str, scope: Mapping[str, object] | None = None, *rest: Any, **more: Any
    ) -> Any:
        judge(name, (scope or sys._getframe(1).f_globals).get("__name__"))
        return by_statement(name, scope, *rest, **more)

    importlib.import_module, builtins.__import__ = import_module, import_statement
    try:
        with _payload(record):
            yield
    finally:
        importlib.import_module, builtins.__import__ = by_name, by_statement


@contextmanager
def _payload(record: Audit) -> Iterator[None]:
    """Record calls of `os.getpid`, which hostile fixtures name, by anything but the standard library."""
    real = os.getpid

    def getpid() -> int:
        caller = str(sys._getframe(1).f_globals.get("__name__"))
        if caller.partition(".")[0] not in sys.stdlib_module_names:
            record.violations.append(f"{caller} calls os.getpid")
        return real()

    os.getpid = posix.getpid = getpid
    try:
        yield
    finally:
        os.getpid = posix.getpid = real


def _hook(event: str, arguments: tuple[object, ...]) -> None:
    if not _running:
        return
    problem = _problem(event, arguments)
    for record in _running:
        if event == "import":
            record.imports.append(str(arguments[0]))
        elif problem:
            if not _allowed(event, arguments, record.writable):
                record.violations.append(problem)
        elif event == "open" and not isinstance(arguments[0], int):
            record.opened.append(os.fsdecode(str(arguments[0])))


def _problem(event: str, arguments: tuple[object, ...]) -> str:
    if event == "open":
        return f"open for writing: {arguments[0]!r}" if _writes(arguments) else ""
    if event in CHANGES or event in PROCESSES or event in ALWAYS_WRONG or event.startswith("socket."):
        return f"{event}{arguments!r}"
    if event in CODE and not _importing():
        return f"{event} outside an import: {arguments!r}"[:300]
    return ""


def _allowed(event: str, arguments: tuple[object, ...], writable: tuple[str, ...]) -> bool:
    """Whether a change touches nothing but what lies in the writable folders."""
    if not writable or event not in CHANGES | {"open"}:
        return False
    touched = arguments[:2] if event in {"os.rename", "shutil.move"} else arguments[:1]
    if event in MAKES_SECOND:
        touched = arguments[1:2]
    # What removes a whole folder names its files relative to an open one, whose number comes last.
    number = arguments[-1]
    relative = event != "open" and isinstance(number, int) and number >= 0
    start = Path(f"/proc/self/fd/{number}") if relative else Path()
    places = [(start.resolve() / os.fsdecode(str(path))).resolve() for path in touched]
    return all(any(place.is_relative_to(root) for root in writable) for place in places)


def _writes(arguments: tuple[object, ...]) -> bool:
    path, mode, flags = arguments
    if isinstance(path, int) or path == os.devnull:  # how a descriptor was opened has been judged
        return False
    if isinstance(flags, int) and flags & NAMELESS == NAMELESS:
        return False
    if Path(str(path)).is_dir():  # the same file, asked for by `io.open`
        return False
    if isinstance(mode, str):
        return any(letter in mode for letter in "wax+")
    return isinstance(flags, int) and bool(flags & WRITE_FLAGS)


def _importing() -> bool:
    """Whether a module's own code is compiled or executed: it is imported, or it writes methods."""
    frame = sys._getframe(3)
    if frame.f_globals.get("__name__") in GENERATORS:
        return True
    while frame is not None:
        if frame.f_code.co_filename in IMPORT_MACHINERY:
            return True
        frame = frame.f_back
    return False
