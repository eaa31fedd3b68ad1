"""An audit hook that says what Python code did: imports, files, code, processes, network.

A hook cannot be removed from an interpreter, so there is one, which records while a recording runs.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

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
    """

    imports: list[str] = field(default_factory=list)
    opened: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)


_running: list[Audit] = []
_state = {"installed": False}


@contextmanager
def audit() -> Iterator[Audit]:
    """Record until the block ends."""
    if not _state["installed"]:
        sys.addaudithook(_hook)
        _state["installed"] = True
    record = Audit()
    _running.append(record)
    try:
        yield record
    finally:
        _running.remove(record)


def _hook(event: str, arguments: tuple[object, ...]) -> None:
    if not _running:
        return
    problem = _problem(event, arguments)
    for record in _running:
        if event == "import":
            record.imports.append(str(arguments[0]))
        elif problem:
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


def _writes(arguments: tuple[object, ...]) -> bool:
    path, mode, flags = arguments
    if isinstance(path, int):  # a descriptor; how it was opened has been judged
        return False
    if isinstance(flags, int) and flags & NAMELESS == NAMELESS:
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
