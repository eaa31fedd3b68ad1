"""Each requirement on recoverers, by its id."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from ckptkit import api, recovery
from ckptkit.errors import UsageError
from ckptkit.graph import torch_module
from ckptkit.graph.shapes import infer, misfits
from ckptkit.graph.torch_tensors import state_dict
from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.manifest import carried
from ckptkit.model.recovered import Hints, Recovered, Status
from ckptkit.recovery.counterexample import ambiguities
from tests.recovery.seed_models import ActorCritic, Dqn, Tower, model_config, save, versioned
from tests.spec import prose

SHAPE = (3, 36, 37)
TOLD = Hints(SHAPE, ("asteroids",))


def network(**more: object) -> Dqn:
    return Dqn(SHAPE, 4, **more)


@pytest.fixture
def found(tmp_path: Path) -> list[tuple[Checkpoint, Recovered]]:
    """Return networks of several families, with and without the user's word."""
    weights = {
        "plain": network().state_dict(),
        "range": network(atoms=5, dueling=True, noisy=True).state_dict(),
        "tower": Tower(46, 24, 1, 0.25).state_dict(),
        "older": ActorCritic(46, 9).state_dict(),
        "generic": nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.LayerNorm(4), nn.LSTM(4, 5)).state_dict(),
    }
    checkpoints = [save(tensors, tmp_path / f"{name}.pth") for name, tensors in weights.items()]
    hints = (Hints(), Hints(None, ("asteroids", "keisei")), TOLD)
    return [(one, recovery.recover(one, hint)) for one in checkpoints for hint in hints]


def fields(found: list[tuple[Checkpoint, Recovered]]) -> Iterator[tuple[str, object, Checkpoint]]:
    for checkpoint, one in found:
        for name, field in one.config.items():
            yield name, field, checkpoint


def test_each_requirement_has_a_test() -> None:
    wanted = {must for must in prose.requirements() if must.startswith("REC-")}
    assert len(wanted) >= 18
    names = {name[len("test_rec_") :][:3] for name in globals() if name.startswith("test_rec_")}
    assert {f"REC-{number}" for number in names} == wanted


def test_rec_001_status_and_alternatives(found: list[tuple[Checkpoint, Recovered]]) -> None:
    for name, field, _ in fields(found):
        assert field.status in Status, name
        assert field.value not in field.alternatives or field.value is None, name
        assert field.status is not Status.PROVEN or field.alternatives == (), name


def test_rec_002_what_two_networks_share_is_proven_of_neither(tmp_path: Path) -> None:
    """Two configurations with the very same state dict, in each field of which they differ."""
    pairs = [
        (network(atoms=5), Dqn(SHAPE, 20), {"support"}, ("n_action", "n_atoms", "distributional_dqn")),
        (Tower(46, 24, 1, 0.25), Tower(46, 24, 1, 0.28), set(), ("se_ratio",)),
        (Dqn((3, 36, 36), 4), Dqn((3, 43, 43), 4), set(), ("input_shape",)),
    ]
    for one, other, lost, names in pairs:
        weights = {name: value for name, value in one.state_dict().items() if name not in lost}
        shapes = {name: value.shape for name, value in weights.items()}
        assert shapes == {name: value.shape for name, value in other.state_dict().items()}
        config = recovery.recover(save(weights, tmp_path / "net.pth"), Hints()).config
        assert [config[name].status for name in names] == [Status.CONSTRAINED] * len(names)


def test_rec_003_none_is_a_candidate_where_it_fits(tmp_path: Path) -> None:
    field = recovery.recover(save(network().state_dict(), tmp_path / "net.pth"), Hints()).config["n_atoms"]
    assert (field.value, field.status, field.alternatives) == (None, Status.CONSTRAINED, (None, 2, 4))


