"""The man page says what the commands say, in a form that roff reads without a word."""

import importlib.util
import re
import shutil
import subprocess
from types import ModuleType

import pytest

from ckptkit.cli import app
from tests.corpus import CHECKOUT

CHECKERS = {
    "mandoc": ["mandoc", "-T", "lint", "-W", "warning"],
    "groff": ["groff", "-man", "-Tutf8", "-ww", "-z"],
}


def maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_man", CHECKOUT / "docs" / "make_man.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_that_of_the_commands() -> None:
    made = maker()
    assert made.PAGE.read_text(encoding="utf-8") == made.page(), "run `python docs/make_man.py`"


def test_every_command_is_in_it() -> None:
    sections = re.findall(r"^\.SS ckptkit ([a-z]+)$", maker().page(), re.MULTILINE)
    assert sections == list(app.COMMANDS)


def test_text_stays_text() -> None:
    escaped = maker().escaped
    assert escaped(".B 'bold' \\fI --x") == "\\&.B \\(aqbold\\(aq \\efI \\-\\-x"
    assert escaped("PATH…") == "PATH\\[u2026]"


@pytest.mark.parametrize("checker", CHECKERS)
def test_a_formatter_has_nothing_to_say(checker: str) -> None:
    if shutil.which(checker) is None:
        pytest.skip(f"{checker} is not installed")
    words = [*CHECKERS[checker], str(maker().PAGE)]
    run = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")
