"""Each command on good input: exit status, both forms, files, selection."""

import json
import shutil
from pathlib import Path

import pytest

from tests.conftest import Call
from tests.corpus import CHECKOUT


def test_inspect_text_and_json_agree(ckptkit: Call, safetensors_file: Path) -> None:
    text, data = (
        ckptkit("inspect", safetensors_file),
        ckptkit("inspect", safetensors_file, "--format", "json"),
    )
    assert (text.status, text.err, data.status, data.err) == (0, "", 0, "")
    report = json.loads(data.out)
    assert report["path"] == str(safetensors_file)
    assert {t["name"]: (t["dtype"], t["shape"], t["nbytes"]) for t in report["tensors"]} == {
        "net.weight": ("F32", [3, 4], 48),
        "net.bias": ("F32", [3], 12),
    }
    assert safetensors_file.name in text.out


def test_inspect_has_the_fields_that_scripts_rely_on(ckptkit: Call, bundle: Path) -> None:
    report = json.loads(ckptkit("inspect", bundle, "--format", "json").out)
    wanted = "path format format_version verdict level content_digest tensors spaces architecture code"
    assert {*wanted.split(), "training_info"} <= set(report)
    assert len(report["content_digest"]) == 64


def test_inspect_finds_all_below_a_directory(ckptkit: Call, bundle: Path, safetensors_file: Path) -> None:
    (bundle.parent / "notes.txt").write_text("not a checkpoint\n")
    report = json.loads(ckptkit("inspect", bundle.parent, "--format", "json").out)
    found = sorted(entry["path"] for entry in report["checkpoints"])
    assert found == sorted([bundle.name, safetensors_file.name])


def test_inspect_goes_on_after_a_path_that_is_none(ckptkit: Call, safetensors_file: Path) -> None:
    run = ckptkit("inspect", "missing", safetensors_file)
    assert run.status == 2
    assert safetensors_file.name in run.out
    assert run.err.startswith("error: missing: ")


@pytest.mark.parametrize(
    "command", [["convert", "--to", "v2", "-o", "x"], ["export", "onnx", "-o", "x"], ["compat"]]
)
def test_what_takes_one_checkpoint_says_who_searches_directories(
    ckptkit: Call, bundle: Path, command: list[str]
) -> None:
    run = ckptkit(*command, bundle.parent)
    assert (run.status, run.out) == (2, "")
    assert "validate, recover, scan and migrate search directories" in run.err


@pytest.mark.parametrize("options", [[], ["--graph"], ["--assume", "relu"]])
def test_the_form_of_json_says_what_was_asked_for_and_not_what_failed(
    ckptkit: Call, safetensors_file: Path, options: list[str]
) -> None:
    """One path gives an object; several give an array, were all but one of them broken."""
    alone = ckptkit("inspect", safetensors_file, "--format", "json", *options)
    assert json.loads(alone.out)["path"] == str(safetensors_file)
    run = ckptkit("inspect", "missing", safetensors_file, "--format", "json", *options)
    assert run.status == 2
    assert json.loads(run.out) == [json.loads(alone.out)]


@pytest.mark.parametrize("command", ["inspect", "validate", "rules"])
def test_the_suffix_of_the_output_file_chooses_json(
    ckptkit: Call, bundle: Path, tmp_path: Path, command: str
) -> None:
    target = tmp_path / "report.json"
    run = ckptkit(command, *([] if command == "rules" else [bundle]), "-o", target)
    assert (run.status, run.out, run.err) == (0, "", "")
    json.loads(target.read_text(encoding="utf-8"))


def test_an_output_file_that_cannot_be_written_is_exit_2(ckptkit: Call, bundle: Path, tmp_path: Path) -> None:
    run = ckptkit("validate", bundle, "-o", tmp_path / "no" / "such" / "folder.txt")
    assert (run.status, run.out) == (2, "")
    assert "cannot be written" in run.err


