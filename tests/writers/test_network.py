"""The part of a bundle that runs: model.onnx, its external data, and the recorded outputs."""

import hashlib
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from safetensors.numpy import load_file

from ckptkit import api
from ckptkit.api.preparing import with_architecture
from ckptkit.errors import ArchitectureError, LevelError
from ckptkit.graph.document import graph_of
from ckptkit.model import extras
from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.dtype import BY_NAME
from ckptkit.model.recovered import Hints
from ckptkit.model.tensor import Storage, Tensor, contiguous_strides
from ckptkit.storage.source import MemorySource
from ckptkit.writers import conformance
from tests.corpus import CHECKOUT

AGENTS = ("ppo", "dqn", "sac", "old_gym")


def agent(name: str) -> Path:
    return CHECKOUT / "fixtures" / "sb3" / name / "model.zip"


def recovered(name: str) -> Checkpoint:
    return with_architecture(api.read(agent(name)), Hints())


def with_tensor(checkpoint: Checkpoint, name: str, dtype: str, values: np.ndarray) -> Checkpoint:
    data = values.tobytes()
    made = Tensor(
        BY_NAME[dtype], values.shape, contiguous_strides(values.shape), 0, Storage(MemorySource(data, name))
    )
    return replace(checkpoint, tensors={**checkpoint.tensors, name: made})


@pytest.fixture(scope="module", params=AGENTS)
def bundle(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("bundles") / request.param
    receipt = api.convert(agent(request.param), "deploy", target, require_level=4)
    assert receipt.level == 4
    return target


def run(model: Path) -> dict[str, np.ndarray]:
    vectors = load_file(model.with_name("conformance.safetensors"))
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    feed = {value.name: vectors[f"input.{value.name}"] for value in session.get_inputs()}
    names = [value.name for value in session.get_outputs()]
    assert {f"input.{name}" for name in feed} | {f"output.{name}" for name in names} == vectors.keys()
    return dict(zip(names, session.run(None, feed), strict=True))


def test_the_model_passes_the_full_check_and_gives_the_recorded_outputs(bundle: Path) -> None:
    onnx.checker.check_model(str(bundle / "model.onnx"), full_check=True)
    vectors = load_file(bundle / "conformance.safetensors")
    for name, got in run(bundle / "model.onnx").items():
        expected = vectors[f"output.{name}"]
        assert got.dtype == expected.dtype
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)


def test_weights_lie_once_where_the_manifest_says(bundle: Path) -> None:
    manifest = json.loads((bundle / "ckpt.json").read_text())
    tensors = {row["name"]: row for row in manifest["tensors"]}
    model = onnx.load_model(bundle / "model.onnx", load_external_data=False)
    named = [one for one in model.graph.initializer if one.name in tensors]
    assert named
    for one in named:
        stated = {entry.key: entry.value for entry in one.external_data}
        row = tensors[one.name]
        assert stated == {
            "location": row["file"],
            "offset": str(row["offset"]),
            "length": str(row["nbytes"]),
        }
        assert not one.raw_data
    assert {entry.key: entry.value for entry in model.metadata_props} == {
        "ckptkit.content_digest": manifest["content_digest"],
        "ckptkit.spec_version": "2.0",
    }
    assert (model.opset_import[0].version, model.ir_version) == (18, 10)


def test_files_are_listed_with_their_digests_and_the_level_is_reached(bundle: Path) -> None:
    manifest = json.loads((bundle / "ckpt.json").read_text())
    roles = {row["role"]: row for row in manifest["files"]}
    for role, name in (("graph", "model.onnx"), ("conformance", "conformance.safetensors")):
        data = (bundle / name).read_bytes()
        assert (roles[role]["path"], roles[role]["size"]) == (name, len(data))
        assert roles[role]["sha256"] == hashlib.sha256(data).hexdigest()
    assert manifest["conformance"]["evaluator"]["name"] == "torch"
    (result,) = api.validate(bundle, level=4).results
    assert (result.level, result.findings) == (4, ())


