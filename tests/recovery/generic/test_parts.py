"""Layers that are proven by themselves are built, and equal torch's own."""

import json
from pathlib import Path

import pytest
import torch
from torch import nn

import ckptkit
from ckptkit import report, schema
from tests.recovery.generic.nets import KINDS
from tests.recovery.seed_models import Noisy


@pytest.mark.filterwarnings("ignore:LSTM with projections")
def test_each_part_loads_strictly_and_equals_torch(tmp_path: Path) -> None:
    count = 0
    for kind in KINDS:
        for net in kind():
            torch.save(net.state_dict(), tmp_path / "net.pth")
            for path, part in ckptkit.load_parts(tmp_path / "net.pth").items():
                own = net.get_submodule(path).eval()
                names = [f"{path}.{name}" for name in own.state_dict()]
                assert list(part.state_dict()) == names
                compare(own, part)
                count += 1
    assert count >= 100


def compare(own: nn.Module, part: nn.Module) -> None:
    with torch.no_grad():
        if isinstance(own, nn.LSTM):
            x = torch.randn(3, own.input_size)
            h = torch.randn(own.num_layers, 3, own.proj_size or own.hidden_size)
            c = torch.randn(own.num_layers, 3, own.hidden_size)
            y, (next_h, next_c) = own(x[None], (h, c))
            found = part(x, h, c)
            torch.testing.assert_close(found["y"], y[0])
            torch.testing.assert_close(found["next_h"], next_h)
            torch.testing.assert_close(found["next_c"], next_c)
        elif isinstance(own, nn.GRU):
            x, h = torch.randn(3, own.input_size), torch.randn(own.num_layers, 3, own.hidden_size)
            y, next_h = own(x[None], h)
            found = part(x, h)
            torch.testing.assert_close(found["y"], y[0])
            torch.testing.assert_close(found["next_h"], next_h)
        else:
            assert isinstance(own, nn.Linear | Noisy)
            columns = own.in_features if isinstance(own, nn.Linear) else own.weight_mu.shape[1]
            x = torch.randn(3, columns)
            assert torch.equal(part(x)["y"], own(x))


@pytest.mark.parametrize(
    "module", [nn.Conv2d(3, 4, 3), nn.LayerNorm(4), nn.RNN(3, 4), nn.LSTM(3, 4, bidirectional=True)]
)
def test_what_leaves_something_open_is_no_part(module: nn.Module, tmp_path: Path) -> None:
    torch.save(nn.ModuleDict({"a": module}).state_dict(), tmp_path / "net.pth")
    assert ckptkit.load_parts(tmp_path / "net.pth") == {}
    assert ckptkit.recover(tmp_path / "net.pth").parts == ()


def test_the_report_lists_parts(tmp_path: Path) -> None:
    net = nn.ModuleDict({"a": nn.Linear(3, 4), "n": nn.LayerNorm(4)})
    torch.save(net.state_dict(), tmp_path / "net.pth")
    (part,) = ckptkit.recover(tmp_path / "net.pth").parts
    attrs = {"in_features": 3, "out_features": 4, "bias": True}
    document = json.loads(report.recovery(ckptkit.recover(tmp_path / "net.pth"), "json"))
    assert schema.validate("recover-report-1.0", document, strict=True) == []
    assert document["parts"] == [part]
    assert part == {"name": "a", "type": "Linear", "inputs": [], "attrs": attrs}
