"""The child of `test_audit`: it calls commands on files and says what happened.

`python -m tests.audit_probe FOLDER` takes a JSON object of command names by path on standard input. Whatever
a command writes goes into FOLDER.
"""

import importlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Collection
from contextlib import redirect_stderr, redirect_stdout, suppress
from pathlib import Path

from ckptkit import api, errors
from ckptkit.cli.app import status
from ckptkit.model.extras import PARTS
from tests.auditing import audit

NO_FILE = frozenset(["cache", "explain", "rules"])
"""Commands that take no checkpoint."""
JSON = ("--format", "json")


def calls(path: str, out: str) -> dict[str, list[tuple[str, ...]]]:
    """Return the arguments with which each command is called, by command."""
    force = ("--force", "-o")
    return {
        "inspect": [(path,), (path, "--graph", *JSON)],
        "validate": [(path, "--jobs", "1", *JSON, "-o", f"{out}/report.json")],
        "convert": [(path, "--to", to, *force, f"{out}/{to}") for to in ("deploy", "v2", "sb3")],
        "export": [("onnx", path, *force, f"{out}/model.onnx")],
        "recover": [(path, "--explain", "--counterexample", "--jobs", "1")],
        "compat": [(path, path)],
        "diff": [(path, path)],
        "baseline": [(path, "--reason", "seen", "-o", f"{out}/baseline.json")],
        "migrate": [(path, "--dry-run", "--jobs", "1")],
        "scan": [(path, *JSON)],
        "repair": [(path,)],
        "runs": [
            ("list", path),
            ("prune", path, "--keep-last", "1"),
            ("publish", path, f"{out}/registry", "--name", "x"),
        ],
    }


def look(path: str, out: Path, commands: Collection[str]) -> dict[str, object]:
    """Call commands on one path and return what happened, the exit status of each among it."""
    cache = Path(os.environ["CKPTKIT_CACHE_DIR"])
    with audit(writable=(out, cache)) as record:
        with suppress(errors.CkptkitError):
            api.read(path)
        statuses = {
            " ".join((command, *words)): status([command, *words])
            for command, each in calls(path, str(out)).items()
            if command in commands
            for words in each
        }
    return {**vars(record), "statuses": statuses}


def warm_up() -> None:
    """Import what ckptkit may import anyway: only of later imports can a file be the reason.

    That `inspect` and `validate` do without most of it is tested elsewhere.
    """
    for name in (name for part in PARTS.values() for name in part):
        with suppress(ImportError):
            importlib.import_module(name)
    tempfile.gettempdir()  # tries where files can be written when it is first asked


def main(folder: str) -> None:
    """Look at each path of standard input; write what was seen as JSON."""
    out, seen = Path(folder), {}
    warm_up()
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        for path, commands in json.load(sys.stdin).items():
            out.mkdir()
            seen[path] = look(path, out, commands)
            shutil.rmtree(out)
    json.dump(seen, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1])
