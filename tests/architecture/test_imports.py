"""What each command imports: the start-up budget, held by module names and not by time."""

import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
NEVER = frozenset(
    [
        "torch",
        "onnx",
        "onnxruntime",
        "gym",
        "gymnasium",
        "stable_baselines3",
        "sb3_contrib",
        "dill",
        "cloudpickle",
        "safetensors",
        "pickle",
    ]
)
NOT_FOR_HELP = NEVER | {"numpy", "rich", "jsonschema", "zipfile", "ckptkit.api", "ckptkit.cli.convert"}
LIST = (
    "import sys; from ckptkit.cli.app import status; code = status(sys.argv[1:]); "
    "print('modules', *sys.modules, file=sys.stderr); sys.exit(code)"
)


def modules(*arguments: str | Path) -> set[str]:
    """Run the command line in a new interpreter and return the modules that it holds afterwards."""
    run = subprocess.run(
        [sys.executable, "-c", LIST, *map(str, arguments)],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )
    said, _, names = run.stderr.partition("modules ")
    assert run.returncode == 0, run.stdout + said
    return set(names.split())


def heavy(names: set[str], banned: frozenset[str]) -> set[str]:
    return {name for name in names if name in banned or name.split(".")[0] in banned}


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = "import sys, ckptkit; print('\\n'.join(sys.modules))"
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True, check=True
    )
    assert not heavy(set(run.stdout.splitlines()), NOT_FOR_HELP | {"click"})


def test_help_imports_no_command_and_nothing_heavy() -> None:
    assert not heavy(modules("--help"), NOT_FOR_HELP)


def test_versions_are_told_without_importing_what_they_are_of() -> None:
    assert not heavy(modules("--version"), NOT_FOR_HELP - {"ckptkit.api", "zipfile"})


@pytest.mark.parametrize("arguments", [["inspect"], ["inspect", "--format", "json"]])
@pytest.mark.parametrize("kind", ["safetensors_file", "bundle"])
def test_inspect_imports_nothing_heavy(
    arguments: list[str], kind: str, request: pytest.FixtureRequest
) -> None:
    assert not heavy(modules(*arguments, request.getfixturevalue(kind)), NEVER)


@pytest.mark.parametrize("arguments", [["validate"], ["validate", "--level", "2", "--format", "json"]])
def test_validate_imports_nothing_heavy(arguments: list[str], bundle: Path) -> None:
    assert not heavy(modules(*arguments, bundle), NEVER)


@pytest.mark.parametrize("command", ["inspect", "validate"])
def test_legacy_zips_import_nothing_heavy(command: str, sb3_zip: Path) -> None:
    assert not heavy(modules(command, sb3_zip), NEVER)


@pytest.mark.parametrize("level", [[], ["--level", "3"]])
def test_validate_below_level_4_runs_no_network(level: list[str]) -> None:
    network = CHECKOUT / "fixtures" / "conformance" / "network" / "bundle"
    assert not heavy(modules("validate", *level, network), NEVER)


def test_level_4_needs_onnx_and_no_torch() -> None:
    network = CHECKOUT / "fixtures" / "conformance" / "network" / "bundle"
    assert heavy(modules("validate", "--level", "4", network), NEVER - {"onnx", "onnxruntime"}) <= {"pickle"}
