"""Advisory rules: values of weights, training figures, spaces, and what is around the files."""

import json
import os
import struct
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ckptkit import api, checks
from ckptkit.checks import surroundings
from ckptkit.model.finding import Finding, Severity
from ckptkit.model.manifest import digest_line, render
from ckptkit.model.settings import Settings
from tests.conftest import Call, safetensors_bytes
from tests.corpus import CHECKOUT

ADVISORY = ("CK404", "CK6", "CK7")


def findings(path: Path, **settings: Any) -> list[Finding]:
    (result,) = api.validate(path, settings=Settings(**settings)).results
    return [finding for finding in result.findings if finding.code.startswith(ADVISORY)]


def codes(path: Path, **settings: Any) -> list[str]:
    return [finding.code for finding in findings(path, **settings)]


def saved(folder: Path, tree: Mapping[str, Any], name: str = "model.pt") -> Path:
    torch.save(tree, folder / name)
    return folder / name


def test_no_healthy_fixture_has_a_warning() -> None:
    report = api.validate([CHECKOUT / "fixtures/sb3", CHECKOUT / "fixtures/seed_systems"])
    assert len(report.results) >= 40
    found = [f for one in report.results for f in one.findings if f.code.startswith(ADVISORY)]
    assert [f for f in found if f.severity is not Severity.INFO] == []


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64, torch.bfloat16])
def test_values_of_each_type(tmp_path: Path, dtype: torch.dtype) -> None:
    nan = torch.zeros(3, 5, dtype=dtype)
    nan[1, 2] = float("nan")
    both = torch.ones(9, dtype=dtype)
    both[0], both[1] = float("inf"), -float("inf")
    tree = {
        "nan": nan,
        "both": both,
        "zero": torch.zeros(4, 4, dtype=dtype),
        "bias": torch.zeros(4, dtype=dtype),
        "one": torch.zeros(1, 1, dtype=dtype),
        "fine": torch.arange(6, dtype=dtype).reshape(2, 3),
        "counts": torch.zeros(2, 2, dtype=torch.int64),
        "empty": torch.zeros(0, 3, dtype=dtype),
    }
    path = saved(tmp_path, tree)
    found = {(one.code, one.location): one.message for one in findings(path, weights=True)}
    assert found == {
        ("CK601", "nan"): "1 of its 15 elements are NaN",
        ("CK602", "both"): "2 of its 9 elements are infinite",
        ("CK603", "zero"): "each of its 16 elements is 0",
    }
    assert codes(path) == []


def test_values_are_counted_over_all_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ckptkit.checks.weights.PIECE_BYTES", 64)
    constant = torch.full((10, 10), 2.5)
    almost = constant.clone()
    almost[9, 9] = 3
    nans = torch.full((7, 9), float("nan"))
    path = saved(tmp_path, {"constant": constant, "almost": almost, "nans": nans})
    found = {(one.code, one.location): one.message for one in findings(path, weights=True)}
    assert found == {
        ("CK601", "nans"): "63 of its 63 elements are NaN",
        ("CK603", "constant"): "each of its 100 elements is 2.5",
        ("CK603", "nans"): "each of its 63 elements is nan",
    }


def test_values_are_looked_into_at_level_4_and_where_asked_for(tmp_path: Path, ckptkit: Call) -> None:
    path = saved(tmp_path, {"w": torch.full((2, 2), float("nan"))})
    assert "CK601" not in ckptkit("validate", path).out
    assert "CK601" in ckptkit("validate", path, "--weights").out
    assert ckptkit("validate", path, "--weights", "--fail-on", "warning").status == 1
    assert {rule.code for rule in checks.rules() if rule.values} == {"CK601", "CK602", "CK603"}


def test_several_float_types_are_told(tmp_path: Path) -> None:
    path = saved(tmp_path, {"a": torch.ones(2), "b": torch.ones(2).half(), "c": torch.ones(2).int()})
    (finding,) = findings(path)
    assert finding.code == "CK604"
    assert "1 F16 (b …), 1 F32 (a …)" in finding.message


