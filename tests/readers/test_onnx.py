"""The reader of bare ONNX files; what onnx itself reads is the oracle."""

import json
import shutil
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

import ckptkit
from ckptkit import api, errors
from ckptkit.digest import tensor_sha256
from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.finding import Verdict
from ckptkit.readers import onnx as reader
from ckptkit.readers.onnx import READER
from ckptkit.storage.probe import Probe
from tests.corpus import CHECKOUT

FIXTURES = CHECKOUT / "fixtures"
FOLDER = FIXTURES / "onnx"
CASES = sorted(path.parent.name for path in FOLDER.glob("*/expected.json"))
BUNDLE = FIXTURES / "conformance" / "network" / "bundle"


def by_onnx(path: Path) -> dict[str, np.ndarray]:
    """Return the initializers as onnx reads them."""
    model = onnx.load(path, load_external_data=False)
    return {one.name: numpy_helper.to_array(one, str(path.parent)) for one in model.graph.initializer}


def assert_same(path: Path) -> Checkpoint:
    """Assert that what is read is among what onnx reads, to the bit."""
    checkpoint, wanted = ckptkit.read(path), by_onnx(path)
    identities = [
        node for node in onnx.load(path, load_external_data=False).graph.node if node.op_type == "Identity"
    ]
    wanted |= {node.output[0]: wanted[node.input[0]] for node in identities if node.input[0] in wanted}
    assert checkpoint.tensors.keys() <= wanted.keys()
    for name, tensor in checkpoint.tensors.items():
        assert tensor.shape == wanted[name].shape
        assert tensor.tobytes() == wanted[name].tobytes(), name
        assert tensor.numpy().tobytes() == wanted[name].tobytes(), name
    return checkpoint


def exported(folder: Path, module: nn.Module, shape: tuple[int, ...], **options: object) -> Path:
    path = folder / "model.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(module.eval(), (torch.ones(shape),), path, **options)
    return path


class Wrapped(nn.Module):
    """A policy as the attribute of a module, as the recipe for exporting one has it."""

    def __init__(self, policy: nn.Module) -> None:
        super().__init__()
        self.policy = policy

    def forward(self, observation: torch.Tensor) -> object:
        return self.policy(observation)


@pytest.mark.parametrize("case", CASES)
def test_fixture(case: str) -> None:
    expected: dict[str, Any] = json.loads((FOLDER / case / "expected.json").read_text(encoding="utf-8"))
    checkpoint = assert_same(FOLDER / case / expected["file"])
    spelled = {
        name: [t.dtype.name, list(t.shape), tensor_sha256(t)] for name, t in checkpoint.tensors.items()
    }
    assert spelled == expected["tensors"]
    assert list(checkpoint.tensors) == list(expected["tensors"])
    assert [file.path for file in checkpoint.files] == expected["files"]
    assert list(checkpoint.model_config) == expected["model_config"]
    assert list(checkpoint.training_info) == expected["training_info"]
    assert sorted(entry.path for entry in checkpoint.dropped) == sorted(expected["dropped"])
    assert [note.kind for note in checkpoint.notes] == expected["notes"]
    assert checkpoint.model_config.get("renamed_tensors", []) == expected["renamed"]
    assert checkpoint.verdict is Verdict.DATA_ONLY


def test_there_are_fixtures() -> None:
    assert len(CASES) >= 11


def test_what_the_model_states_is_recorded() -> None:
    config = ckptkit.read(FOLDER / "branches" / "model.onnx").model_config
    assert (config["opset"], config["opsets"]) == (18, {"own": 1})
    assert config["producer_name"] == "fixture"
    assert config["inputs"] == [{"name": "x", "dtype": "F32", "shape": ["batch", 3]}]
    assert config["outputs"] == [{"name": "y", "dtype": "F32", "shape": ["batch", None]}]
    assert config["operators"] == {"Add": 1, "Constant": 1, "Identity": 2, "If": 1, "own::Twice": 1}
    assert config["functions"] == ["own::Twice"]


@pytest.mark.parametrize("dynamo", [False, True])
def test_weights_of_torchs_exporters_are_those_of_the_state_dict(tmp_path: Path, dynamo: bool) -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 2))
    checkpoint = assert_same(exported(tmp_path, module, (1, 3, 8, 8), dynamo=dynamo))
    state = module.state_dict()
    assert checkpoint.tensors.keys() == state.keys()
    for name, tensor in checkpoint.tensors.items():
        assert tensor.torch().equal(state[name])
    found = ckptkit.recover(tmp_path / "model.onnx")
    assert found.fields["modules.3"]["value"] == {
        "type": "Linear", "in_features": 144, "out_features": 2, "bias": True,
    }  # fmt: skip


