"""Settings from files, and the exit status that every combination of them gives."""

import itertools
import json
import struct
from pathlib import Path

import pytest

from ckptkit import schema
from ckptkit.api.configuring import settings
from ckptkit.cli.validate import exit_status
from ckptkit.model.finding import Finding, Severity, Verdict
from ckptkit.model.results import Report, Validation
from ckptkit.model.settings import Lfs, Settings
from ckptkit.model.verify import Verify
from tests.conftest import Call, safetensors_bytes
from tests.corpus import CHECKOUT
from tests.docs.blocks import blocks


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with a file that reaches level 0 in two folders."""
    (tmp_path / "repo/.git").mkdir(parents=True)
    data = safetensors_bytes({"w": ("F32", [1], struct.pack("<f", 1.0))})
    for folder in ("old/deep", "new"):
        (tmp_path / "repo" / folder).mkdir(parents=True)
        (tmp_path / "repo" / folder / "m.safetensors").write_bytes(data)
    monkeypatch.chdir(tmp_path / "repo")
    return tmp_path / "repo"


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_the_documented_settings_are_settings(tmp_path: Path) -> None:
    (block,) = [one for one in blocks(CHECKOUT / "docs/configuration.md") if one.tag == "toml"]
    write(tmp_path / "pyproject.toml", block.body)
    found = settings(tmp_path / "pyproject.toml")
    assert found.level == 2
    assert found.strict
    assert found.fail_on is Severity.WARNING
    assert found.baseline == str(tmp_path / "ckptkit-baseline.json")
    assert found.ignored_at("models/legacy/a/b.zip") == ("CK108",)
    assert found.ignored_at("x/y.pt") == ("CK112",)
    text = (CHECKOUT / "docs/configuration.md").read_text()
    assert all(f"| `{key}` |" in text for key in schema.find("config-1.0")["properties"])


def test_every_setting_has_an_effect_on_the_object(tmp_path: Path) -> None:
    values: dict[str, tuple[str, object]] = {
        "level": ("3", 3),
        "strict": ("true", True),
        "select": ('["CK3", "unlisted-file"]', ("CK3", "CK306")),
        "ignore": ('["ck3"]', ("CK3",)),
        "fail-on": ('"warning"', Severity.WARNING),
        "exit-zero": ("true", True),
        "allow-empty": ("true", True),
        "baseline": ('"b.json"', str(tmp_path / "b.json")),
        "weights": ("true", True),
        "max-bytes": ("10", 10),
        "lfs": ('"skip"', Lfs.SKIP),
        "verify": ('"tensors"', Verify.TENSORS),
        "per-path-ignores": ('{"*.pt" = ["CK1"]}', {"*.pt": ("CK1",)}),
    }
    assert values.keys() == schema.find("config-1.0")["properties"].keys()
    for key, (text, value) in values.items():
        write(tmp_path / "ckptkit.toml", f"{key} = {text}\n")
        assert getattr(settings(tmp_path / "ckptkit.toml"), key.replace("-", "_")) == value


def test_the_nearest_file_counts_and_none_above_the_repository(project: Path) -> None:
    write(project.parent / "ckptkit.toml", "level = 4\n")
    assert settings() == Settings()
    write(project / "pyproject.toml", "[project]\nname = 'x'\n[tool.other]\n")
    assert settings() == Settings()
    write(project / "pyproject.toml", "[tool.ckptkit]\nlevel = 1\n")
    assert settings(start=project / "old/deep").level == 1
    write(project / "ckptkit.toml", "level = 2\n")
    assert settings(start=project / "old/deep").level == 2
    write(project / "old/ckptkit.toml", "level = 3\n")
    assert settings(start=project / "old/deep").level == 3
    assert settings(start=project / "new").level == 2


def test_all_that_is_wrong_is_said_at_once_with_the_nearest(project: Path, ckptkit: Call) -> None:
    write(
        project / "ckptkit.toml",
        'levl = 2\nfail-on = "fatal"\nignore = ["CK999", "tensor-digets"]\nlevel = 9\n',
    )
    run = ckptkit("validate", "new")
    assert run.status == 2
    assert run.out == ""
    for part in ("did you mean 'level'?", "fail-on", "CK999", "did you mean tensor-digest?", "level must be"):
        assert part in run.err
    assert run.err.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("level = ", "is not TOML"),
        ("\x00", "is not TOML"),
        ("x = 1\n" * 200_000, "bytes of settings"),
    ],
)
def test_a_broken_file_is_an_error_and_no_check_runs(
    project: Path, ckptkit: Call, text: str, said: str
) -> None:
    write(project / "ckptkit.toml", text)
    run = ckptkit("validate", "new")
    assert (run.status, run.out) == (2, "")
    assert said in run.err
    assert "ckptkit.toml" in run.err
    assert ckptkit("validate", "new", "--no-config").status == 0
    assert ckptkit("validate", "new", "--config", "missing.toml").status == 2


def test_a_table_that_is_none_is_an_error(project: Path, ckptkit: Call) -> None:
    write(project / "pyproject.toml", "[tool]\nckptkit = 1\n")
    assert "is no table" in ckptkit("validate", "new").err


def test_settings_apply_and_the_command_line_goes_before_them(project: Path, ckptkit: Call) -> None:
    write(project / "ckptkit.toml", "level = 2\n")
    assert "CK108" in ckptkit("validate", "new").out
    assert ckptkit("validate", "new", "--level", "0").status == 0
    assert ckptkit("validate", "new", "--no-config").status == 0
    write(project / "other.toml", "level = 0\n")
    assert ckptkit("validate", "new", "--config", "other.toml").status == 0


def test_places_where_a_rule_is_not_reported(project: Path, ckptkit: Call) -> None:
    write(project / "ckptkit.toml", 'level = 2\n[per-path-ignores]\n"old/**" = ["CK108"]\n')
    report = json.loads(ckptkit("validate", ".", "--format", "json").out)
    found = {result["path"]: [f["code"] for f in result["findings"]] for result in report["results"]}
    assert found == {"new/m.safetensors": ["CK108"], "old/deep/m.safetensors": []}


@pytest.mark.parametrize(
    ("glob", "path", "hit"),
    [
        ("*.pt", "a.pt", True),
        ("*.pt", "a/b/c.pt", True),
        ("/*.pt", "a/b.pt", False),
        ("a/*.pt", "a/b.pt", True),
        ("a/*.pt", "a/b/c.pt", False),
        ("a/**/c.pt", "a/c.pt", True),
        ("a/**/c.pt", "a/b/b/c.pt", True),
        ("a/**", "a/b/c", True),
        ("a", "a/b/c", True),
        ("a", "x/a/b", True),
        ("a/", "a/b", True),
        ("a", "ab", False),
        ("a?", "ab", True),
        ("a?", "a/", False),
        ("a.b", "axb", False),
        ("[x]", "[x]", True),
    ],
)
def test_globs_are_those_of_gitignore(glob: str, path: str, hit: bool) -> None:
    assert bool(Settings(per_path_ignores={glob: ("CK1",)}).ignored_at(path)) is hit


STATES = {
    "clean": Validation("a", 2, Verdict.DATA_ONLY, ()),
    "info": Validation("a", 2, Verdict.DATA_ONLY, (Finding("CK112", Severity.INFO, "x"),)),
    "warning": Validation("a", 2, Verdict.DATA_ONLY, (Finding("CK306", Severity.WARNING, "x"),)),
    "error": Validation("a", 0, Verdict.DATA_ONLY, (Finding("CK301", Severity.ERROR, "x"),)),
    "incomplete": Validation(
        "a", -1, Verdict.UNSUPPORTED, (Finding("CK110", Severity.ERROR, "x"),), "absent"
    ),
}


@pytest.mark.parametrize("states", [list(s) for n in (1, 2, 3) for s in itertools.combinations(STATES, n)])
@pytest.mark.parametrize("fail_on", [Severity.ERROR, Severity.WARNING])
@pytest.mark.parametrize("exit_zero", [False, True])
def test_the_exit_status_of_every_combination(states: list[str], fail_on: Severity, exit_zero: bool) -> None:
    """0 clean, 1 findings, 2 something unchecked, which nothing hides."""
    report = Report(tuple(STATES[state] for state in states))
    status = exit_status(report, fail_on=fail_on, exit_zero=exit_zero)
    counted = {"error", "warning"} if fail_on is Severity.WARNING else {"error"}
    if "incomplete" in states:
        assert status == 2
    else:
        assert status == (1 if counted & set(states) and not exit_zero else 0)