def trained(optimizer: Callable[..., torch.optim.Optimizer]) -> tuple[torch.nn.Module, torch.optim.Optimizer]:
    module = torch.nn.Linear(3, 2)
    steps = optimizer(module.parameters())
    module(torch.ones(1, 3)).sum().backward()
    steps.step()
    return module, steps


OPTIMIZERS = {
    "Adam": lambda parameters: torch.optim.Adam(parameters, amsgrad=True),
    "AdamW": torch.optim.AdamW,
    "SGD": lambda parameters: torch.optim.SGD(parameters, lr=0.1, momentum=0.9),
    "RMSprop": lambda parameters: torch.optim.RMSprop(parameters, momentum=0.9, centered=True),
    "Adadelta": torch.optim.Adadelta,
    "Adamax": torch.optim.Adamax,
    "NAdam": torch.optim.NAdam,
    "RAdam": torch.optim.RAdam,
    "ASGD": torch.optim.ASGD,
    "Adafactor": torch.optim.Adafactor,
    "Rprop": torch.optim.Rprop,
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimizer_of_the_same_model_fits(tmp_path: Path, name: str) -> None:
    module, optimizer = trained(OPTIMIZERS[name])
    tree = {"model_state_dict": module.state_dict(), "optimizer_state_dict": optimizer.state_dict()}
    assert codes(saved(tmp_path, tree)) == []


@pytest.mark.parametrize("name", ["Adam", "AdamW", "SGD", "RMSprop", "Adadelta", "Adamax", "NAdam", "RAdam"])
def test_an_optimizer_of_another_model_does_not(tmp_path: Path, name: str) -> None:
    _, optimizer = trained(OPTIMIZERS[name])
    other = torch.nn.Linear(7, 5).state_dict()
    path = saved(tmp_path, {"model_state_dict": other, "optimizer_state_dict": optimizer.state_dict()})
    (finding,) = findings(path)
    assert (finding.code, finding.location) == ("CK611", "optimizer_state_dict")
    assert "(2), (2, 3)" in finding.message


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("global_timestep", -1, "counts from 0"),
        ("black_wins", -3, "counts from 0"),
        ("epsilon", 1.5, "between 0 and 1"),
        ("gamma", float("nan"), "NaN"),
        ("epsilon", 0.0, ""),
        ("gamma", 1, ""),
        ("best_eval_reward", float("-inf"), ""),
        ("step", True, ""),
        ("epoch", 0, ""),
    ],
)
def test_figures_that_cannot_be(tmp_path: Path, field: str, value: object, said: str) -> None:
    info = {"frame_idx": 5, field: value}
    tree = {"version": "2.0", "model_state_dict": {"w": torch.arange(2.0)}, "training_info": info}
    found = findings(saved(tmp_path, tree | {"model_config": {}}))
    assert [one.code for one in found] == (["CK612"] if said else [])
    assert not said or said in found[0].message


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("dqn_25000.pth", []),
        ("checkpoint_ts25000.pth", []),
        ("dqn_26000.pth", ["CK613"]),
        ("dqn_v3.pth", []),
        ("best.pth", []),
    ],
)
def test_a_name_that_states_another_step(tmp_path: Path, name: str, code: list[str]) -> None:
    tree = {"model_state_dict": {"w": torch.arange(2.0)}, "global_timestep": 25000, "epoch": 3}
    assert codes(saved(tmp_path, tree, name)) == code


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    target = tmp_path / "ppo"
    api.convert(CHECKOUT / "fixtures/sb3/ppo/model.zip", "deploy", target)
    return target


def edit(bundle: Path, change: Callable[[dict[str, Any]], object]) -> None:
    manifest = json.loads((bundle / "ckpt.json").read_bytes())
    change(manifest)
    data = render(manifest)
    (bundle / "ckpt.json").write_bytes(data)
    (bundle / "ckpt.json.sha256").write_bytes(digest_line(data))


def test_spaces_that_are_not_those_of_the_network(policy: Path) -> None:
    assert codes(policy) == []
    spaces = json.loads((policy / "ckpt.json").read_bytes())["spaces"]
    assert spaces["observation"]["type"] == "Box"
    edit(policy, lambda manifest: manifest["spaces"]["observation"].update(shape=[99]))
    found = findings(policy)
    assert [(one.code, one.location) for one in found] == [("CK404", "/spaces/observation")]
    assert "[99]" in found[0].message
    action = {"type": "Discrete", "n": 77, "start": 0}
    edit(policy, lambda manifest: manifest["spaces"].update(spaces | {"action": action}))
    assert [one.location for one in findings(policy)] == ["/spaces/action"]


