"""`ckptkit export onnx`: files, bundles, normalisation, a class of the user's own."""

import json
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from ckptkit import api, schema
from ckptkit.cli.app import status
from tests.corpus import CHECKOUT

AGENTS = CHECKOUT / "fixtures" / "sb3"
PPO = AGENTS / "ppo" / "model.zip"
NET = """
from torch import nn
class Net(nn.Module):
    def __init__(self, hidden=4):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(3, hidden), nn.Tanh())
        self.head = nn.Linear(hidden, 2)
    def forward(self, x):
        h = self.body(x)
        return {"q_values": self.head(h), "features": h}
"""


def outputs(model: Path, **feed: np.ndarray) -> dict[str, np.ndarray]:
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_outputs()]
    return dict(zip(names, session.run(None, feed), strict=True))


def test_a_file_holds_graph_and_weights(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "policy.onnx"
    assert status(["export", "onnx", str(PPO), "-o", str(target)]) == 0
    said = capsys.readouterr().out
    assert "exported  opset 18 · outputs action, logits, value · weights inside" in said
    assert "parity    not measured" in said
    onnx.checker.check_model(str(target), full_check=True)
    model = onnx.load_model(target, load_external_data=False)
    assert not any(one.external_data for one in model.graph.initializer)
    first = target.read_bytes()
    assert status(["export", "onnx", str(PPO), "-o", str(target)]) == 2
    assert "--force replaces it" in capsys.readouterr().err
    assert status(["export", "onnx", str(PPO), "-o", str(target), "--force"]) == 0
    assert target.read_bytes() == first


def test_the_json_receipt_keeps_its_schema(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "policy.onnx"
    words = ["export", "onnx", str(PPO), "-o", str(target), "--parity", "--format", "json"]
    assert status([*words, "--dry-run"]) == 0
    dry = json.loads(capsys.readouterr().out)
    assert not target.exists()
    assert (dry["files"], dry["dry_run"]) == ([], True)
    assert status(words) == 0
    done = json.loads(capsys.readouterr().out)
    for document in (dry, done):
        assert schema.validate("export-receipt-1.0", document, strict=True) == []
    assert done["parity"]["observations"] == done["parity"]["actions"] == 64
    assert done["parity"]["largest"] < 1e-5


def test_into_a_bundle_it_writes_graph_and_outputs_anew(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = tmp_path / "ppo"
    api.convert(PPO, "deploy", bundle)
    before = {path.name: path.read_bytes() for path in bundle.iterdir()}
    (bundle / "README.txt").write_text("mine")
    (bundle / "model.onnx").write_bytes(b"broken")
    assert status(["export", "onnx", str(bundle)]) == 0
    assert "actions equal 64/64" in capsys.readouterr().out
    after = {path.name: path.read_bytes() for path in bundle.iterdir()}
    assert after.pop("README.txt") == b"mine"
    assert after == before
    assert api.validate(bundle, level=4).results[0].level == 4
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ppo"]


def test_a_bundle_can_be_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    api.convert(PPO, "deploy", tmp_path / "ppo")
    (tmp_path / "ppo" / "model.onnx").unlink()
    monkeypatch.chdir(tmp_path / "ppo")
    assert status(["export", "onnx", "."]) == 0
    assert api.validate(tmp_path / "ppo", level=4).results[0].level == 4


def test_a_damaged_bundle_is_not_sealed_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = tmp_path / "ppo"
    api.convert(PPO, "deploy", bundle)
    data = bytearray((bundle / "model.safetensors").read_bytes())
    data[-1] ^= 1
    (bundle / "model.safetensors").write_bytes(data)
    for more in ([], ["-o", str(tmp_path / "a.onnx")]):
        assert status(["export", "onnx", str(bundle), *more]) == 1
        assert "digest" in capsys.readouterr().err
    assert not (tmp_path / "a.onnx").exists()


def test_outputs_that_differ_are_not_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The recorded outputs of a bundle vouch for what is exported from it."""
    bundle = CHECKOUT / "fixtures" / "conformance" / "network-output-differs" / "bundle"
    assert status(["export", "onnx", str(bundle), "-o", str(tmp_path / "a.onnx")]) == 1
    assert "output q_values differs" in capsys.readouterr().err
    assert not (tmp_path / "a.onnx").exists()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ([str(PPO)], 2, "only a deploy bundle"),
        (["fixtures/torch/bare/model.pt", "-o", "a.onnx"], 1, "no architecture graph: "),
        ([str(PPO), "-o", "a.onnx", "--normalize"], 2, "no normalisation statistics"),
        (
            [str(PPO), "-o", "a.onnx", "--module", "nowhere:Net"],
            2,
            "--module needs -o FILE and --input-shape",
        ),
        ([str(PPO), "-o", "a.onnx", "--module-kwargs", "{}"], 2, "--module-kwargs needs --module"),
        ([str(PPO), "-o", "a.onnx", "--module-kwargs", "[]"], 2, "is not a JSON object"),
        (
            [str(PPO), "-o", "a.onnx", "--module", "nowhere:Net", "--input-shape", "3"],
            2,
            "cannot be imported",
        ),
        ([str(PPO), "-o", "a.onnx", "--module", "json:loads", "--input-shape", "3"], 2, "no torch.nn.Module"),
        (["nowhere.zip", "-o", "a.onnx"], 2, "nowhere.zip"),
    ],
)
def test_what_cannot_be_exported_is_said(
    words: list[str], code: int, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    placed = [str(CHECKOUT / word) if word.startswith("fixtures") else word for word in words]
    placed = [str(tmp_path / word) if word == "a.onnx" else word for word in placed]
    assert status(["export", "onnx", *placed]) == code
    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_normalised_exports_give_what_sb3_gives(tmp_path: Path) -> None:
    import stable_baselines3 as sb3

    source = AGENTS / "vecnormalize" / "agent.zip"
    done = api.export_onnx(source, tmp_path / "agent.onnx", normalize=True, parity=True)
    assert done.normalized
    with (AGENTS / "vecnormalize" / "agent" / "vecnormalize.pkl").open("rb") as file:
        normalizer = pickle.load(file)
    agent = sb3.PPO.load(source, device="cpu")
    shape = agent.observation_space.shape
    assert shape is not None
    obs = (np.random.default_rng(1).standard_normal((256, *shape)) * 30).astype(np.float32)
    expected, _ = agent.predict(normalizer.normalize_obs(obs), deterministic=True)
    np.testing.assert_allclose(outputs(tmp_path / "agent.onnx", obs=obs)["action"], expected, atol=1e-5)
    plain = api.export_onnx(source, tmp_path / "plain.onnx")
    assert not plain.normalized
    given = outputs(tmp_path / "plain.onnx", obs=normalizer.normalize_obs(obs))["action"]
    np.testing.assert_allclose(given, expected, atol=1e-5)


def test_statistics_of_a_dict_are_folded_in_by_key() -> None:
    from ckptkit.graph.evaluation import by_reference
    from ckptkit.graph.normalizing import normalized
    from ckptkit.graph.onnx_model import build
    from ckptkit.model.architecture import Graph, Layer, ValueType
    from ckptkit.model.inert import NdArray

    value = ValueType("F32", (None, 2))
    layers = (Layer("keep", "Identity", ("obs.a",)), Layer("other", "Identity", ("obs.b",)))
    graph = Graph({"obs.a": value, "obs.b": value}, layers, {"a": "keep", "b": "other"})
    mean, var = np.array([1.0, -2.0]), np.array([4.0, 0.25])
    step = {
        "type": "VecNormalize",
        "norm_obs": True,
        "norm_obs_keys": ["a"],
        "clip_obs": 3.0,
        "epsilon": 1e-8,
        "mean": {"a": NdArray("<f8", (2,), mean.tobytes())},
        "var": {"a": NdArray("<f8", (2,), var.tobytes())},
    }
    obs = np.array([[1.5, 0.25], [90.0, -90.0]], "f4")
    got = by_reference(build(normalized(graph, [step]), {}), {"obs.a": obs, "obs.b": obs})
    expected = np.clip((obs - mean) / np.sqrt(var + 1e-8), -3.0, 3.0).astype("f4")
    np.testing.assert_array_equal(got["a"], expected)
    np.testing.assert_array_equal(got["b"], obs)


def test_a_class_of_the_users_own_is_exported_strictly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import torch

    (tmp_path / "my_own_net.py").write_text(NET)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    from my_own_net import Net  # type: ignore[import-not-found]

    net = Net(5)
    torch.save(net.state_dict(), tmp_path / "net.pth")
    words = [
        "export",
        "onnx",
        "net.pth",
        "-o",
        "net.onnx",
        "--module",
        "my_own_net:Net",
        "--input-shape",
        "3",
    ]
    assert status(words) == 1
    assert "size mismatch" in capsys.readouterr().err
    assert status([*words, "--module-kwargs", '{"hidden": 5}']) == 0
    assert "against torch" in capsys.readouterr().out
    obs = np.random.default_rng(0).standard_normal((7, 3)).astype("f4")
    got = outputs(tmp_path / "net.onnx", obs=obs)
    with torch.no_grad():
        expected = net(torch.from_numpy(obs))
    for name, value in expected.items():
        np.testing.assert_allclose(got[name], value.numpy(), atol=1e-5)


def test_export_needs_no_torch(tmp_path: Path) -> None:
    code = (
        "import sys; from ckptkit.cli.app import status; code = status(sys.argv[1:]);"
        "print(*sys.modules, file=sys.stderr); sys.exit(code)"
    )
    words = ["export", "onnx", str(PPO), "-o", str(tmp_path / "a.onnx")]
    run = subprocess.run(
        [sys.executable, "-c", code, *words], cwd=CHECKOUT, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    loaded = {name.split(".")[0] for name in run.stderr.split()}
    assert not loaded & {"torch", "onnxruntime", "gym", "gymnasium", "stable_baselines3"}
