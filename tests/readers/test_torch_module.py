"""Pickled modules against torch: names, order and bytes are those of `module.state_dict()`."""

import warnings
from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from torch import nn

import ckptkit
from ckptkit.errors import UnreadableCheckpointError, UnsupportedTensorError
from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.finding import Verdict
from tests.readers.torch_truth import assert_same


class Custom(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(3, 4)
        self.scale = nn.Parameter(torch.tensor(2.0))
        self.register_parameter("absent", None)
        self.register_buffer("kept", torch.arange(3))
        self.register_buffer("passing", torch.zeros(2), persistent=False)
        self.register_buffer("empty", None)
        self.nothing: nn.Module | None = None
        self.register_module("none", None)
        self.plain_tensor = torch.ones(2)
        self.settings = (1, 2)


class Slotted(nn.Module):
    def __setstate__(self, state: dict[str, object]) -> None:
        super().__setstate__(state)  # type: ignore[no-untyped-call]


class Policy:
    def __init__(self, module: nn.Module) -> None:
        self._policy = module
        self._cached_policy = module
        self.metadata = {"epoch": 3}
        self.run_name = "run"


class Agent:
    def __init__(self) -> None:
        self.actor = nn.Linear(2, 3)
        self.critic = nn.Linear(2, 1)


def _tied() -> nn.Module:
    class_free = nn.ModuleDict({"embedding": nn.Embedding(5, 3), "head": nn.Linear(3, 5, bias=False)})
    class_free["head"].weight = class_free["embedding"].weight
    return class_free


def _shared() -> nn.Module:
    block = nn.Linear(2, 2)
    return nn.Sequential(block, nn.ReLU(), block)


def _old_weight_norm() -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return nn.utils.weight_norm(nn.Linear(3, 2))


def _trained_batch_norm() -> nn.Module:
    module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    module(torch.randn(2, 1, 5, 5))
    return module


MODULES = {
    "batch-norm": _trained_batch_norm,
    "batch-norm-untracked": lambda: nn.BatchNorm1d(3, track_running_stats=False),
    "bfloat16": lambda: nn.Linear(2, 2).bfloat16(),
    "bilinear": lambda: nn.Bilinear(2, 3, 4),
    "conv-channels-last": lambda: nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last),
    "conv-transpose": lambda: nn.ConvTranspose1d(2, 3, 4),
    "custom": Custom,
    "data-parallel": lambda: nn.DataParallel(nn.Linear(2, 2)),
    "double": lambda: nn.Linear(2, 2).double(),
    "embedding-bag": lambda: nn.EmbeddingBag(4, 2),
    "empty": nn.Flatten,
    "frozen": lambda: nn.Linear(2, 2).requires_grad_(requires_grad=False),
    "group-norm": lambda: nn.GroupNorm(2, 4),
    "gru-bidirectional": lambda: nn.GRU(2, 3, 2, bidirectional=True),
    "half": lambda: nn.Linear(2, 2).half(),
    "instance-norm": lambda: nn.InstanceNorm1d(3, affine=True),
    "layer-norm": lambda: nn.LayerNorm((2, 3)),
    "lstm": lambda: nn.LSTM(3, 4, 2, proj_size=2),
    "lstm-cell": lambda: nn.LSTMCell(2, 3),
    "module-dict": lambda: nn.ModuleDict({"b": nn.Linear(1, 2), "a": nn.ModuleList([nn.Linear(2, 1)])}),
    "module-list": lambda: nn.ModuleList([nn.Linear(1, 1), nn.Sequential(nn.Tanh(), nn.Linear(1, 2))]),
    "multihead-attention": lambda: nn.MultiheadAttention(4, 2, kdim=3, vdim=5),
    "named-sequential": lambda: nn.Sequential(OrderedDict(z=nn.Linear(1, 1), a=nn.PReLU())),
    "no-bias": lambda: nn.Linear(2, 3, bias=False),
    "old-spectral-norm": lambda: nn.utils.spectral_norm(nn.Linear(3, 2)),
    "old-weight-norm": _old_weight_norm,
    "parameter-dict": lambda: nn.ParameterDict({"x": nn.Parameter(torch.ones(1)), "w": torch.ones(2)}),
    "parameter-list": lambda: nn.ParameterList([nn.Parameter(torch.ones(i + 1)) for i in range(3)]),
    "scalar": lambda: Custom().first,
    "setstate": Slotted,
    "shared-module": _shared,
    "sync-batch-norm": lambda: nn.SyncBatchNorm(2),
    "tied": _tied,
    "transformer": lambda: nn.TransformerEncoderLayer(4, 2, 8),
}


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
@pytest.mark.parametrize("kind", sorted(MODULES))
def test_state_dict_of_a_pickled_module(tmp_path: Path, kind: str, legacy: bool) -> None:
    torch.manual_seed(0)
    module = MODULES[kind]()
    path = tmp_path / "model.pt"
    torch.save(module, path, _use_new_zipfile_serialization=not legacy)
    checkpoint = ckptkit.read(path)
    assert checkpoint.format == "torch-module"
    assert_same(checkpoint.tensors, module.state_dict())