def test_a_source_that_has_changed_beside_its_bundle(tmp_path: Path) -> None:
    source = saved(tmp_path, {"w": torch.arange(3.0)})
    api.convert(source, "deploy", tmp_path / "bundle")
    assert codes(tmp_path / "bundle") == []
    saved(tmp_path, {"w": torch.arange(4.0)})
    (finding,) = findings(tmp_path / "bundle")
    assert (finding.code, finding.severity, finding.path) == ("CK701", Severity.INFO, str(source))
    source.unlink()
    assert codes(tmp_path / "bundle") == []


@pytest.mark.skipif(os.name != "posix", reason="modes are those of POSIX")
def test_what_anyone_may_change(tmp_path: Path, bundle: Path) -> None:
    assert codes(bundle) == []
    (bundle / "model.safetensors").chmod(0o666)
    (finding,) = findings(bundle)
    assert (finding.code, finding.path) == ("CK702", str(bundle / "model.safetensors"))


def large(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(surroundings, "LARGE_BYTES", 100)
    folder.mkdir(parents=True, exist_ok=True)
    values = struct.pack("<40f", *range(40))
    (folder / "m.safetensors").write_bytes(safetensors_bytes({"w": ("F32", [40], values)}))
    return folder / "m.safetensors"


ATTRIBUTES = (
    "",
    "*.safetensors filter=lfs diff=lfs merge=lfs -text\n",
    "*.pt filter=lfs\n",
    "*.safetensors filter=lfs\nmodels/** -filter\n",
    "models/** filter=lfs\n*.safetensors !filter\n",
    "# *.safetensors filter=lfs\n",
    "models/ filter=lfs\n",
    "models filter=lfs\n",
    "/m.safetensors filter=lfs\n",
    "/models/m.safetensors filter=lfs\n",
    "m.safetensors filter=lfs\n",
    "*.safetensors filter=other\n",
    "*.safetensors -text filter=lfs\n",
    "**/m.* filter=lfs\n",
    "mo*/m.safetensors filter=lfs\n",
    "*/*.safetensors filter=lfs\n",
    "m.safetensor? filter=lfs\n",
)


@pytest.mark.parametrize("below", ["", "*.safetensors -filter\n", "m.* filter=lfs\n"])
@pytest.mark.parametrize("text", ATTRIBUTES)
def test_large_files_that_git_keeps_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, below: str
) -> None:
    """Attributes are read as git itself reads them."""
    repository = tmp_path / "repo"
    path = large(repository / "models", monkeypatch)
    assert codes(path) == []
    subprocess.run(["git", "init", "-q", str(repository)], check=True)
    (repository / ".gitattributes").write_text(text)
    (repository / "models/.gitattributes").write_text(below)
    command = ["git", "check-attr", "filter", "models/m.safetensors"]
    run = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=True)
    assert codes(path) == ([] if run.stdout.strip().endswith("filter: lfs") else ["CK703"])


def test_what_is_larger_than_the_settings_allow(bundle: Path) -> None:
    size = sum(path.stat().st_size for path in bundle.rglob("*"))
    assert codes(bundle, max_bytes=size) == []
    (finding,) = findings(bundle, max_bytes=size - 1)
    assert finding.code == "CK704"
    assert f"{size:,}" in finding.message


def test_junk_in_every_field_raises_nothing(tmp_path: Path) -> None:
    junk = {"state": {0: {"exp_avg": [1]}, 1: None, "x": {"exp_avg": torch.ones(2, 2)}}, "param_groups": []}
    info = {"frame_idx": "many", "epsilon": None, "gamma": np.float64(2.0).item()}
    tree = {
        "model_state_dict": {"w": torch.arange(4.0)},
        "optimizer": junk,
        "training_info": info,
        "epoch": -1,
    }
    api.validate(saved(tmp_path, tree), settings=Settings(weights=True))