@pytest.mark.parametrize("dynamo", [False, True])
def test_weights_that_an_exporter_turned_stay_unknown(tmp_path: Path, dynamo: bool) -> None:
    module = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 4))
    path = exported(tmp_path, module, (1, 3, 4), dynamo=dynamo)
    assert len(assert_same(path).model_config["renamed_tensors"]) == 2
    for source in (path, tmp_path / "bundle"):
        found = ckptkit.recover(source, assume=["tanh"])
        assert found.graph is None
        assert not found.fields
        assert set(found.unexplained) == ckptkit.read(source).tensors.keys()
        assert "which parameters are" in found.questions[0]
        if source is path:
            ckptkit.convert(path, "deploy", tmp_path / "bundle")
    with pytest.raises(errors.ArchitectureError):
        ckptkit.load(path, assume=["tanh"])


def test_tensors_that_the_exporter_merged_have_their_names_again(tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 2))
    for layer in (module[0], module[2]):
        nn.init.zeros_(layer.bias)
    state = module.state_dict()
    path = exported(tmp_path, module, (1, 4), dynamo=False)
    assert len(by_onnx(path)) == len(state) - 1
    checkpoint = assert_same(path)
    assert list(checkpoint.tensors) == list(state)
    assert all(tensor.torch().equal(state[name]) for name, tensor in checkpoint.tensors.items())
    assert ckptkit.recover(path, assume=["tanh"]).graph is not None
    torch.save(state, tmp_path / "state.pt")
    ckptkit.convert(tmp_path / "state.pt", "v2", tmp_path / "a.pt")
    ckptkit.convert(path, "v2", tmp_path / "b.pt")
    assert len({ckptkit.inspect(tmp_path / name).content_digest for name in ("a.pt", "b.pt")}) == 1


def test_merged_tensors_that_would_fill_a_disk_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    path = FOLDER / "merged" / "model.onnx"
    monkeypatch.setattr(reader, "EXPANDED_BYTES", 16)
    ckptkit.read(path)
    monkeypatch.setattr(reader, "EXPANDED_BYTES", 15)
    with pytest.raises(errors.LimitExceededError, match="16 bytes"):
        ckptkit.read(path)


def test_an_export_in_the_way_that_stable_baselines3_documents(tmp_path: Path) -> None:
    source = FIXTURES / "sb3" / "ppo" / "model.zip"
    policy = ckptkit.load(source)
    path = exported(tmp_path, Wrapped(policy), (1, 3), dynamo=False)
    found = ckptkit.recover(path, assume=["stable-baselines3"])
    assert found.family == "sb3-policy"
    assert found.graph is not None


def test_a_matrix_that_is_used_turned_is_not_taken_for_a_layer() -> None:
    found = ckptkit.recover(FOLDER / "turned" / "model.onnx", assume=["tanh"])
    assert (found.graph, found.unexplained) == (None, ("net.weight",))


def test_the_graph_of_a_bundle_names_the_tensors_of_the_bundle() -> None:
    read, bundle = assert_same(BUNDLE / "model.onnx"), ckptkit.read(BUNDLE)
    assert read.tensors
    assert [file.path for file in read.files] == ["model.onnx", "model.safetensors"]
    for name, tensor in read.tensors.items():
        assert tensor.tobytes() == bundle.tensors[name].tobytes()
    assert ckptkit.read(BUNDLE).format == "deploy"
    assert [found.path for found in api.validate(BUNDLE).results] == [str(BUNDLE)]


def test_an_export_and_what_is_made_of_it_have_one_content_digest(tmp_path: Path) -> None:
    source = FIXTURES / "sb3" / "ppo" / "model.zip"
    ckptkit.export_onnx(source, tmp_path / "agent.onnx")
    profile = ["stable-baselines3"]
    ckptkit.convert(source, "deploy", tmp_path / "a")
    ckptkit.convert(tmp_path / "agent.onnx", "deploy", tmp_path / "b", assume=profile)
    ckptkit.convert(tmp_path / "agent.onnx", "v2", tmp_path / "c.pt", assume=profile)
    ckptkit.convert(tmp_path / "a" / "model.onnx", "v2", tmp_path / "d.pt")
    digests = {ckptkit.inspect(tmp_path / name).content_digest for name in ("a", "b", "c.pt", "d.pt")}
    assert len(digests) == 1
    assert digests != {""}
    (result,) = api.validate(tmp_path / "b", level=4).results
    assert (result.level, result.findings) == (4, ())


