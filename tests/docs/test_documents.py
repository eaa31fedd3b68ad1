"""What the documents show is what happens."""

import re
from dataclasses import replace
from pathlib import Path

import click
import pytest

from ckptkit.cli import app
from tests.corpus import CHECKOUT
from tests.docs.blocks import blocks, commands, matches
from tests.docs.conftest import Place

DOCUMENTS = sorted(
    [*CHECKOUT.glob("*.md"), *(CHECKOUT / "docs").glob("*.md"), CHECKOUT / "fixtures/README.md"]
)
SYSTEMS = sorted((CHECKOUT / "docs" / "systems").glob("*.md"))
LINKED = sorted([*DOCUMENTS, *(CHECKOUT / "docs").rglob("*.md"), *(CHECKOUT / "spec").rglob("*.md")])
TAGS = frozenset(["bash", "console", "json", "mermaid", "python", "text", "toml", "yaml"])


def short(path: Path) -> str:
    return str(path.relative_to(CHECKOUT))


@pytest.mark.parametrize("path", [*DOCUMENTS, *SYSTEMS], ids=short)
def test_every_block_has_a_known_tag(path: Path) -> None:
    assert {block.tag for block in blocks(path)} <= TAGS


@pytest.mark.parametrize("path", DOCUMENTS, ids=short)
def test_shell_and_python_blocks_run(path: Path, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    run_blocks(path, place, monkeypatch)


@pytest.mark.parametrize("path", SYSTEMS, ids=short)
def test_the_blocks_of_a_system_run_in_its_folder(
    path: Path, systems_place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = systems_place.folder / (path.stem if path.stem != "rl-snake" else "snake")
    run_blocks(path, replace(systems_place, folder=folder), monkeypatch)


def test_every_system_has_a_document() -> None:
    assert [path.stem for path in SYSTEMS] == ["asteroids", "keisei", "metta", "rl-snake", "tetris"]


def run_blocks(path: Path, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place.folder)
    namespace: dict[str, object] = {"__name__": "__main__"}
    for block in blocks(path):
        where = f"{short(path)}:{block.line}"
        if not block.run:
            continue
        if block.tag == "python":
            exec(compile("\n" * block.line + block.body, str(path), "exec"), namespace)  # noqa: S102
        elif block.tag == "bash":
            run = place.bash(block.body)
            assert run.returncode == 0, f"{where}:\n{run.stdout}"
        elif block.tag == "console":
            for command, shown in commands(block.body):
                printed = place.bash(command).stdout
                assert matches(shown, printed), f"{where}: {command}\n{printed}"


def test_the_readme_runs_something_of_each_kind() -> None:
    run = [block.tag for block in blocks(CHECKOUT / "README.md") if block.run]
    assert run.count("console") >= 2
    assert run.count("python") >= 1
    assert run.count("bash") >= 1


def test_the_commands_of_the_ci_snippet_run(place: Place) -> None:
    (snippet,) = [block for block in blocks(CHECKOUT / "README.md") if block.tag == "yaml"]
    lines = re.findall(r"run: (ckptkit .*)", snippet.body)
    assert lines
    models = place.folder / "models"
    assert place.bash("ckptkit convert ppo.zip --to deploy -o models/ppo --force").returncode == 0
    for line in lines:
        run = place.bash(line)
        assert run.returncode == 0, run.stdout
    assert models.is_dir()


@pytest.mark.parametrize("path", LINKED, ids=short)
def test_links_inside_the_project_lead_somewhere(path: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", path.read_text(encoding="utf-8"))
    missing = [name for name in targets if "://" not in name and not (path.parent / name).exists()]
    assert not missing


def section(text: str, name: str) -> str:
    found = re.search(rf"^## `ckptkit {name}\b.*?(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
    assert found, f"docs/cli.md has no section on {name}"
    return found[0]


@pytest.mark.parametrize("name", app.COMMANDS)
def test_every_option_is_documented_and_every_documented_option_exists(name: str) -> None:
    text = section((CHECKOUT / "docs" / "cli.md").read_text(encoding="utf-8"), name)
    command = app.group.get_command(click.Context(app.group), name)
    assert command is not None
    known = [command, *(command.commands.values() if isinstance(command, click.Group) else ())]
    given = (word for each in known for parameter in each.params for word in parameter.opts)
    options = {word for word in given if word.startswith("-")}
    written = set(re.findall(r"(?<![\w-])(--?[a-z][a-z-]*)", text))
    assert options - written == set()
    assert written - options == set()


def test_the_targets_of_convert_are_in_its_help() -> None:
    from ckptkit import writers
    from ckptkit.cli.convert import command

    (to,) = [parameter for parameter in command.params if parameter.name == "to"]
    for writer in writers.writers():
        assert writer.id in str(getattr(to, "help", ""))


def test_every_format_is_in_the_list_of_formats() -> None:
    from ckptkit import readers, writers

    text = (CHECKOUT / "docs" / "formats.md").read_text(encoding="utf-8")
    for known in [*readers.readers(), *writers.writers()]:
        assert f"| `{known.id}` | {known.summary} |" in text
    assert text.count("\n| `") == len(readers.readers()) + len(writers.writers())
