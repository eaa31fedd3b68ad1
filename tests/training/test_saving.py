"""Saving: whole or not at all, clean names, rank 0 alone, plain data only, the same bytes each time."""

import enum
import math
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import ckptkit
from ckptkit.errors import (
    ArchitectureError,
    TargetExistsError,
    UnsupportedTensorError,
    UsageError,
    WriteError,
)
from ckptkit.writers import torch_dict
from tests.training.networks import configured, own_module

CONFIG = configured(True, True, False)


@pytest.fixture(scope="module")
def model() -> nn.Module:
    return ckptkit.create_model_from_config(CONFIG, seed=1)


@pytest.fixture
def group() -> Any:
    """A process group of one."""
    torch.distributed.init_process_group("gloo", store=torch.distributed.HashStore(), rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


def saved(model: nn.Module, path: Path, **info: object) -> Path:
    assert ckptkit.save_model_checkpoint(model, CONFIG, info, path) is not None
    return path


def test_torch_opens_the_file_and_finds_what_the_system_looks_for(model: nn.Module, tmp_path: Path) -> None:
    found = torch.load(saved(model, tmp_path / "a.pth", frame_idx=7), weights_only=True)
    assert (found["version"], found["training_info"]) == ("2.0", {"frame_idx": 7})
    assert found["model_config"] == CONFIG.words()
    own_module(CONFIG).load_state_dict(found["model_state_dict"], strict=True)


def test_the_receipt_has_path_and_digests(model: nn.Module, tmp_path: Path) -> None:
    written = ckptkit.save_model_checkpoint(model, CONFIG, {}, tmp_path / "a.pth")
    assert written is not None
    ((name, size, digest),) = written.files
    assert (name, size) == ("a.pth", (tmp_path / "a.pth").stat().st_size)
    assert len(digest) == len(written.content_digest) == len(written.bundle_digest) == 64


def test_the_same_state_gives_the_same_bytes(model: nn.Module, tmp_path: Path) -> None:
    one, other = (saved(model, tmp_path / name, frame_idx=1) for name in ("a.pth", "b.pth"))
    assert one.read_bytes() == other.read_bytes()
    assert b"/tmp" not in one.read_bytes()


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")  # torch.compile imports it itself
def test_wrapped_models_give_the_same_file(model: nn.Module, tmp_path: Path, group: None) -> None:
    plain = saved(model, tmp_path / "plain.pth").read_bytes()
    wrapped = {
        "parallel": nn.DataParallel(model),
        "distributed": nn.parallel.DistributedDataParallel(model),
        "compiled": torch.compile(model),
        "both": torch.compile(nn.parallel.DistributedDataParallel(model)),
        "inside": nn.parallel.DistributedDataParallel(torch.compile(model)),
    }
    for name, each in wrapped.items():
        assert saved(each, tmp_path / f"{name}.pth").read_bytes() == plain, name


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")  # torch.compile imports it itself
def test_a_part_that_is_compiled_keeps_its_name(tmp_path: Path) -> None:
    made = own_module(CONFIG)
    plain = saved(made, tmp_path / "plain.pth").read_bytes()
    made.conv = torch.compile(made.conv)
    assert saved(made, tmp_path / "part.pth").read_bytes() == plain


def test_other_ranks_write_nothing(
    model: nn.Module, tmp_path: Path, group: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.distributed, "get_rank", lambda *_: 1)
    assert ckptkit.save_model_checkpoint(model, CONFIG, {}, tmp_path / "a.pth") is None
    assert ckptkit.save_for_training(tmp_path / "a.pt", model) is None
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_replaced_whole_unless_that_is_not_wanted(model: nn.Module, tmp_path: Path) -> None:
    path = saved(model, tmp_path / "dqn_best.pth", frame_idx=1)
    saved(model, path, frame_idx=2)
    assert ckptkit.load_model_checkpoint(path).training_info == {"frame_idx": 2}
    with pytest.raises(TargetExistsError, match="exists already"):
        ckptkit.save_model_checkpoint(model, CONFIG, {}, path, force=False)


def test_no_folder_is_made_and_none_is_replaced(model: nn.Module, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such folder"):
        saved(model, tmp_path / "runs" / "a.pth")
    (tmp_path / "b.pth").mkdir()
    with pytest.raises(TargetExistsError, match="no regular file"):
        saved(model, tmp_path / "b.pth")
    assert [path.name for path in tmp_path.iterdir()] == ["b.pth"]


def test_a_failed_save_leaves_the_former_file(
    model: nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = saved(model, tmp_path / "a.pth")
    before = path.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch_dict, "assemble", full)
    with pytest.raises(WriteError, match="disk is full"):
        saved(model, path, frame_idx=2)
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["a.pth"]


def test_a_configuration_that_is_not_the_models_is_refused_with_every_contradiction(
    model: nn.Module, tmp_path: Path
) -> None:
    other = configured(True, True, False, n_action=5, v_max=6.0)
    with pytest.raises(ArchitectureError) as caught:
        ckptkit.save_model_checkpoint(model, other, {}, tmp_path / "a.pth")
    assert "n_action is 5" in str(caught.value)
    assert "v_max is 6.0" in str(caught.value)
    with pytest.raises(ArchitectureError):
        ckptkit.save_model_checkpoint(nn.Linear(2, 2), CONFIG, {}, tmp_path / "a.pth")
    assert list(tmp_path.iterdir()) == []


class Phase(enum.Enum):
    WARM = "warm"


def test_training_info_comes_back_as_plain_python(model: nn.Module, tmp_path: Path) -> None:
    info = {
        "best_eval_reward": -math.inf,
        "mean_eval_reward": np.float32(12.5),
        "loss": torch.tensor(0.25),
        "epsilon": math.nan,
        "frame_idx": np.int64(2**60),
        "torch": torch.__version__,
        "device_used": torch.device("cpu"),
        "folder": Path("runs/a"),
        "phase": Phase.WARM,
        "training_config": {"lr": 1e-4, "layers": (1, 2), 3: [None, True]},
        "rewards": np.arange(3, dtype=np.int16),
    }
    got = ckptkit.load_model_checkpoint(saved(model, tmp_path / "a.pth", **info)).training_info
    assert (got["best_eval_reward"], got["mean_eval_reward"], got["loss"]) == (-math.inf, 12.5, 0.25)
    assert math.isnan(got["epsilon"])
    assert (got["frame_idx"], got["phase"], got["folder"]) == (2**60, "warm", "runs/a")
    assert (got["torch"], type(got["torch"])) == (str(torch.__version__), str)
    assert (got["device_used"], got["training_config"]) == ("cpu", info["training_config"])
    assert got["rewards"].tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("info", "words"),
    [
        ({"a": {"b": [1, random.Random(1)]}}, "training_info.a.b.1: a random.Random is no plain data"),
        ({"f": print}, "training_info.f: a builtins.builtin_function_or_method"),
        ({"rewards": torch.zeros(3)}, r"shape \[3\] is no training info"),
        ({"names": np.array(["a"])}, "numpy.ndarray is no plain data"),
        ({"text": "\ud800"}, "broken Unicode"),
        ({object(): 1}, "is no plain data"),
    ],
)
def test_what_is_no_plain_data_is_refused_with_its_place(
    model: nn.Module, tmp_path: Path, info: dict[Any, Any], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        ckptkit.save_model_checkpoint(model, CONFIG, info, tmp_path / "a.pth")
    assert list(tmp_path.iterdir()) == []


def test_a_tree_without_end_is_refused(model: nn.Module, tmp_path: Path) -> None:
    info: dict[str, Any] = {}
    info["self"] = info
    with pytest.raises(UsageError, match="deep"):
        ckptkit.save_model_checkpoint(model, CONFIG, info, tmp_path / "a.pth")


def test_tensors_keep_type_sharing_and_values(tmp_path: Path) -> None:
    module = nn.Module()
    module.weight = nn.Parameter(torch.randn(4, 6).t())
    module.tied = module.weight
    module.short = nn.Parameter(torch.randn(3).bfloat16())
    module.register_buffer("count", torch.tensor(2**40))
    module.register_buffer("none", torch.zeros(0, 3))
    module.register_buffer("flags", torch.tensor([True, False]))
    module.register_buffer("waves", torch.randn(2, dtype=torch.complex64).conj())
    written = ckptkit.save_for_training(tmp_path / "a.pt", module, rng=False)
    assert written is not None
    assert written.aliases == 1
    found = torch.load(tmp_path / "a.pt", weights_only=True)["model_state_dict"]
    for name, value in module.state_dict().items():
        assert found[name].dtype == value.dtype
        assert torch.equal(found[name], value)


@pytest.mark.parametrize(
    "tensor", [torch.zeros(2, 2, device="meta"), torch.zeros(2, 2).to_sparse()], ids=["meta", "sparse"]
)
def test_tensors_without_a_form_are_refused_by_name(tensor: torch.Tensor, tmp_path: Path) -> None:
    module = nn.Module()
    module.register_buffer("odd", tensor)
    with pytest.raises(UnsupportedTensorError, match="odd"):
        ckptkit.save_for_training(tmp_path / "a.pt", module)
    assert list(tmp_path.iterdir()) == []