@pytest.mark.parametrize(
    ("environment", "choice", "colored"),
    [
        ({}, "auto", False),
        ({"FORCE_COLOR": "1"}, "auto", True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, "auto", False),
        ({"NO_COLOR": "1"}, "always", True),
        ({"FORCE_COLOR": "1"}, "never", False),
    ],
)
def test_color(
    ckptkit: Call,
    bundle: Path,
    monkeypatch: pytest.MonkeyPatch,
    environment: dict[str, str],
    choice: str,
    colored: bool,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    run = ckptkit("inspect", bundle, "--color", choice)
    assert run.status == 0
    assert ("\x1b[" in run.out) is colored


def test_convert_writes_a_bundle_that_validates(
    ckptkit: Call, safetensors_file: Path, tmp_path: Path
) -> None:
    before = safetensors_file.read_bytes()
    run = ckptkit("convert", safetensors_file, "--to", "deploy", "-o", tmp_path / "out")
    assert (run.status, run.err) == (0, "")
    assert safetensors_file.read_bytes() == before
    assert ckptkit("validate", tmp_path / "out", "--level", "2").status == 0


@pytest.mark.parametrize("to", ["deploy", "v2"])
def test_a_dry_run_writes_nothing(ckptkit: Call, safetensors_file: Path, tmp_path: Path, to: str) -> None:
    before = sorted(tmp_path.rglob("*"))
    run = ckptkit("convert", safetensors_file, "--to", to, "-o", tmp_path / "out", "--dry-run")
    assert (run.status, run.err) == (0, "")
    assert sorted(tmp_path.rglob("*")) == before


def test_convert_receipt_as_json(ckptkit: Call, safetensors_file: Path, tmp_path: Path) -> None:
    run = ckptkit("convert", safetensors_file, "--to", "v2", "-o", tmp_path / "m.pt", "--format", "json")
    receipt = json.loads(run.out)
    assert receipt["assumed"] == []
    assert receipt["written"]["tensors"] == 2


def test_convert_says_that_hints_were_not_used(ckptkit: Call, safetensors_file: Path, tmp_path: Path) -> None:
    hints = ["--input-shape", "3,64,64", "--assume", "rl-snake"]
    run = ckptkit("convert", safetensors_file, "--to", "deploy", "-o", tmp_path / "out", *hints)
    assert run.status == 0
    assert "nothing was assumed" in run.out
    assert "--input-shape" in run.out
    assert "--assume rl-snake" in run.out


def test_convert_below_the_required_level_writes_nothing(
    ckptkit: Call, safetensors_file: Path, tmp_path: Path
) -> None:
    target = tmp_path / "out"
    run = ckptkit("convert", safetensors_file, "--to", "deploy", "-o", target, "--require-level", "4")
    assert run.status == 1
    assert "level 4" in run.err
    assert not target.exists()


def damage(bundle: Path) -> None:
    """Flip a bit in the last tensor byte of a bundle."""
    path = bundle / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def test_validate_names_what_is_damaged(ckptkit: Call, bundle: Path) -> None:
    damage(bundle)
    run = ckptkit("validate", bundle)
    assert run.status == 1
    assert "CK301" in run.out
    report = json.loads(ckptkit("validate", bundle, "--format", "json").out)
    assert set(report) >= {"results", "summary"}
    (result,) = report["results"]
    assert set(result) >= {"path", "level", "verdict", "findings"}
    finding = next(f for f in result["findings"] if f["code"] == "CK301")
    assert set(finding) >= {"code", "severity", "path", "location", "message"}


def test_validate_selection_and_exit_status(ckptkit: Call, bundle: Path) -> None:
    damage(bundle)
    assert ckptkit("validate", bundle, "--exit-zero").status == 0
    assert "CK301" not in ckptkit("validate", bundle, "--ignore", "CK301").out
    assert ckptkit("validate", bundle, "--select", "CK2").status == 0
    assert "CK301" in ckptkit("validate", bundle, "--select", "CK301,CK302").out
    assert ckptkit("validate", bundle, "--ignore", "CK3").status == 0


def test_validate_warnings_fail_where_asked(ckptkit: Call, bundle: Path) -> None:
    (bundle / "unlisted.txt").write_text("left here by accident\n")
    assert ckptkit("validate", bundle).status == 0
    run = ckptkit("validate", bundle, "--fail-on", "warning")
    assert run.status == 1
    assert "CK306" in run.out


def test_validate_reports_every_path_of_a_tree(ckptkit: Call, bundle: Path, safetensors_file: Path) -> None:
    damage(bundle)
    report = json.loads(ckptkit("validate", bundle.parent, "--format", "json").out)
    assert [result["path"] for result in report["results"]] == [str(bundle), str(safetensors_file)]
    assert [bool(result["findings"]) for result in report["results"]] == [True, False]


def test_validate_above_the_level_reached_is_a_finding(ckptkit: Call, safetensors_file: Path) -> None:
    assert ckptkit("validate", safetensors_file).status == 0
    run = ckptkit("validate", safetensors_file, "--level", "2")
    assert run.status == 1
    assert "CK108" in run.out


def test_validate_allows_what_is_empty_only_when_told(ckptkit: Call, tmp_path: Path) -> None:
    (tmp_path / "text.zip").write_text("no zip\n")
    for path in (tmp_path, tmp_path / "text.zip"):
        assert ckptkit("validate", path).status == 2
        assert ckptkit("validate", path, "--allow-empty").status == 0
    assert ckptkit("validate", tmp_path / "missing", "--allow-empty").status == 2


def test_exit_zero_does_not_hide_an_incomplete_check(ckptkit: Call, tmp_path: Path) -> None:
    assert ckptkit("validate", tmp_path / "missing", "--exit-zero").status == 2


def test_rules_and_explain_know_the_same_codes(ckptkit: Call) -> None:
    listed = json.loads(ckptkit("rules", "--format", "json").out)
    codes = [rule["code"] for rule in listed]
    assert len(codes) >= 20
    assert codes == sorted(codes)
    text = ckptkit("rules").out
    for rule in listed:
        assert rule["code"] in text
        by_code, by_name = ckptkit("explain", rule["code"]), ckptkit("explain", rule["name"])
        assert by_code.status == 0
        assert by_code.out == by_name.out
        assert rule["name"] in by_code.out


def test_explain_suggests_the_nearest(ckptkit: Call) -> None:
    assert "did you mean tensor-digest?" in ckptkit("explain", "tensor-digets").err


def test_an_unfinished_replacement_is_said_by_whatever_reads_it(ckptkit: Call, tmp_path: Path) -> None:
    agent = tmp_path / "agents" / "model.zip"
    waiting = agent.with_name(".model.zip.ckptkit-set")
    waiting.mkdir(parents=True)
    (waiting / "1").write_bytes(b"new")
    shutil.copyfile(CHECKOUT / "fixtures" / "sb3" / "ppo" / "model.zip", agent)
    for command in ("inspect", "validate"):
        run = ckptkit(command, agent)
        assert run.status == 1
        assert run.out.count("may be of two agents: new files wait here") == 1
        assert "CK116" in run.out
    (tmp_path / "agents" / "other").mkdir()
    shutil.copyfile(agent, tmp_path / "agents" / "other" / "x.zip")
    assert "may be of two agents" in ckptkit("inspect", agent.parent).out
    for command in ("convert --to v2 -o x.pt", "export onnx -o x.onnx", "recover"):
        run = ckptkit(*command.split(), agent)
        assert run.status == 1
        assert "may be of two agents" in run.err
    (waiting / "1").rename(waiting / "journal.json")  # all that waited has come
    assert ckptkit("validate", agent).status == 0