def test_it_runs_from_any_working_directory(bundle: Path, tmp_path: Path) -> None:
    code = (
        "import sys, onnxruntime as o; o.InferenceSession(sys.argv[1], providers=['CPUExecutionProvider']); "
        "from ckptkit.cli.app import status; sys.exit(status(['validate', '--level', '4', sys.argv[2]]))"
    )
    moved = tmp_path / "bundle"
    shutil.copytree(bundle, moved)
    (tmp_path / "elsewhere").mkdir()
    for where, name in ((tmp_path / "elsewhere", "../bundle/model.onnx"), (Path("/"), moved / "model.onnx")):
        done = subprocess.run(
            [
                sys.executable,
                "-c",
                code,
                name,
                Path(name).parent,
            ],
            cwd=where,
            env={"PYTHONPATH": str(CHECKOUT)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")


def test_two_runs_give_the_same_bytes(bundle: Path, tmp_path: Path) -> None:
    api.convert(agent(bundle.name), "deploy", tmp_path / "again")
    for name in ("model.onnx", "conformance.safetensors", "ckpt.json"):
        assert (tmp_path / "again" / name).read_bytes() == (bundle / name).read_bytes()


def test_v2_and_back_gives_the_same_bytes(bundle: Path, tmp_path: Path) -> None:
    assert api.convert(bundle, "v2", tmp_path / "a.pt").level == 3
    api.convert(tmp_path / "a.pt", "deploy", tmp_path / "back")
    assert {path.name: path.read_bytes() for path in bundle.iterdir()} == {
        path.name: path.read_bytes() for path in (tmp_path / "back").iterdir()
    }
    api.convert(tmp_path / "back", "v2", tmp_path / "b.pt")
    assert (tmp_path / "a.pt").read_bytes() == (tmp_path / "b.pt").read_bytes()
    (result,) = api.validate(tmp_path / "a.pt").results
    assert (result.level, result.findings) == (3, ())
    assert "only a deploy bundle" in result.next_level


@pytest.mark.parametrize("name", AGENTS)
def test_torch_and_the_reference_evaluator_agree(name: str) -> None:
    checkpoint = recovered(name)
    graph = graph_of(checkpoint)
    assert graph is not None
    one, other = (
        conformance.make(graph, checkpoint, evaluator=evaluator)
        for evaluator in (conformance.TORCH, conformance.REFERENCE)
    )
    assert one.outputs.keys() == other.outputs.keys() == graph.outputs.keys()
    for output, value in one.outputs.items():
        assert value.dtype == other.outputs[output].dtype
        np.testing.assert_allclose(value, other.outputs[output], rtol=1e-5, atol=1e-5)


def test_without_torch_the_reference_evaluator_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hide(monkeypatch, "torch")
    assert api.convert(agent("ppo"), "deploy", tmp_path / "ppo").level == 4
    manifest = json.loads((tmp_path / "ppo" / "ckpt.json").read_text())
    assert manifest["conformance"]["evaluator"] == {"name": "onnx.reference", "version": onnx.__version__}
    assert api.validate(tmp_path / "ppo", level=4).results[0].level == 4


def hide(monkeypatch: pytest.MonkeyPatch, *packages: str) -> None:
    real = extras.find_spec
    monkeypatch.setattr(extras, "find_spec", lambda name: None if name in packages else real(name))


def test_without_onnx_there_is_a_note_and_level_3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hide(monkeypatch, "onnx", "onnxruntime")
    with pytest.raises(LevelError, match=r"level 4 is required.*pip install 'ckptkit\[onnx\]'"):
        api.convert(agent("ppo"), "deploy", tmp_path / "no", require_level=4)
    assert not (tmp_path / "no").exists()
    receipt = api.convert(agent("ppo"), "deploy", tmp_path / "ppo", require_level=3)
    assert receipt.level == 3
    assert any("pip install 'ckptkit[onnx]'" in note.message for note in receipt.notes)
    assert not (tmp_path / "ppo" / "model.onnx").exists()
    (plain,) = api.validate(tmp_path / "ppo").results
    assert (plain.level, plain.findings) == (3, ())
    assert "ckptkit export onnx" in plain.next_level
    (asked,) = api.validate(tmp_path / "ppo", level=4).results
    assert (asked.level, "pip install 'ckptkit[onnx]'" in asked.incomplete) == (3, True)


def test_a_question_that_stays_open_is_asked(tmp_path: Path) -> None:
    source = CHECKOUT / "fixtures" / "torch" / "bare" / "model.pt"
    receipt = api.convert(source, "deploy", tmp_path / "bare")
    assert receipt.level == 2
    assert any("an architecture graph" in note.message for note in receipt.notes)
    with pytest.raises(LevelError, match="an architecture graph: "):
        api.convert(source, "deploy", tmp_path / "no", require_level=3)
    assert not (tmp_path / "no").exists()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_weights_that_are_no_numbers_are_named_and_not_run(value: float, tmp_path: Path) -> None:
    from ckptkit.writers import deploy, deployable

    checkpoint = recovered("ppo")
    name = "action_net.bias"
    broken = checkpoint.tensors[name].numpy().copy()
    broken[0] = value
    checkpoint = with_tensor(checkpoint, name, "F32", broken)
    reach = deployable.reach_deployed(checkpoint)
    assert (reach.level, name in reach.lacks) == (3, True)
    deploy.write(checkpoint, tmp_path / "broken", False)
    assert not (tmp_path / "broken" / "model.onnx").exists()
    codes = {finding.code for finding in api.validate(tmp_path / "broken", level=4).results[0].findings}
    assert {"CK403", "CK501"} <= codes
    assert api.validate(tmp_path / "broken").results[0].level == 3
    with pytest.raises(ArchitectureError, match=name):
        api.export_onnx(tmp_path / "broken", tmp_path / "broken.onnx")


@pytest.mark.parametrize(("dtype", "numpy"), [("F16", "<f2"), ("F64", "<f8"), ("BF16", "<u2")])
def test_tensors_of_other_types_keep_them_behind_a_cast(dtype: str, numpy: str, tmp_path: Path) -> None:
    from ckptkit.writers import deploy

    checkpoint = recovered("ppo")
    for name, tensor in checkpoint.tensors.items():
        values = tensor.numpy()
        stored = (values.view("<u4") >> 16).astype("<u2") if dtype == "BF16" else values.astype(numpy)
        checkpoint = with_tensor(checkpoint, name, dtype, stored)
    deploy.write(checkpoint, tmp_path / "made", False)
    model = onnx.load_model(tmp_path / "made" / "model.onnx", load_external_data=False)
    kinds = {one.data_type for one in model.graph.initializer if one.name in checkpoint.tensors}
    assert kinds == {
        getattr(onnx.TensorProto, {"F16": "FLOAT16", "F64": "DOUBLE", "BF16": "BFLOAT16"}[dtype])
    }
    assert "Cast" in {node.op_type for node in model.graph.node}
    (result,) = api.validate(tmp_path / "made", level=4).results
    assert (result.level, result.findings) == (4, ())
