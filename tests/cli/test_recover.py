"""`recover`, and what the other commands do with a network that weights alone do not settle."""

import json
from pathlib import Path

import pytest
import torch

from ckptkit import schema
from tests.conftest import Call
from tests.recovery.seed_models import Dqn, Tower, model_config, versioned

SHAPE = (2, 36, 36)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """Return a bare state dict of an Asteroids network."""
    path = tmp_path / "dqn.pth"
    torch.save(Dqn(SHAPE, 4, dueling=True, noisy=True, atoms=5).state_dict(), path)
    return path


def test_json_keeps_its_contract_and_its_schema(ckptkit: Call, weights: Path) -> None:
    for arguments in ([], ["--assume", "asteroids"], ["--explain"]):
        run = ckptkit("recover", weights, "--format", "json", *arguments)
        assert (run.status, run.err) == (0, "")
        document = json.loads(run.out)
        assert schema.validate("recover-report-1.0", document, strict=True) == []
        assert document["family"] == "asteroids"
        assert document["config"]["n_atoms"] == {
            "value": 5,
            "status": "proven",
            "evidence": ["support"],
            "alternatives": [],
        }
        assert (document["graph"] is None) == ("--assume" not in arguments)
        assert ("rejected" in document) == ("--explain" in arguments)


def test_text_says_what_how_sure_and_what_settles_the_rest(ckptkit: Call, weights: Path) -> None:
    run = ckptkit("recover", weights)
    assert run.status == 0
    rows = {line.split()[0]: line.split()[1:] for line in run.out.splitlines()}
    assert rows["family"] == ["asteroids"]
    assert rows["n_action"][:2] == ["4", "proven"]
    assert rows["activation"] == ["?", "unknown", "nothing", "says", "it"]
    assert rows["fields"][-1] == "unknown"
    assert "give --assume asteroids" in run.out
    assert "give --input-shape C,H,W, for instance --input-shape 2,36,36" in run.out


def test_explain_says_why_other_families_do_not_claim_it(ckptkit: Call, weights: Path) -> None:
    out = ckptkit("recover", weights, "--explain").out
    assert "keisei: there is no stem.weight" in out


def test_output_goes_to_a_file(ckptkit: Call, weights: Path, tmp_path: Path) -> None:
    target = tmp_path / "report.json"
    assert ckptkit("recover", weights, "-o", target).out == ""
    assert json.loads(target.read_text())["family"] == "asteroids"


@pytest.mark.parametrize(
    "command", [["recover"], ["convert", "--to", "deploy", "-o", "x"], ["export", "onnx", "-o", "x"]]
)
def test_unknown_profiles_are_a_usage_error_that_lists_the_known(
    ckptkit: Call, weights: Path, command: list[str]
) -> None:
    run = ckptkit(*command, weights, "--assume", "nobody")
    assert run.status == 2
    known = run.err.partition("known: ")[2].partition(")")[0].split(", ")
    assert known == sorted(known)
    assert {"asteroids", "keisei", "metta", "relu", "rl-snake", "unpadded"} <= set(known)


def test_without_flags_convert_stays_at_level_2_and_names_them(
    ckptkit: Call, weights: Path, tmp_path: Path
) -> None:
    run = ckptkit("convert", weights, "--to", "deploy", "-o", tmp_path / "out")
    assert run.status == 0
    assert "level 2" in run.out
    assert "--assume asteroids" in run.out
    assert "--input-shape" in run.out
    for command in (
        ["convert", weights, "--to", "deploy", "-o", tmp_path / "more", "--require-level", "3"],
        ["export", "onnx", weights, "-o", tmp_path / "net.onnx"],
    ):
        run = ckptkit(*command)
        assert run.status == 1
        assert "--assume asteroids" in run.err


