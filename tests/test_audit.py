"""Looking into a checkpoint runs nothing of it: what an audit hook sees over every file we have.

One new interpreter calls the commands on every fixture, every hostile file, seeds of the fuzzing and, where
there is one, every file of the corpus. Imports, opened files, executed code, processes and sockets are seen.
"""

import hashlib
import json
import os
import re
import subprocess
import sys
import sysconfig
import tempfile
from collections import Counter
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import pytest

from ckptkit.cli.app import COMMANDS
from ckptkit.model.extras import PARTS
from ckptkit.model.manifest import NAME as MANIFEST
from fuzz.make_corpus import seeds
from fuzz.targets import TARGETS
from tests.audit_probe import NO_FILE, calls
from tests.corpus import CHECKOUT, corpus_files

OUR_OWN = (
    "click",
    "jsonschema",
    "numpy",
    "platformdirs",
    "rich",
    *(name for part in PARTS.values() for name in part),
)
"""What ckptkit depends on; whatever these depend on is theirs to import."""
JYTHON = frozenset(["org", "org.python", "org.python.core"])
"""Looked for by the standard library's `copy`."""
NO_CHECKPOINT = frozenset([".md", ".py", ".pyc"])
"""Suffixes of what stands in `fixtures/` and is no fixture."""
DESCRIPTIONS = frozenset(["case.json", "expected.json"])
"""What stands beside fixtures and says what must be found in them."""
SETTINGS = frozenset([CHECKOUT / name for name in ("ckptkit.toml", "pyproject.toml")])
"""The settings of the project that the command is called in, which `validate` reads."""
ATTRIBUTES = ".gitattributes"
"""Of the repository that a file lies in: whether its large files may be pointers."""


FIRST = ("inspect", "validate", "scan")
EVERYTHING = "CKPTKIT_AUDIT_EVERYTHING"
"""Set: every command on every file, which takes some minutes."""
SEEDS = 12
"""So many of each target of the fuzzing."""


@dataclass(frozen=True)
class Seen:
    """What was seen while one file was looked into."""

    writable: list[str]
    imports: list[str]
    opened: list[str]
    violations: list[str]
    statuses: dict[str, int]