def test_rec_004_evidence_is_given(found: list[tuple[Checkpoint, Recovered]]) -> None:
    for name, field, checkpoint in fields(found):
        if field.status is Status.UNKNOWN:
            continue
        assert field.evidence, name
        if name.startswith("modules."):
            assert set(field.evidence) <= checkpoint.tensors.keys(), name
        if field.status is Status.ASSUMED:
            assert any(re.match(r"profile |--|ckptkit$", word) for word in field.evidence), name


def test_rec_005_contradictions_are_questions(tmp_path: Path) -> None:
    made = network(dueling=True)
    config = model_config(made, SHAPE, n_action=5)
    found = recovery.recover(save(versioned(made, config), tmp_path / "net.pth"), Hints())
    assert found.graph is None
    assert "which holds? model_config.n_action is 5" in found.questions[0]


def test_rec_010_a_missing_weight_or_another_shape_is_no_claim(tmp_path: Path) -> None:
    weights = dict(network().state_dict())
    for name, other in (("fc.0.bias", None), ("fc.0.bias", torch.zeros(511))):
        changed = {key: value for key, value in weights.items() if key != name}
        changed |= {} if other is None else {name: other}
        found = recovery.recover(save(changed, tmp_path / "net.pth"), TOLD)
        assert (found.family, found.graph) != ("asteroids", None)
        assert found.family != "asteroids"


def test_rec_011_two_claims_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint = save(network().state_dict(), tmp_path / "net.pth")
    (own,) = [family for family in recovery.families() if family.id == "asteroids"]
    monkeypatch.setattr(recovery, "families", lambda: (own, replace(own, id="twin")))
    found = recovery.recover(checkpoint, TOLD)
    assert (found.family, found.graph) == ("", None)
    assert "asteroids, twin" in found.questions[0]


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "policy.model."])
def test_rec_012_names_are_those_of_the_file(tmp_path: Path, prefix: str) -> None:
    weights = {f"{prefix}{name}": value for name, value in network(atoms=5).state_dict().items()}
    found = recovery.recover(save(weights, tmp_path / "net.pth"), TOLD)
    assert found.graph is not None
    assert {layer.name for layer in found.graph.layers} >= {f"{prefix}conv.0", f"{prefix}support"}
    assert found.config["n_atoms"].evidence == (f"{prefix}support",)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_rec_013_order_and_type_prove_the_same(tmp_path: Path, dtype: torch.dtype) -> None:
    weights = network(atoms=5, ends=(-8.0, 8.0)).state_dict()
    before = recovery.recover(save(weights, tmp_path / "a.pth"), Hints()).config
    changed = {name: value.to(dtype) for name, value in reversed(weights.items())}
    after = recovery.recover(save(changed, tmp_path / "b.pth"), Hints()).config
    proven = [name for name, field in before.items() if field.status is Status.PROVEN]
    assert len(proven) >= 6
    assert [after[name].value for name in proven] == [before[name].value for name in proven]


def test_rec_020_a_tensor_without_a_place_is_named(tmp_path: Path) -> None:
    weights = {**network().state_dict(), "stranger.weight": torch.zeros(3, 7)}
    found = recovery.recover(save(weights, tmp_path / "net.pth"), TOLD)
    assert (found.unexplained, found.graph) == (("stranger.weight",), None)


def test_rec_021_a_module_made_from_a_graph_loads_strictly(found: list[tuple[Checkpoint, Recovered]]) -> None:
    graphs = [(checkpoint, one.graph) for checkpoint, one in found if one.graph is not None]
    assert len(graphs) >= 4
    for checkpoint, graph in graphs:
        module = torch_module.empty(graph, order=checkpoint.tensors)
        module.fill(state_dict(checkpoint.tensors, "cpu", digests=False))
        assert list(module.state_dict()) == list(checkpoint.tensors)


def test_rec_030_no_graph_while_anything_is_open(found: list[tuple[Checkpoint, Recovered]]) -> None:
    assert any(one.graph is None for _, one in found)
    for _, one in found:
        if one.family == "asteroids" and one.graph is not None:
            needed = ("input_shape", "activation", "conv_strides", "conv_padding", "n_action", "n_atoms")
            assert {one.config[name].status for name in needed} <= {Status.PROVEN, Status.ASSUMED}
            assert one.unexplained == ()