def test_with_flags_convert_reaches_level_4_and_keeps_what_was_assumed(
    ckptkit: Call, weights: Path, tmp_path: Path
) -> None:
    flags = ["--assume", "asteroids", "--input-shape", "2,38,39"]
    run = ckptkit("convert", weights, "--to", "deploy", "-o", tmp_path / "out", *flags)
    assert run.status == 0
    assert "activation = ReLU (profile asteroids)" in run.out
    assert "input_shape = 2,38,39 (--input-shape)" in run.out
    assert ckptkit("validate", tmp_path / "out", "--level", "4").status == 0
    again = ckptkit("recover", tmp_path / "out", "--format", "json")
    fields = json.loads(again.out)["config"]
    assert (fields["input_shape"]["value"], fields["input_shape"]["status"]) == ([2, 38, 39], "assumed")


@pytest.mark.parametrize("kind", ["versioned", "compiled"])
def test_recovery_survives_both_v2_encodings_byte_for_byte(ckptkit: Call, tmp_path: Path, kind: str) -> None:
    source = tmp_path / "net.pth"
    if kind == "versioned":
        made = Dqn(SHAPE, 4, atoms=5, ends=(0.0, 1.0))
        torch.save(versioned(made, model_config(made, SHAPE)), source)
    else:
        state = {f"_orig_mod.{key}": value for key, value in Tower(46, 6, 1, 0.5).state_dict().items()}
        torch.save({"model_state_dict": state, "optimizer_state_dict": {}}, source)
    hints = [] if kind == "versioned" else ["--assume", "keisei"]
    first, folder, second = tmp_path / "a.pt", tmp_path / "b", tmp_path / "c.pt"
    assert ckptkit("convert", source, "--to", "v2", "-o", first, *hints).status == 0
    assert ckptkit("convert", first, "--to", "deploy", "-o", folder).status == 0
    assert ckptkit("convert", folder, "--to", "v2", "-o", second).status == 0
    assert first.read_bytes() == second.read_bytes()
    assert json.loads((folder / "ckpt.json").read_text())["recovery"]["questions"] == []


def test_a_network_of_no_family_is_no_error(ckptkit: Call, tmp_path: Path) -> None:
    torch.save(torch.nn.Linear(2, 3).state_dict(), tmp_path / "net.pth")
    run = ckptkit("recover", tmp_path / "net.pth", "--explain")
    assert run.status == 0
    assert "no family that ckptkit knows claims it" in run.out
    assert "Linear(in_features 2, out_features 3, bias yes)" in run.out
    assert "asteroids: there is no conv.0.weight" in run.out


def test_what_is_no_checkpoint_is_exit_2(ckptkit: Call, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing\n")
    assert ckptkit("recover", tmp_path / "notes.txt").status == 2


@pytest.mark.parametrize(
    "arguments", [[], ["--assume", "asteroids"], ["--assume", "asteroids", "--input-shape", "2,36,36"]]
)
def test_counterexamples_keep_their_schema(ckptkit: Call, weights: Path, arguments: list[str]) -> None:
    run = ckptkit("recover", weights, "--counterexample", "--format", "json", *arguments)
    assert (run.status, run.err) == (0, "")
    document = json.loads(run.out)
    assert schema.validate("recover-report-1.0", document, strict=True) == []
    found = {one["field"]: one for one in document["counterexamples"]}
    assert ("activation" in found) == (not arguments)
    if not arguments:
        assert found["activation"]["found"] is True
        assert found["activation"]["values"] == ["ReLU", "Tanh"]


def test_text_of_counterexamples(ckptkit: Call, weights: Path) -> None:
    out = ckptkit("recover", weights, "--counterexample").out
    assert "activation: ReLU and Tanh both load; q_values differs by" in out
    assert "ReLU or Tanh? (--assume asteroids says ReLU)" in out
    assert "not found in" in out
    assert "equal" not in out
    settled = ckptkit(
        "recover", weights, "--counterexample", "--assume", "asteroids", "--input-shape", "2,36,36"
    )
    assert (settled.status, "nothing is open" in settled.out) == (0, True)