def _read(tmp_path: Path, value: object) -> Checkpoint:
    path = tmp_path / "model.pt"
    torch.save(value, path)
    return ckptkit.read(path)


def test_shared_modules_are_aliases(tmp_path: Path) -> None:
    tensors = _read(tmp_path, _shared()).tensors
    assert tensors["0.weight"].identity == tensors["2.weight"].identity


def test_classes_and_plain_settings_are_kept(tmp_path: Path) -> None:
    checkpoint = _read(tmp_path, nn.Sequential(nn.Conv2d(1, 2, 3, stride=2), nn.ReLU()))
    modules = checkpoint.model_config["modules"]
    assert isinstance(modules, dict)
    assert list(modules) == ["", "0", "1"]
    assert modules["0"]["class"] == "torch.nn.modules.conv.Conv2d"
    assert modules["0"]["attrs"]["stride"] == (2, 2)
    assert modules["0"]["attrs"]["in_channels"] == 1
    assert modules["1"]["attrs"] == {"inplace": False}
    assert checkpoint.verdict is Verdict.DATA_ONLY


def test_own_class_is_reported_and_not_needed(tmp_path: Path) -> None:
    checkpoint = _read(tmp_path, Custom())
    assert checkpoint.verdict is Verdict.CONTAINS_CODE
    assert checkpoint.carries_code
    assert any(fact.name.endswith("Custom") for fact in checkpoint.code)


def test_record_with_one_module_under_two_attributes(tmp_path: Path) -> None:
    module = nn.Sequential(nn.Linear(2, 3), nn.Tanh())
    checkpoint = _read(tmp_path, Policy(module))
    assert checkpoint.format == "torch-module"
    assert_same(checkpoint.tensors, module.state_dict())
    assert checkpoint.training_info == {"metadata": {"epoch": 3}, "run_name": "run"}
    assert "root-object" in {note.kind for note in checkpoint.notes}


def test_several_outermost_modules_keep_their_names_as_prefix(tmp_path: Path) -> None:
    agent = Agent()
    checkpoint = _read(tmp_path, agent)
    wanted = {f"actor.{k}": v for k, v in agent.actor.state_dict().items()}
    wanted |= {f"critic.{k}": v for k, v in agent.critic.state_dict().items()}
    assert_same(checkpoint.tensors, wanted)
    assert "several-models" in {note.kind for note in checkpoint.notes}


def test_list_with_a_module(tmp_path: Path) -> None:
    module = nn.Linear(2, 2)
    checkpoint = _read(tmp_path, [module, None])
    assert checkpoint.format == "torch-module"
    assert_same(checkpoint.tensors, module.state_dict())


def test_child_with_a_form_of_its_own_is_refused(tmp_path: Path) -> None:
    module = nn.Sequential(nn.Linear(1, 1))
    module._modules["1"] = "not a module"  # type: ignore[assignment]
    with pytest.raises(UnsupportedTensorError, match="'1'"):
        _read(tmp_path, module)


def test_module_that_holds_itself_is_refused(tmp_path: Path) -> None:
    module = nn.Sequential(nn.Linear(1, 1))
    module._modules["again"] = module
    with pytest.raises(UnreadableCheckpointError, match="again holds itself"):
        _read(tmp_path, module)


def test_reference_to_the_parent_is_no_child(tmp_path: Path) -> None:
    module = nn.Sequential(nn.Linear(1, 1))
    object.__setattr__(module[0], "parent", module)
    assert_same(_read(tmp_path, module).tensors, module.state_dict())


def test_state_dict_hook_is_noted(tmp_path: Path) -> None:
    module = nn.Linear(1, 1)
    module._state_dict_hooks[0] = Policy(nn.Tanh())  # type: ignore[assignment]
    assert "state-dict-hook" in {note.kind for note in _read(tmp_path, module).notes}


def test_quantized_parameter_is_refused_by_name(tmp_path: Path) -> None:
    module = nn.Linear(2, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module.register_buffer("packed", torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8))
        with pytest.raises(UnsupportedTensorError, match="'packed' is quantized"):
            _read(tmp_path, module)