def test_rec_031_every_open_network_comes_with_questions(found: list[tuple[Checkpoint, Recovered]]) -> None:
    for _, one in found:
        assert (one.graph is None) == bool(one.questions)
        if one.family in ("asteroids", "keisei") and one.graph is None:
            assert any("--assume" in question or "--input-shape" in question for question in one.questions)


def test_rec_040_a_profile_applies_where_it_is_named(tmp_path: Path) -> None:
    made = network(atoms=5)
    bare = recovery.recover(save(made.state_dict(), tmp_path / "bare.pth"), Hints(SHAPE))
    assert (bare.graph, bare.config["activation"].status) == (None, Status.UNKNOWN)
    other = recovery.recover(save(made.state_dict(), tmp_path / "bare.pth"), Hints(SHAPE, ("keisei",)))
    assert other.graph is None
    config = versioned(made, model_config(made, SHAPE))
    assert recovery.recover(save(config, tmp_path / "named.pth"), Hints()).graph is not None


def test_rec_041_what_a_profile_supplies_is_assumed(tmp_path: Path) -> None:
    found = recovery.recover(save(network(atoms=5).state_dict(), tmp_path / "net.pth"), TOLD)
    for name in ("activation", "conv_strides", "conv_padding"):
        field = found.config[name]
        assert (field.status, field.evidence) == (Status.ASSUMED, ("profile asteroids",))


def test_rec_042_an_unknown_profile_is_refused(tmp_path: Path) -> None:
    checkpoint = save(network().state_dict(), tmp_path / "net.pth")
    with pytest.raises(UsageError) as caught:
        recovery.recover(checkpoint, Hints(None, ("nobody",)))
    assert all(name in caught.value.fix for name in recovery.profiles.names())


def test_rec_050_the_premise_is_assumed(tmp_path: Path) -> None:
    found = recovery.recover(save(nn.Linear(3, 4).state_dict(), tmp_path / "net.pth"), Hints())
    premise = found.config["premise"]
    assert (found.family, premise.status) == ("generic", Status.ASSUMED)
    assert "torch.nn" in str(premise.value)


def test_rec_051_a_layer_that_contradicts_itself_is_unknown(tmp_path: Path) -> None:
    weights = {"a.weight": torch.zeros(4, 3), "a.bias": torch.zeros(5), "b.weight": torch.zeros(2, 4)}
    found = recovery.recover(save(weights, tmp_path / "net.pth"), Hints())
    assert found.config["modules.a"].status is Status.UNKNOWN
    assert found.graph is None


def test_rec_060_both_networks_of_a_counterexample_load(tmp_path: Path) -> None:
    checkpoint = save(network().state_dict(), tmp_path / "net.pth")
    pairs = list(ambiguities(checkpoint, Hints(SHAPE)))
    assert pairs
    for pair in pairs:
        assert pair.first.value != pair.second.value
        assert pair.question
        for one in (pair.first, pair.second):
            assert list(misfits(infer(one.graph), checkpoint.tensors)) == []


def test_rec_070_a_bundle_keeps_what_was_inferred(tmp_path: Path) -> None:
    save(network(atoms=5).state_dict(), tmp_path / "net.pth")
    api.convert(tmp_path / "net.pth", "v2", tmp_path / "v2.pt", input_shape=SHAPE, assume=["asteroids"])
    kept = carried(api.read(tmp_path / "v2.pt"))["recovery"]
    assert isinstance(kept, dict)
    assert kept.keys() >= {"family", "fields", "assumed", "questions", "unexplained"}
    supplied = [name for name, field in kept["fields"].items() if field["status"] == "assumed"]
    lines = [line.partition(" = ")[0] for line in kept["assumed"]]
    assert set(supplied) == set(lines) >= {"activation", "conv_strides", "conv_padding", "input_shape"}
