"""The group: help without imports, usage errors, and what becomes of every kind of exception."""

import platform
import subprocess
import sys
from pathlib import Path

import click
import numpy as np
import pytest

from ckptkit.api.caching import ruleset
from ckptkit.cli import about, app
from ckptkit.errors import UnknownVersionError
from ckptkit.version import SPEC_VERSION, __version__
from tests.conftest import Call

CHECKOUT = Path(__file__).resolve().parents[2]


def shell(line: str) -> subprocess.CompletedProcess[str]:
    """Run a bash line in which $CKPTKIT is the command."""
    command = f"CKPTKIT='{sys.executable} -m ckptkit'; {line}"
    return subprocess.run(["bash", "-c", command], cwd=CHECKOUT, capture_output=True, text=True, check=False)


def test_help_names_every_command_with_its_own_summary(ckptkit: Call) -> None:
    run = ckptkit("--help")
    assert run.status == 0
    context = click.Context(app.group)
    for name, summary in app.COMMANDS.items():
        command = app.group.get_command(context, name)
        assert command is not None
        assert (command.help or "").split("\n\n")[0] == summary
        assert f"{name:<8}  {summary}" in run.out


def test_every_command_module_is_in_the_group() -> None:
    modules = {path.stem for path in Path(app.__file__).parent.glob("*.py")}
    assert modules - set(app.COMMANDS) == {
        *("__init__", "about", "app", "boundary", "options", "output", "paths", "progress")
    }


@pytest.mark.parametrize("flag", ["-h", "--help"])
@pytest.mark.parametrize("name", app.COMMANDS)
def test_every_command_has_help(ckptkit: Call, name: str, flag: str) -> None:
    run = ckptkit(name, flag)
    assert (run.status, run.err) == (0, "")
    assert run.out.startswith(f"Usage: ckptkit {name} ")


def test_version(ckptkit: Call) -> None:
    run = ckptkit("--version")
    assert (run.status, run.err) == (0, "")
    said = dict(line.split(maxsplit=1) for line in run.out.splitlines())
    assert said["ckptkit"] == f"{__version__} (spec {SPEC_VERSION})"
    assert said["rules"] == ruleset()
    assert said["python"].startswith(platform.python_version())
    assert said["platform"] == platform.platform()
    assert f"numpy {np.__version__}" in said["packages"]
    assert said["[torch]"].startswith("torch 2.")
    assert said.keys() >= {"[compressed]", "[fast]", "[onnx]"}


def test_what_is_not_installed_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(about, "EXTRAS", {"none": ("no_such_package",)})
    assert about.text().endswith("[none]    no-such-package not installed\n")


def options(command: click.Command) -> set[str]:
    return {word for parameter in command.params for word in parameter.opts}


def test_what_prints_a_report_can_be_coloured() -> None:
    context = click.Context(app.group)
    commands = [app.group.get_command(context, name) for name in app.COMMANDS]
    reporting = [command for command in commands if command and "--format" in options(command)]
    assert len(reporting) >= 8
    assert [command.name for command in reporting if "--color" not in options(command)] == []


