"""Resuming: n + m steps with and without a restart end in the same bytes."""

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import ckptkit
from ckptkit.errors import ArchitectureError, IntegrityError, UsageError
from tests.training.networks import SHAPE, configured

lr = torch.optim.lr_scheduler
BEFORE, AFTER = 3, 4


class Network(nn.Module):
    """Dropout, statistics of batches, a tied weight and a frozen one."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3))
        self.head, self.other = nn.Linear(8, 8), nn.Linear(8, 8)
        self.other.weight = self.head.weight
        self.head.bias.requires_grad_(False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.body(x)
        return self.head(x) + self.other(x) * random.random() + float(np.random.rand())


@dataclass
class Run:
    """One training run."""

    model: nn.Module
    optimizer: Any
    scheduler: Any
    scaler: Any
    step: int = 0

    def train(self, epochs: int) -> None:
        data = torch.randn(24, 6, generator=torch.Generator().manual_seed(0))
        for _ in range(epochs):
            for (x,) in DataLoader(TensorDataset(data), batch_size=8, shuffle=True):
                with torch.autocast("cpu", torch.bfloat16, enabled=self.scaler is not None):
                    loss = self.model(x).square().mean()
                self.optimizer.zero_grad()
                if self.scaler is None:
                    loss.backward()
                    self.optimizer.step()
                else:
                    self.scaler.scale(loss).backward()
                    self.scaler.step(self.optimizer)
                    self.scaler.update()
            if isinstance(self.scheduler, lr.ReduceLROnPlateau):
                self.scheduler.step(1.0)
            elif self.scheduler is not None:
                self.scheduler.step()
            self.step += 1

    def save(self, path: Path) -> bytes:
        ckptkit.save_for_training(
            path, self.model, self.optimizer, self.scheduler, self.scaler, step=self.step
        )
        return path.read_bytes()

    def load(self, path: Path) -> Any:
        found = ckptkit.load_for_training(path, self.model, self.optimizer, self.scheduler, self.scaler)
        self.step = found.step or 0
        return found


def sequential(optimizer: Any) -> Any:
    parts = [lr.LinearLR(optimizer, 0.5, total_iters=2), lr.ExponentialLR(optimizer, 0.9)]
    return lr.SequentialLR(optimizer, parts, [4])


OPTIMIZERS: dict[str, Callable[[Any], Any]] = {
    "adam": lambda values: torch.optim.Adam(values, lr=1e-2, amsgrad=True),
    "adamw": lambda values: torch.optim.AdamW(values, lr=torch.tensor(1e-2), weight_decay=0.1, foreach=False),
    "sgd": lambda values: torch.optim.SGD(values, lr=1e-2, momentum=0.9, nesterov=True),
    "rmsprop": lambda values: torch.optim.RMSprop(values, lr=1e-3, centered=True, momentum=0.5),
}
SCHEDULERS: dict[str, Callable[[Any], Any]] = {
    "multistep": lambda optimizer: lr.MultiStepLR(optimizer, [2, 5, 5], 0.3),
    "cosine": lambda optimizer: lr.CosineAnnealingWarmRestarts(optimizer, 3),
    "plateau": lambda optimizer: lr.ReduceLROnPlateau(optimizer, patience=1),
    "sequential": sequential,
    "lambda": lambda optimizer: lr.LambdaLR(optimizer, lambda epoch: 0.9**epoch),
}
CASES = [
    *[(name, "multistep", False) for name in OPTIMIZERS],
    *[("sgd", name, False) for name in SCHEDULERS],
    ("adam", "cosine", True),
]


def seed(value: int) -> None:
    random.seed(value)
    np.random.seed(value)
    torch.manual_seed(value)


def begin(optimizer: str, scheduler: str, scaled: bool, start: int = 0) -> Run:
    seed(start)
    model = Network()
    made = OPTIMIZERS[optimizer](value for value in model.parameters() if value.requires_grad)
    scaler = torch.amp.GradScaler("cpu", init_scale=256.0, growth_interval=4) if scaled else None
    return Run(model, made, SCHEDULERS[scheduler](made), scaler)


@pytest.mark.parametrize(("optimizer", "scheduler", "scaled"), CASES)
def test_a_restart_changes_no_bit(optimizer: str, scheduler: str, scaled: bool, tmp_path: Path) -> None:
    whole = begin(optimizer, scheduler, scaled)
    whole.train(BEFORE)
    whole.save(tmp_path / "half.pt")
    whole.train(AFTER)
    wanted = whole.save(tmp_path / "whole.pt")
    again = begin(optimizer, scheduler, scaled, start=99)
    again.train(1)  # another past, of which nothing may be left
    found = again.load(tmp_path / "half.pt")
    assert (found.step, found.left, found.missing) == (BEFORE, (), ())
    again.train(AFTER)
    assert again.save(tmp_path / "again.pt") == wanted


def test_the_state_that_comes_back_is_the_state_that_was_saved(tmp_path: Path) -> None:
    run = begin("adam", "multistep", False)
    run.train(2)
    first = run.save(tmp_path / "a.pt")
    other = begin("adam", "multistep", False, start=5)
    other.load(tmp_path / "a.pt")
    assert other.save(tmp_path / "b.pt") == first
    assert type(other.scheduler.milestones) is Counter


def test_the_file_holds_no_class_and_is_verifiable(tmp_path: Path) -> None:
    begin("adam", "multistep", True).save(tmp_path / "a.pt")
    assert ckptkit.inspect(tmp_path / "a.pt").verdict == "data-only"
    (result,) = ckptkit.validate(tmp_path / "a.pt", level=2).results
    assert (result.level, result.findings) == (2, ())
    assert "optimizer_state_dict" in torch.load(tmp_path / "a.pt", weights_only=True)["training_state"]


def test_a_network_of_ckptkits_own_keeps_its_architecture(tmp_path: Path) -> None:
    config = configured(True, True, True)
    model = ckptkit.create_model_from_config(config, seed=1)
    for path, more in ((tmp_path / "a.pt", {}), (tmp_path / "b.pt", {"model_config": config})):
        ckptkit.save_for_training(path, model, torch.optim.Adam(model.parameters()), **more)
        (result,) = ckptkit.validate(path, level=3).results
        assert (result.level, result.findings) == (3, ())
        x = torch.rand(2, *SHAPE)
        assert torch.equal(ckptkit.load(path)(x)["q_values"], model.eval()(x)["q_values"])


def test_several_optimizers_go_by_name(tmp_path: Path) -> None:
    def made() -> tuple[nn.Module, dict[str, Any], dict[str, Any]]:
        model = nn.ModuleDict({"actor": nn.Linear(2, 2), "critic": nn.Linear(2, 1)})
        optimizers = {name: torch.optim.Adam(part.parameters()) for name, part in model.items()}
        return model, optimizers, {name: lr.StepLR(one, 2) for name, one in optimizers.items()}

    model, optimizers, schedulers = made()
    model["actor"](torch.ones(1, 2)).sum().backward()
    optimizers["actor"].step()
    ckptkit.save_for_training(tmp_path / "a.pt", model, optimizers, schedulers)
    other, others, later = made()
    ckptkit.load_for_training(tmp_path / "a.pt", other, others, later)
    ckptkit.save_for_training(tmp_path / "b.pt", other, others, later)
    assert (tmp_path / "a.pt").read_bytes() == (tmp_path / "b.pt").read_bytes()
    with pytest.raises(UsageError, match="the file has actor, critic, asked for is actor"):
        ckptkit.load_for_training(tmp_path / "a.pt", other, {"actor": others["actor"]})


def test_extra_comes_back_with_its_tensors_and_generators(tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(7)
    numbers = np.random.default_rng(7)
    extra = {
        "generator": generator.get_state(),
        "numpy": numbers.bit_generator.state,
        "replay": {"rewards": np.arange(4.0), "next": 3, "dtype": torch.float16},
        1: ("a", None, {2, 3}),
    }
    ckptkit.save_for_training(tmp_path / "a.pt", nn.Linear(1, 1), extra=extra, training_info={"lr": 0.1})
    wanted = torch.rand(3, generator=generator), numbers.random(3)
    found = ckptkit.load_for_training(tmp_path / "a.pt", nn.Linear(1, 1))
    assert found.training_info == {"lr": 0.1}
    generator.set_state(found.extra["generator"])
    numbers.bit_generator.state = found.extra["numpy"]
    assert torch.equal(torch.rand(3, generator=generator), wanted[0])
    assert numbers.random(3).tolist() == wanted[1].tolist()
    assert found.extra["replay"]["rewards"].tolist() == [0.0, 1.0, 2.0, 3.0]
    assert (found.extra["replay"]["dtype"], found.extra[1]) == (torch.float16, ("a", None, {2, 3}))


def test_what_was_not_asked_for_and_what_was_not_there_is_said(tmp_path: Path) -> None:
    run = begin("sgd", "multistep", False)
    run.save(tmp_path / "a.pt")
    found = ckptkit.load_for_training(tmp_path / "a.pt", Network(), rng=False)
    assert set(found.left) == {"optimizer_state_dict", "scheduler_state_dict", "rng_states"}
    ckptkit.save_for_training(tmp_path / "b.pt", run.model, rng=False)
    found = ckptkit.load_for_training(tmp_path / "b.pt", Network())
    assert (found.left, found.missing, found.step) == ((), ("rng_states",), None)


def test_a_part_that_is_not_in_the_file_is_refused_before_anything_changes(tmp_path: Path) -> None:
    begin("sgd", "multistep", False, start=1).save(tmp_path / "a.pt")
    run = begin("sgd", "multistep", True, start=2)
    before = {name: value.clone() for name, value in run.model.state_dict().items()}
    with pytest.raises(UsageError, match=r"holds no grad_scaler_state_dict; it holds optimizer_state_dict"):
        run.load(tmp_path / "a.pt")
    assert all(torch.equal(value, before[name]) for name, value in run.model.state_dict().items())


def test_another_model_is_refused_with_every_difference(tmp_path: Path) -> None:
    ckptkit.save_for_training(tmp_path / "a.pt", nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1)))
    other = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(3, 1))
    with pytest.raises(ArchitectureError) as caught:
        ckptkit.load_for_training(tmp_path / "a.pt", other)
    for word in (
        "2.weight is not in the file",
        "1.weight is not in the model",
        "0.bias is torch.float32 [4]",
    ):
        assert word in str(caught.value)


def test_an_optimizer_over_other_parameters_is_refused(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    ckptkit.save_for_training(tmp_path / "a.pt", model, torch.optim.SGD(model.parameters(), 0.1))
    turned = torch.optim.SGD(reversed(list(model.parameters())), 0.1)
    with pytest.raises(UsageError, match=r"parameter 0 is 1\.bias, and the file's is 0\.weight"):
        ckptkit.load_for_training(tmp_path / "a.pt", model, turned)
    fewer = torch.optim.SGD(model[0].parameters(), 0.1)
    with pytest.raises(UsageError, match=r"groups of \[2\] parameters, the file's has \[4\]"):
        ckptkit.load_for_training(tmp_path / "a.pt", model, fewer)


def test_an_optimizer_scheduler_or_scaler_of_another_kind_is_refused(tmp_path: Path) -> None:
    run = begin("adam", "multistep", False)
    off = torch.amp.GradScaler("cpu", enabled=False)
    ckptkit.save_for_training(tmp_path / "a.pt", run.model, run.optimizer, run.scheduler, off)
    other = begin("sgd", "cosine", True)
    with pytest.raises(UsageError) as caught:
        other.load(tmp_path / "a.pt")
    for words in ("of Adam, asked for is SGD", "of MultiStepLR, asked", "a scaler that was not enabled"):
        assert words in str(caught.value)
    found = ckptkit.load_for_training(tmp_path / "a.pt", run.model, run.optimizer, run.scheduler, off)
    assert found.left == ()


def test_a_wrapped_model_and_a_plain_one_load_each_others_files(tmp_path: Path) -> None:
    model, other = nn.Linear(2, 2), nn.Linear(2, 2)
    ckptkit.save_for_training(tmp_path / "a.pt", nn.DataParallel(model))
    ckptkit.load_for_training(tmp_path / "a.pt", nn.DataParallel(other))
    assert torch.equal(model.weight, other.weight)
    torch.save({"model_state_dict": nn.DataParallel(model).state_dict(), "epoch": 3}, tmp_path / "b.pt")
    assert ckptkit.load_for_training(tmp_path / "b.pt", nn.Linear(2, 2)).step == 3


def test_files_of_torch_save_with_the_usual_names_are_read(tmp_path: Path) -> None:
    run = begin("adam", "multistep", False)
    run.train(2)
    torch.save(
        {
            "model_state_dict": run.model.state_dict(),
            "optimizer_state_dict": run.optimizer.state_dict(),
            "rng_states": {
                "python": random.getstate(),
                "numpy": np.random.get_state(),
                "torch_cpu": torch.get_rng_state(),
                "torch_cuda": [torch.get_rng_state()],
            },
            "step": 2,
        },
        tmp_path / "a.pt",
    )
    wanted = torch.rand(3), random.random(), float(np.random.rand())
    other = begin("adam", "multistep", False, start=3)
    found = ckptkit.load_for_training(tmp_path / "a.pt", other.model, other.optimizer)
    assert (found.step, found.left) == (2, ())
    if not torch.cuda.is_available():
        assert found.missing == ("torch_cuda",)
    assert torch.equal(torch.rand(3), wanted[0])
    assert (random.random(), float(np.random.rand())) == wanted[1:]
    for mine, its in zip(run.optimizer.state.values(), other.optimizer.state.values(), strict=True):
        assert torch.equal(mine["max_exp_avg_sq"], its["max_exp_avg_sq"])


def test_extra_state_of_a_module_comes_back(tmp_path: Path) -> None:
    class Counting(nn.Linear):
        seen: Any = 0

        def get_extra_state(self) -> Any:
            return {"seen": self.seen}

        def set_extra_state(self, state: Any) -> None:
            self.seen = state["seen"]

    model, other = Counting(2, 2), Counting(2, 2)
    model.seen = 5
    ckptkit.save_for_training(tmp_path / "a.pt", model)
    ckptkit.load_for_training(tmp_path / "a.pt", other)
    assert other.seen == 5
    assert torch.equal(model.weight, other.weight)


def test_a_changed_optimizer_tensor_is_named(tmp_path: Path) -> None:
    run = begin("adam", "multistep", False)
    run.train(1)
    run.save(tmp_path / "a.pt")
    ckptkit.convert(tmp_path / "a.pt", "deploy", tmp_path / "bundle")
    file = tmp_path / "bundle" / "training.safetensors"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    with pytest.raises(IntegrityError, match="differs from its digest"):
        ckptkit.load_for_training(tmp_path / "bundle", run.model, run.optimizer)


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ({"optimizer_state_dict": {"a": 1}}, r"the file's has \[\]"),
        ({"optimizer_state_dict": 3}, "the file's has|holds no optimizer_state_dict"),
        ({"rng_states": {"python": "x"}}, "rng_states is no such state"),
    ],
)
def test_states_that_are_none_are_refused_by_name(state: dict[str, Any], said: str, tmp_path: Path) -> None:
    model = nn.Linear(2, 2)
    optimizer = torch.optim.Adam(model.parameters())
    torch.save(
        {"model_state_dict": model.state_dict(), "optimizer_state_dict": optimizer.state_dict(), **state},
        tmp_path / "a.pt",
    )
    with pytest.raises(UsageError, match=said):
        ckptkit.load_for_training(tmp_path / "a.pt", model, optimizer)


def test_a_state_that_torch_cannot_take_is_named(tmp_path: Path) -> None:
    model = nn.Linear(2, 2)
    optimizer = torch.optim.Adam(model.parameters())
    state = {"state": {0: {"exp_avg": 3}}, "param_groups": optimizer.state_dict()["param_groups"]}
    torch.save({"model_state_dict": model.state_dict(), "optimizer_state_dict": state}, tmp_path / "a.pt")
    with pytest.raises(UsageError, match=r"optimizer_state_dict is no such state \(KeyError"):
        ckptkit.load_for_training(tmp_path / "a.pt", model, optimizer)


def test_what_cannot_be_saved_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"a str has no state_dict"):
        ckptkit.save_for_training(tmp_path / "a.pt", nn.Linear(1, 1), "adam")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"extra: must be a dict, is int"):
        ckptkit.save_for_training(tmp_path / "a.pt", nn.Linear(1, 1), extra=3)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []
