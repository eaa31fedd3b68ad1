"""Looking into a checkpoint runs nothing of it: what an audit hook sees over every file we have.

One new interpreter reads, inspects and validates every fixture and, where there is one, every file
of the corpus. Imports, opened files, executed code, processes and sockets are recorded.
"""

import json
import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import pytest

from tests.corpus import CHECKOUT, corpus_files

OUR_OWN = ("click", "jsonschema", "numpy", "rich")
"""What ckptkit depends on; whatever these depend on is theirs to import."""
JYTHON = frozenset(["org", "org.python", "org.python.core"])
"""Looked for by the standard library's `copy`."""
NO_CHECKPOINT = frozenset([".md", ".py", ".pyc"])
"""Suffixes of what stands in `fixtures/` and is no fixture."""

PROBE = """
import contextlib, json, os, sys
from ckptkit import api, errors
from ckptkit.cli.app import status
from tests.auditing import audit

paths = json.load(sys.stdin)
records = {}
with open(os.devnull, "w") as nowhere:
    sys.stdout, out, sys.stderr, err = nowhere, sys.stdout, nowhere, sys.stderr
    for path in paths:
        with audit() as record:
            with contextlib.suppress(errors.CkptkitError):
                api.read(path)
            statuses = [status([*words, path]) for words in (
                ["inspect"], ["validate", "--format", "json"]
            )]
        records[path] = {**vars(record), "statuses": statuses}
    sys.stdout, sys.stderr = out, err
json.dump(records, sys.stdout)
"""


@dataclass(frozen=True)
class Seen:
    """What was seen while one file was looked into."""

    imports: list[str]
    opened: list[str]
    violations: list[str]
    statuses: list[int]


def look_into(paths: list[Path]) -> dict[str, Seen]:
    """Look into `paths` in a new interpreter and return what was seen, by path."""
    run = subprocess.run(
        [sys.executable, "-B", "-c", PROBE],
        input=json.dumps([str(path) for path in paths]),
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return {path: Seen(**record) for path, record in json.loads(run.stdout).items()}


def fixture_paths() -> list[Path]:
    root = CHECKOUT / "fixtures"
    found = [path for path in sorted(root.rglob("*")) if path.suffix not in NO_CHECKPOINT]
    # A folder of folders would only be searched for what is looked into one by one anyway.
    return [path for path in found if path.is_file() or any(child.is_file() for child in path.iterdir())]


def allowed_imports() -> frozenset[str]:
    """Return the top-level modules of the standard library, of ckptkit and of its dependencies.

    An optional dependency of a dependency is looked for even where it is not installed.
    """
    names = set(sys.stdlib_module_names) | {"ckptkit"}
    provided = metadata.packages_distributions()
    ours = set(distributions(OUR_OWN))
    names |= {module for module, by in provided.items() if ours & {normal(name) for name in by}}
    return frozenset(names | optional(ours))


def distributions(roots: tuple[str, ...]) -> Iterator[str]:
    waiting, seen = list(roots), set()
    while waiting:
        name = normal(waiting.pop())
        if name in seen:
            continue
        seen.add(name)
        try:
            required = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue
        yield name
        waiting += [requirement(line) for line in required if "extra ==" not in line]


def optional(names: set[str]) -> set[str]:
    """Return the modules that those distributions' extras may bring."""
    lines = [line for name in names for line in metadata.requires(name) or [] if "extra ==" in line]
    return {requirement(line).replace("-", "_").lower() for line in lines}


def requirement(line: str) -> str:
    found = re.match(r"[A-Za-z0-9._-]+", line)
    return found[0] if found else ""


def normal(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")


def may_open(path: str, seen_for: str) -> bool:
    """Whether a file may be read: the checkpoint's own folder, the interpreter's, or ours."""
    target = Path(path)
    roots = [
        Path(seen_for).parent,
        Path(seen_for),
        CHECKOUT / "ckptkit",
        CHECKOUT / "schemas",
        CHECKOUT / "spec",
    ]
    roots += [Path(sysconfig.get_path(kind)) for kind in ("stdlib", "platstdlib", "purelib", "platlib")]
    roots += [Path(sys.prefix), Path(sys.base_prefix)]
    return any(target.resolve().is_relative_to(root.resolve()) for root in roots) or path == "/dev/null"


def assert_nothing_ran(seen: dict[str, Seen]) -> None:
    allowed = allowed_imports()
    problems = []
    for path, record in seen.items():
        problems += [f"{path}: {violation}" for violation in record.violations]
        strange = [name for name in record.imports if name.split(".")[0] not in allowed]
        problems += [f"{path}: imports {name}" for name in strange if name not in JYTHON]
        problems += [f"{path}: opens {name}" for name in record.opened if not may_open(name, path)]
        problems += [f"{path}: status {code}" for code in record.statuses if code not in {0, 1, 2}]
    assert not problems, "\n".join(problems[:40])


def test_looking_into_every_fixture_runs_nothing() -> None:
    paths = fixture_paths()
    assert len(paths) >= 20
    seen = look_into(paths)
    assert len(seen) == len(paths)
    assert_nothing_ran(seen)
    assert sum(record.statuses[0] == 0 for record in seen.values()) >= 5


@pytest.mark.corpus
def test_looking_into_the_corpus_runs_nothing() -> None:
    paths = corpus_files()
    assert len(paths) >= 80
    seen = look_into(paths)
    assert len(seen) == len(paths)
    assert_nothing_ran(seen)
    assert sum(record.statuses[0] == 0 for record in seen.values()) >= 75


HARMFUL = {
    "import": "import this_is_no_module",
    "write": "open({path!r}, 'w').close()",
    "remove": "import os; os.remove({path!r})",
    "exec": "exec('1 + 1')",
    "compile": "compile('1', 'x', 'eval')",
    "code": "(lambda: 0).__code__.replace(co_name='x')",
    "process": "import subprocess; subprocess.run(['true'])",
    "system": "import os; os.system('true')",
    "socket": "import socket; socket.socket().close()",
    "unpickle": "import pickle; pickle.loads(b'cos\\nsystem\\n.')",
}


@pytest.mark.parametrize("kind", HARMFUL)
def test_the_hook_sees(kind: str, tmp_path: Path) -> None:
    """The hook itself is tested: each harmful act is noticed."""
    target = tmp_path / "file"
    target.write_text("x")
    act = HARMFUL[kind].format(path=str(target))
    code = (
        "import contextlib, os, pickle, socket, subprocess\n"
        "from tests.auditing import audit\n"
        "with audit() as record, contextlib.suppress(ImportError):\n"
        f"    {act}\n"
        "print(len(record.violations), 'this_is_no_module' in record.imports)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True, check=True
    )
    count, imported = run.stdout.split()
    assert imported == "True" if kind == "import" else int(count) >= 1