@pytest.mark.parametrize("words", ["rules", "explain CK301", "inspect {}", "validate {}", "diff {} {}"])
def test_colour_is_as_asked_for(
    words: str, ckptkit: Call, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = words.format(bundle, bundle).split()
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b[" not in ckptkit(*arguments, "--color", "never").out
    colored = ckptkit(*arguments).out
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in ckptkit(*arguments).out
    assert ckptkit(*arguments, "--color", "always").out == colored
    assert words.startswith("diff") or "\x1b[" in colored


def test_no_command_is_a_usage_error_that_shows_the_help(ckptkit: Call) -> None:
    run = ckptkit()
    assert run.status == 2
    assert "Commands:" in run.out + run.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["frobnicate"], "no such command"),
        (["convert", "a", "-o", "b"], "missing option '--to'"),
        (["convert", "a", "--to", "deploy"], "missing option '-o'"),
        (["convert", "a", "--to", "tarball", "-o", "b"], "'tarball' is not one of deploy, sb3, v2"),
        (["convert", "a", "--to", "deploy", "-o", "b", "--input-shape", "3,x"], "is not a shape such as"),
        (["convert", "a", "--to", "deploy", "-o", "b", "--input-shape", "0"], "is not a shape such as"),
        (["convert", "a", "--to", "deploy", "-o", "b", "--assume", "../x"], "is not the name of a profile"),
        (["validate"], "missing argument 'PATH"),
        (["validate", "a", "--level", "5"], "5 is not in the range"),
        (["validate", "a", "--select", "CK999"], "no rule 'CK999'"),
        (["inspect", "a", "--format", "xml"], "'xml' is not one of"),
        (["inspect", "a", "--no-such-option"], "no such option"),
        (["explain", "CK999"], "no rule 'CK999'"),
    ],
)
def test_a_usage_error_is_one_line_and_exit_2(ckptkit: Call, arguments: list[str], message: str) -> None:
    run = ckptkit(*arguments)
    assert (run.status, run.out) == (2, "")
    assert run.err.startswith("error: ")
    assert run.err.count("\n") == 1
    assert message in run.err


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (
            UnknownVersionError("version 9", where="a.zip", fix="upgrade"),
            1,
            "error: a.zip: version 9 (upgrade)\n",
        ),
        (KeyboardInterrupt(), 130, "error: interrupted\n"),
        (click.Abort(), 130, "error: interrupted\n"),
        (SystemExit(1), 1, ""),
    ],
)
def test_expected_exceptions(
    ckptkit: Call, monkeypatch: pytest.MonkeyPatch, error: BaseException, status: int, line: str
) -> None:
    monkeypatch.setattr("ckptkit.checks.rules", _raiser(error))
    run = ckptkit("rules")
    # Click ends the line on which a terminal shows ^C.
    assert (run.status, run.err.lstrip("\n")) == (status, line)


def test_a_defect_is_one_line_and_exit_2(ckptkit: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ckptkit.checks.rules", _raiser(KeyError("a\nb")))
    monkeypatch.setattr("ckptkit.cli.boundary._silence_stdout", lambda: None)
    run = ckptkit("rules")
    assert run.status == 2
    assert run.err.startswith("error: internal error: KeyError: ")
    assert run.err.count("\n") == 1
    assert "please report it" in run.err


def test_the_traceback_of_a_defect_is_there_for_who_asks(
    ckptkit: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ckptkit.checks.rules", _raiser(KeyError("x")))
    monkeypatch.setattr("ckptkit.cli.boundary._silence_stdout", lambda: None)
    monkeypatch.setenv("CKPTKIT_TRACEBACK", "1")
    # The fixture clears the switch when it is made, so set it again for this call.
    run = ckptkit("rules")
    assert run.status == 2
    assert "Traceback" in run.err


def test_a_reader_that_stops_early_is_no_error() -> None:
    run = shell('set -o pipefail; for i in 1 2 3; do $CKPTKIT rules; done | true; echo "${PIPESTATUS[1]}"')
    assert run.stderr == ""


def test_a_full_standard_output_is_one_line_and_exit_2() -> None:
    run = shell('$CKPTKIT rules >/dev/full; echo "status $?"')
    assert run.stdout == "status 2\n"
    assert run.stderr == "error: standard output: cannot be written: No space left on device\n"


@pytest.mark.parametrize("stream", ["1", "2"])
def test_a_closed_stream_is_no_traceback(stream: str) -> None:
    run = shell(f"$CKPTKIT rules {stream}>&-; $CKPTKIT nonsense {stream}>&-")
    assert "Traceback" not in run.stderr
    assert "Exception ignored" not in run.stderr


def test_control_characters_of_a_name_do_not_reach_the_terminal(ckptkit: Call) -> None:
    run = ckptkit("inspect", "no\x1b[2J\nerror: forged")
    assert run.status == 2
    assert run.err.count("\n") == 1
    assert "\x1b" not in run.err
    assert "\\x1b[2J\\n" in run.err


def test_a_name_that_is_not_unicode_is_reported(ckptkit: Call) -> None:
    run = ckptkit("inspect", "no-\udcff")
    assert run.status == 2
    assert "no-\\udcff" in run.err


def _raiser(error: BaseException):  # type: ignore[no-untyped-def]
    def fail() -> None:
        raise error

    return fail
