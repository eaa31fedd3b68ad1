"""What is listed of convolutions and projections in networks that are no plain chain."""

from pathlib import Path

from torch import nn

from ckptkit.model.recovered import Hints, Recovered, Status
from tests.recovery.generic.nets import recovered


def listed(found: Recovered, name: str) -> list[object]:
    field = found.config[name]
    assert field.status is Status.UNKNOWN
    assert field.value is None
    return list(field.alternatives)


def test_convolutions_in_front_of_a_recurrent_policy(tmp_path: Path) -> None:
    cnn = nn.Sequential(
        nn.Conv2d(4, 8, 8, 4), nn.ReLU(), nn.Conv2d(8, 16, 4, 2), nn.ReLU(), nn.Conv2d(16, 16, 3)
    )
    net = nn.ModuleDict({"cnn": cnn, "rnn": nn.LSTM(16 * 49, 8), "out": nn.Linear(8, 3)})
    ways = listed(recovered(net.state_dict(), tmp_path, Hints((4, 84, 84))), "geometry.cnn.0")
    assert ways[0] == {"stride": [4, 2, 1], "padding": [0, 0, 0]}
    runs = listed(recovered(net.state_dict(), tmp_path), "geometry.cnn.0")
    assert {"stride": [4, 2, 1], "padding": [0, 0, 0], "height": [84, 91], "width": [84, 91]} in runs


def test_projections_of_attention_by_their_usual_names(tmp_path: Path) -> None:
    apart = nn.ModuleDict({name: nn.Linear(6, 6) for name in ("q_proj", "k_proj", "v_proj", "out_proj")})
    fused = nn.ModuleDict({"qkv": nn.Linear(6, 18), "proj": nn.Linear(6, 6)})
    found = recovered(nn.ModuleDict({"a": apart, "b": fused}).state_dict(), tmp_path)
    heads = [{"embed_dim": 6, "num_heads": count} for count in (1, 2, 3, 6)]
    assert listed(found, "attention.a") == heads
    assert listed(found, "attention.b") == heads


def test_heads_rows_joined_inputs_and_copies(tmp_path: Path) -> None:
    def q_net() -> nn.Module:
        return nn.ModuleDict(
            {"body": nn.Linear(8, 400), "value": nn.Linear(401, 1), "advantage": nn.Linear(401, 102)}
        )

    found = recovered(nn.ModuleDict({"online": q_net(), "target": q_net()}).state_dict(), tmp_path)
    assert {"of": ["online.body"], "widths": [400], "beside": 1} in listed(found, "side_inputs.online.value")
    kinds = {str(one["kind"]) for one in listed(found, "heads") if isinstance(one, dict)}
    assert kinds == {"dueling: value and advantages", "critic and actor"}
    assert {"actions": 2, "values_each": 51} in listed(found, "rows.target.advantage")
    copies = found.config["same_shapes"]
    assert (copies.status, copies.value) == (Status.PROVEN, [["online", "target"]])


def test_equal_blocks_and_shared_tensors(tmp_path: Path) -> None:
    blocks = nn.ModuleList(nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4)) for _ in range(3))
    tied = nn.ModuleDict({"blocks": blocks, "again": blocks[0]})
    found = recovered(tied.state_dict(), tmp_path)
    assert found.config["repeats.blocks"].value == [{"first": 0, "last": 2, "times": 3}]
    shared = found.config["shared_tensors"].value
    assert isinstance(shared, list)
    assert ["blocks.0.0.weight", "again.0.weight"] in shared
    assert len(shared) == 4