def test_both_files_are_in_the_lineage_of_a_bundle(tmp_path: Path) -> None:
    ckptkit.convert(FOLDER / "beside" / "model.onnx", "deploy", tmp_path / "bundle")
    lineage = json.loads((tmp_path / "bundle" / "ckpt.json").read_text(encoding="utf-8"))["lineage"]
    assert [row["path"] for row in lineage["files"]] == ["model.onnx", "model.onnx.data"]
    assert [row["path"] for row in lineage["dropped"]] == ["graph.node"]


def test_tensors_of_one_place_are_aliases(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(FOLDER / "beside", folder)
    model = onnx.load(folder / "model.onnx", load_external_data=False)
    model.graph.initializer.append(model.graph.initializer[0])
    model.graph.initializer[-1].name = "tied.weight"
    onnx.save(model, folder / "model.onnx")
    rows = {row.name: row.alias_of for row in ckptkit.inspect(folder / "model.onnx").tensors}
    assert rows["tied.weight"] == "net.weight"


def test_custom_operators_are_a_warning(tmp_path: Path) -> None:
    (result,) = api.validate(FOLDER / "custom" / "model.onnx").results
    assert [(found.code, found.severity) for found in result.findings] == [("CK117", "warning")]
    assert "com.example" in result.findings[0].message
    (result,) = api.validate(FOLDER / "branches" / "model.onnx").results
    assert "CK117" not in {found.code for found in result.findings}


def test_a_graph_without_weights_is_said_to_be_one(tmp_path: Path) -> None:
    onnx.save(helper.make_model(helper.make_graph([], "g", [], [])), tmp_path / "model.onnx")
    (result,) = api.validate(tmp_path / "model.onnx").results
    assert [found.code for found in result.findings] == ["CK113"]


def test_names_of_exporters_are_no_paths(tmp_path: Path) -> None:
    names = ["/net/Constant_output_0", "/net/../w"]
    tensors = [numpy_helper.from_array(np.ones(2, np.float32), name) for name in names]
    graph = helper.make_graph([], "g", [], [], tensors)
    onnx.save(helper.make_model(graph), tmp_path / "model.onnx")
    (result,) = api.validate(tmp_path / "model.onnx").results
    assert [found.location for found in result.findings if found.code == "CK115"] == names[1:]


def test_claims_nothing_else(tmp_path: Path) -> None:
    assert not READER.recognises(Probe(tmp_path))
    others = {
        "empty": b"",
        "text": b"\x08\n hello",
        "saved_model.pb": b"\x08\x01\x12\x04\x0a\x02\x12\x00",
        "short": b"\x08\x0a",
        "producer": b"\x08\x0a\x12\x07pytorch",
        "zeros": bytes(64),
        "safetensors": b"\x08\0\0\0\0\0\0\0{}      ",
    }
    for name, data in others.items():
        (tmp_path / name).write_bytes(data)
        assert not READER.recognises(Probe(tmp_path / name)), name


def test_a_truncated_file_is_claimed_and_said_to_be_so(tmp_path: Path) -> None:
    data = (FOLDER / "types" / "model.onnx").read_bytes()
    for length in (30, len(data) // 2, len(data) - 1):
        (tmp_path / "m.onnx").write_bytes(data[:length])
        assert READER.recognises(Probe(tmp_path / "m.onnx"))
        with pytest.raises(errors.UnreadableCheckpointError, match=r"truncated|no end|no field"):
            ckptkit.read(tmp_path / "m.onnx")


def test_a_pointer_for_the_data_is_said_to_be_one(tmp_path: Path) -> None:
    shutil.copytree(FOLDER / "beside", tmp_path / "model")
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize 32\n" % (b"0f" * 32)
    (tmp_path / "model" / "model.onnx.data").write_bytes(pointer)
    (result,) = api.validate(tmp_path / "model" / "model.onnx").results
    assert [found.code for found in result.findings] == ["CK110"]
    assert result.incomplete


@pytest.mark.parametrize("kind", ["STRING", "COMPLEX128", "INT4", "UINT4", "FLOAT4E2M1"])
def test_types_without_a_form_are_refused_by_name(tmp_path: Path, kind: str) -> None:
    number = TensorProto.DataType.Value(kind)
    values = ["a", "b"] if kind == "STRING" else [1, 2]
    tensor = helper.make_tensor("odd.weight", number, [2], values)
    onnx.save(helper.make_model(helper.make_graph([], "g", [], [], [tensor])), tmp_path / "m.onnx")
    with pytest.raises(errors.UnsupportedTensorError, match=f"odd.weight.*{kind}"):
        ckptkit.read(tmp_path / "m.onnx")
