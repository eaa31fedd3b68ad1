"""Levels 3 and 4: what keeps a network from being built or run, each found and named."""

import json
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest

from ckptkit import api
from ckptkit.model import extras
from ckptkit.model.manifest import digest_line, render
from tests.corpus import CHECKOUT

SOURCE = CHECKOUT / "fixtures" / "sb3" / "ppo" / "model.zip"
VECTOR = CHECKOUT / "fixtures" / "conformance" / "network" / "bundle"
Manifest = dict[str, Any]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("bundle") / "ppo"
    api.convert(SOURCE, "deploy", target)
    return target


@pytest.fixture
def bundle(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "ppo"))


def edit(bundle: Path, change: Callable[[Manifest], object]) -> None:
    manifest = json.loads((bundle / "ckpt.json").read_bytes())
    change(manifest)
    data = render(manifest)
    (bundle / "ckpt.json").write_bytes(data)
    (bundle / "ckpt.json.sha256").write_bytes(digest_line(data))


def remodel(bundle: Path, change: Callable[[onnx.ModelProto], object]) -> None:
    """Change the ONNX file and record its new digest."""
    import hashlib

    model = onnx.load_model(bundle / "model.onnx", load_external_data=False)
    change(model)
    data = model.SerializeToString(deterministic=True)
    (bundle / "model.onnx").write_bytes(data)
    row = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}

    def record(manifest: Manifest) -> None:
        next(one for one in manifest["files"] if one["role"] == "graph").update(row)

    edit(bundle, record)


def errors(path: Path, level: int | None = 4) -> list[tuple[str, str]]:
    (result,) = api.validate(path, level=level).results
    return [(finding.code, finding.message) for finding in result.findings]


def layer(manifest: Manifest, name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(
        one for one in manifest["architecture"]["graph"]["layers"] if one["name"] == name
    )
    return found


def test_a_sound_bundle_reaches_each_level(bundle: Path) -> None:
    for level in (None, 3, 4):
        assert errors(bundle, level) == []
    (result,) = api.validate(bundle).results
    assert result.level == 3
    assert "ckptkit validate --level 4" in result.next_level


def test_a_graph_with_a_cycle_is_malformed(bundle: Path) -> None:
    edit(bundle, lambda m: layer(m, "action_net").update(inputs=["action_net"]))
    ((code, message),) = errors(bundle, None)
    assert code == "CK401"
    assert "action_net" in message


def test_each_tensor_that_does_not_fit_is_named(bundle: Path) -> None:
    def wider(manifest: Manifest) -> None:
        layer(manifest, "value_net")["attrs"]["out_features"] = 5

    edit(bundle, wider)
    found = errors(bundle, 3)
    assert [code for code, _ in found] == ["CK402", "CK402"]
    assert {"value_net.weight", "value_net.bias"} == {message.split()[1].rstrip(":") for _, message in found}


def test_tensors_without_a_layer_are_named(bundle: Path) -> None:
    def drop(manifest: Manifest) -> None:
        graph = manifest["architecture"]["graph"]
        graph["layers"] = [one for one in graph["layers"] if one["name"] != "value_net"]
        graph["outputs"] = [one for one in graph["outputs"] if one["name"] != "value"]

    edit(bundle, drop)
    assert {("CK402", "tensor value_net.bias: no layer of the graph uses it")} <= set(errors(bundle, 3))


def test_a_weight_that_was_swapped_in_the_graph_names_its_layer(bundle: Path) -> None:
    def swap(model: onnx.ModelProto) -> None:
        (node,) = [one for one in model.graph.node if one.op_type == "Tanh" and "policy_net.1" in one.name]
        node.op_type = "Relu"

    remodel(bundle, swap)
    found = errors(bundle)
    assert {code for code, _ in found} == {"CK502"}
    assert all("first at layer mlp_extractor.policy_net.1," in message for _, message in found)


def test_other_recorded_outputs_blame_no_layer(bundle: Path) -> None:
    import hashlib

    path = bundle / "conformance.safetensors"
    data = bytearray(path.read_bytes())
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    at = 8 + length + header["output.value"]["data_offsets"][0]
    data[at : at + 4] = struct.pack("<f", 9.0)
    path.write_bytes(data)
    row = {"sha256": hashlib.sha256(data).hexdigest()}
    edit(bundle, lambda m: next(f for f in m["files"] if f["role"] == "conformance").update(row))
    ((code, message),) = errors(bundle)
    assert code == "CK502"
    assert "output value differs in 1 of 64 values" in message
    assert "every layer computes what the architecture says" in message


def test_a_wide_tolerance_is_refused(bundle: Path) -> None:
    edit(bundle, lambda m: m["conformance"]["tolerance"].update(absolute=1.0))
    assert ("CK202", "must be at most 0.001, is 1.0") in errors(bundle)


def test_external_data_of_an_absolute_path_is_refused_before_anything_runs(bundle: Path) -> None:
    def outside(model: onnx.ModelProto) -> None:
        for entry in model.graph.initializer[0].external_data:
            if entry.key == "location":
                entry.value = "/etc/passwd"

    remodel(bundle, outside)
    ((code, message),) = errors(bundle)
    assert code == "CK505"
    assert "/etc/passwd" in message


def test_what_is_no_model_is_said(bundle: Path) -> None:
    (bundle / "model.onnx").write_bytes(b"\x08\x0a nothing")
    codes = [code for code, _ in errors(bundle)]
    assert "CK503" in codes


def test_a_legacy_file_reaches_no_level_4() -> None:
    (result,) = api.validate(SOURCE, level=4).results
    assert [finding.code for finding in result.findings] == ["CK108"]


def test_a_missing_runtime_leaves_the_check_incomplete(
    bundle: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from ckptkit.cli.app import status

    real = extras.find_spec
    monkeypatch.setattr(extras, "find_spec", lambda name: None if name == "onnxruntime" else real(name))
    assert status(["validate", str(bundle), "--level", "4", "--format", "json"]) == 2
    (result,) = json.loads(capsys.readouterr().out)["results"]
    assert (result["level"], result["findings"]) == (3, [])
    assert result["incomplete"].endswith("pip install 'ckptkit[onnx]'")
    assert status(["validate", str(bundle)]) == 0


def test_a_torch_dict_says_what_it_cannot_hold(bundle: Path, tmp_path: Path) -> None:
    api.convert(bundle, "v2", tmp_path / "a.pt")
    (result,) = api.validate(tmp_path / "a.pt", level=4).results
    assert (result.level, [finding.code for finding in result.findings]) == (3, ["CK108"])
