"""What a shell needs to complete words is printed, and completes them."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.test_app import CHECKOUT

SHELLS = {"bash": "complete -o nosort", "zsh": "#compdef ckptkit", "fish": "complete --no-files"}


def ask(folder: Path, **environment: str) -> str:
    command = [sys.executable, "-m", "ckptkit"]
    values = os.environ | environment
    run = subprocess.run(command, env=values, cwd=folder, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (0, "")
    return run.stdout


@pytest.mark.parametrize("shell", SHELLS)
def test_each_shell_gets_its_script(shell: str, tmp_path: Path) -> None:
    script = ask(tmp_path, _CKPTKIT_COMPLETE=f"{shell}_source")
    assert SHELLS[shell] in script
    assert f"_CKPTKIT_COMPLETE={shell}_complete" in script
    if shutil.which(shell):
        checked = subprocess.run([shell, "-n"], input=script, capture_output=True, text=True, check=False)
        assert (checked.returncode, checked.stderr) == (0, "")


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("ckptkit va", "validate"),
        ("ckptkit validate --for", "--format"),
        ("ckptkit rules --color a", "always"),
    ],
)
def test_words_are_completed(words: str, wanted: str, tmp_path: Path) -> None:
    count = str(len(words.split()) - 1)
    said = ask(tmp_path, _CKPTKIT_COMPLETE="bash_complete", COMP_WORDS=words, COMP_CWORD=count)
    assert f"plain,{wanted}" in said.splitlines()


def test_the_document_names_what_is_read() -> None:
    text = (CHECKOUT / "docs" / "cli.md").read_text(encoding="utf-8")
    assert set(re.findall(r"_CKPTKIT_COMPLETE=(\w+)_source", text)) == SHELLS.keys()