def look_into(paths: Iterable[Path], folder: Path, shared: Container[Path] = ()) -> dict[str, Seen]:
    """Call commands on files in a new interpreter and return what was seen, by path.

    Args:
        paths: The files.
        folder: Where commands may write.
        shared: Those of `paths` among which the commands are shared out.
    """
    chosen = {str(path): share(at) if path in shared else COMMANDS for at, path in enumerate(paths)}
    run = subprocess.run(
        [sys.executable, "-B", "-m", "tests.audit_probe", str(folder / "out")],
        input=json.dumps({path: list(commands) for path, commands in chosen.items()}),
        cwd=CHECKOUT,
        env={**os.environ, "CKPTKIT_CACHE_DIR": str(folder / "cache"), "GITHUB_STEP_SUMMARY": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return {path: Seen(**record) for path, record in json.loads(run.stdout).items()}


def share(number: int) -> Iterable[str]:
    """Return the commands for one of many files: what everybody does first, and each third of the others."""
    if os.environ.get(EVERYTHING):
        return COMMANDS
    return [*FIRST, *sorted(COMMANDS.keys() - FIRST)[number % 3 :: 3]]


def fixture_paths() -> list[Path]:
    """Return every fixture, each contents once, and every folder that is a checkpoint or holds some."""
    found = sorted(path for path in (CHECKOUT / "fixtures").rglob("*"))
    files = [path for path in found if path.is_file() and path.suffix not in NO_CHECKPOINT]
    files = [path for path in files if path.name not in DESCRIPTIONS]
    bundles = {path.parent for path in files if path.name == MANIFEST}
    by_contents = {
        (path.suffix, hashlib.sha256(path.read_bytes()).digest()): path
        for path in files
        if path.parent not in bundles  # looked into with its bundle
    }
    counted = Counter(path.parent for path in files)
    folders = {folder for folder, count in counted.items() if count > 1 or folder in bundles}
    return sorted({*by_contents.values(), *folders})


def fuzz_paths(folder: Path) -> list[Path]:
    """Write seeds of the fuzzing into files, some of each target, evenly spread, and return these."""
    paths = []
    for target in TARGETS:
        made = sorted(seeds(target).items())
        for number, (_, data) in enumerate(made[:: -(-len(made) // SEEDS)]):
            paths.append(folder / f"{target}-{number}.pt")
            paths[-1].write_bytes(data)
    return paths


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


def may_open(path: str, seen_for: str, writable: Iterable[str]) -> bool:
    """Whether a file may be read: of the checkpoint's folder, the interpreter, ckptkit, or just written."""
    target = Path(path)
    if target in SETTINGS or target.name == ATTRIBUTES or path == os.devnull:
        return True
    roots = [Path(seen_for).parent, Path(seen_for), *map(Path, writable)]
    roots += [CHECKOUT / name for name in ("ckptkit", "schemas", "spec")]
    roots += [Path(sysconfig.get_path(kind)) for kind in ("stdlib", "platstdlib", "purelib", "platlib")]
    roots += [Path(sys.prefix), Path(sys.base_prefix)]
    if target == Path(tempfile.gettempdir()):  # a file in it that has no name
        return True
    place = Path(os.path.realpath(target))  # which takes loops of links, too
    return any(place.is_relative_to(os.path.realpath(root)) for root in roots)


def assert_nothing_ran(seen: dict[str, Seen]) -> None:
    allowed = allowed_imports()
    problems = []
    for path, record in seen.items():
        problems += [f"{path}: {violation}" for violation in record.violations]
        strange = [name for name in record.imports if name.split(".")[0] not in allowed]
        problems += [f"{path}: imports {name}" for name in strange if name not in JYTHON]
        opened = {name for name in record.opened if not may_open(name, path, record.writable)}
        problems += [f"{path}: opens {name}" for name in sorted(opened)]
        wrong = {call: code for call, code in record.statuses.items() if code not in {0, 1, 2}}
        problems += [f"{path}: {call} ends with {code}" for call, code in wrong.items()]
    assert not problems, "\n".join(problems[:40])


def successes(seen: dict[str, Seen]) -> dict[str, int]:
    """Return how many files each command did its work for."""
    counted = dict.fromkeys(COMMANDS.keys() - NO_FILE, 0)
    for record in seen.values():
        for command in {call.partition(" ")[0] for call, code in record.statuses.items() if code == 0}:
            counted[command] += 1
    return counted


def test_every_command_is_looked_at() -> None:
    assert set(COMMANDS) - NO_FILE <= set(calls("path", "out")), (
        "say in tests/audit_probe.py how it is called"
    )


@pytest.mark.slow
def test_no_command_runs_anything_of_a_fixture(tmp_path: Path) -> None:
    paths = fixture_paths()
    assert len(paths) >= 300
    seen = look_into(paths, tmp_path, shared=paths)
    assert len(seen) == len(paths)
    assert_nothing_ran(seen)
    assert min(successes(seen).values()) >= 3, successes(seen)


@pytest.mark.slow
def test_no_command_runs_anything_of_a_hostile_file(tmp_path: Path) -> None:
    made = tmp_path / "hostile"
    subprocess.run([sys.executable, "-B", CHECKOUT / "fixtures" / "make_hostile.py", made], check=True)
    paths = sorted(path for path in made.rglob("*") if not path.is_dir())
    paths += sorted(path for path in made.iterdir())
    assert len(paths) >= 100
    seen = look_into(paths, tmp_path, shared=paths)
    assert len(seen) == len(paths)
    assert_nothing_ran(seen)


@pytest.mark.slow
@pytest.mark.corpus
def test_no_command_runs_anything_of_the_corpus(tmp_path: Path) -> None:
    paths = corpus_files()
    assert len(paths) >= 80
    seen = look_into(paths, tmp_path, shared=paths)
    assert len(seen) == len(paths)
    assert_nothing_ran(seen)
    assert min(successes(seen).values()) >= 10, successes(seen)


@pytest.mark.slow
def test_no_command_runs_anything_of_what_fuzzing_begins_with(tmp_path: Path) -> None:
    (tmp_path / "seeds").mkdir()
    paths = fuzz_paths(tmp_path / "seeds")
    assert len(paths) >= 70
    seen = look_into(paths, tmp_path)
    assert len(seen) == len(paths)
    assert_nothing_ran(seen)


def test_no_settings_beside_a_checkpoint_are_read(safetensors_file: Path, tmp_path: Path) -> None:
    """A checkpoint of a stranger brings no settings: they are those of where the command is called."""
    (tmp_path / "ckptkit.toml").write_text("ignore = [")
    (tmp_path / "pyproject.toml").write_text("[tool.ckptkit")
    (tmp_path / "work").mkdir()
    (record,) = look_into([safetensors_file], tmp_path / "work").values()
    assert {Path(name) for name in record.opened if name.endswith(".toml")} <= SETTINGS
    assert sum(code == 0 for code in record.statuses.values()) >= 5
