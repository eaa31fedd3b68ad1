"""Other input channels: what is written, that padded inputs give the same outputs, and what is refused."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import ckptkit
from ckptkit import api, schema
from ckptkit.api.resizing import all_zero, resized
from ckptkit.errors import ArchitectureError, IntegrityError, NotExportableError, UsageError
from ckptkit.model.adaptation import InputChannels
from ckptkit.model.manifest import carried
from ckptkit.model.tree import tensors_in
from tests.corpus import CHECKOUT
from tests.recovery.seed_models import ActorCritic, Dqn, Tower, model_config, versioned


def keisei(path: Path, planes: int, network: nn.Module | None = None, **more: object) -> nn.Module:
    made = (network or Tower(planes, 8, 2, 0.25)).eval()
    state = {"model_state_dict": made.state_dict(), "black_wins": 1, "white_wins": 2, "draws": 0}
    torch.save(state | more, path)
    return made


def outputs(network: nn.Module, x: np.ndarray) -> dict[str, np.ndarray]:
    with torch.no_grad():
        return {name: value.numpy() for name, value in network(torch.from_numpy(x)).items()}


def padded(x: np.ndarray, planes: int) -> np.ndarray:
    """Fill new planes with noise: it must not matter."""
    more = np.random.default_rng(5).random((len(x), planes - x.shape[1], 9, 9), np.float32)
    return np.concatenate([x, more], 1)


@pytest.mark.parametrize("to", ["v2", "deploy"])
@pytest.mark.parametrize("old", [False, True])
def test_new_planes_change_no_output(tmp_path: Path, to: str, old: bool) -> None:
    source, target = tmp_path / "checkpoint_ts9.pth", tmp_path / "out"
    made = keisei(source, 46, ActorCritic(46, 30) if old else None)
    receipt = api.convert(source, to, target, adapt=InputChannels(51))
    x = np.random.default_rng(1).random((3, 46, 9, 9), np.float32)
    got = outputs(ckptkit.load(target), padded(x, 51))
    for name, value in outputs(made, x).items():
        np.testing.assert_allclose(got[name], value, rtol=1e-5, atol=1e-5)
    weight = "conv.weight" if old else "stem.weight"
    assert receipt.adapted == (weight,)
    assert receipt.changed[0] == f"{weight}: 46 input channels became 51, the new ones zero"
    (result,) = api.validate(target, level=4 if to == "deploy" else 3).results
    assert (result.findings, result.incomplete) == ((), "")


def test_there_and_back_again_is_the_same_network(tmp_path: Path) -> None:
    source = tmp_path / "checkpoint_ts9.pth"
    keisei(source, 46)
    api.convert(source, "deploy", tmp_path / "wide", adapt=InputChannels(51))
    api.convert(tmp_path / "wide", "v2", tmp_path / "back.pt", adapt=InputChannels(46))
    api.convert(source, "v2", tmp_path / "plain.pt")
    found = ckptkit.diff(tmp_path / "plain.pt", tmp_path / "back.pt")
    assert [change.place for change in found.fields] == ["/lineage/migrations"]
    assert found.model.equal
    assert found.layers == ()
    steps = carried(api.read(tmp_path / "back.pt"))["lineage"]["migrations"]  # type: ignore[index]
    assert [step.partition(":")[0] for step in steps] == [
        "adapt input-channels=51",
        "adapt input-channels=46",
    ]


def test_channels_that_are_not_zero_go_only_by_the_users_word(tmp_path: Path) -> None:
    source = tmp_path / "checkpoint_ts9.pth"
    keisei(source, 51)
    with pytest.raises(NotExportableError, match=r"last 5 .* stem\.weight are not zero") as error:
        api.convert(source, "v2", tmp_path / "out.pt", adapt=InputChannels(46))
    assert "input-channels=46,lossy" in error.value.fix
    assert not (tmp_path / "out.pt").exists()
    api.convert(source, "v2", tmp_path / "out.pt", adapt=InputChannels(46, lossy=True))
    kept = api.read(tmp_path / "out.pt").tensors["stem.weight"].numpy()
    np.testing.assert_array_equal(kept, torch.load(source)["model_state_dict"]["stem.weight"][:, :46].numpy())


def test_optimizer_moments_are_resized_and_training_goes_on(tmp_path: Path) -> None:
    made = Tower(46, 8, 1, None)
    optimizer = torch.optim.Adam(made.parameters())
    sum(value.sum() for value in made(torch.rand(4, 46, 9, 9)).values()).backward()
    optimizer.step()
    keisei(tmp_path / "a.pth", 46, made, optimizer_state_dict=optimizer.state_dict())
    receipt = api.convert(tmp_path / "a.pth", "v2", tmp_path / "b.pt", adapt=InputChannels(51))
    assert len(receipt.changed) == 3
    shapes = [tensor.shape for tensor in tensors_in(api.read(tmp_path / "b.pt").training_state).values()]
    assert shapes.count((8, 51, 3, 3)) == 2
    state = torch.load(tmp_path / "b.pt", weights_only=True)["training_state"]["optimizer_state_dict"]
    wide = Tower(51, 8, 1, None)
    resumed = torch.optim.Adam(wide.parameters())
    resumed.load_state_dict(state)
    sum(value.sum() for value in wide(torch.rand(4, 51, 9, 9)).values()).backward()
    resumed.step()


def test_moments_whose_owner_is_not_certain_go_with_a_reason(tmp_path: Path) -> None:
    made = Tower(8, 8, 1, None)
    optimizer = torch.optim.Adam(made.parameters())
    sum(value.sum() for value in made(torch.rand(4, 8, 9, 9)).values()).backward()
    optimizer.step()
    keisei(tmp_path / "a.pth", 8, made, optimizer_state_dict=optimizer.state_dict())
    receipt = api.convert(tmp_path / "a.pth", "v2", tmp_path / "b.pt", adapt=InputChannels(9))
    assert ("training_state", True) in {
        (entry.path, "not certain" in entry.reason) for entry in receipt.dropped
    }
    assert api.read(tmp_path / "b.pt").training_state is None


def test_what_the_file_says_of_the_observation_is_changed_too(tmp_path: Path) -> None:
    made = Dqn((2, 36, 36), 4, dueling=True).eval()
    source = tmp_path / "dqn.pth"
    torch.save(versioned(made, model_config(made, (2, 36, 36))), source)
    api.convert(source, "deploy", tmp_path / "out", adapt=InputChannels(3))
    checkpoint = api.read(tmp_path / "out")
    assert tuple(checkpoint.model_config["input_shape"]) == (3, 36, 36)  # type: ignore[arg-type]
    x = np.random.default_rng(1).random((3, 3, 36, 36), np.float32)
    wanted = outputs(made, x[:, :2])["q_values"]
    np.testing.assert_allclose(outputs(ckptkit.load(tmp_path / "out"), x)["q_values"], wanted, atol=1e-5)


def test_an_extractor_under_three_names_stays_one(tmp_path: Path) -> None:
    import gymnasium
    from stable_baselines3 import PPO

    class Env(gymnasium.Env):  # type: ignore[misc]
        observation_space = gymnasium.spaces.Box(0, 255, (3, 36, 36), np.uint8)
        action_space = gymnasium.spaces.Discrete(4)

    agent = PPO("CnnPolicy", Env(), policy_kwargs={"features_extractor_kwargs": {"features_dim": 16}})
    agent.save(tmp_path / "ppo.zip")
    receipt = api.convert(tmp_path / "ppo.zip", "deploy", tmp_path / "out", adapt=InputChannels(4))
    assert sorted(receipt.adapted) == [
        "features_extractor.cnn.0.weight",
        "pi_features_extractor.cnn.0.weight",
        "vf_features_extractor.cnn.0.weight",
    ]
    checkpoint = api.read(tmp_path / "out")
    assert len({checkpoint.tensors[name].identity for name in receipt.adapted}) == 1
    assert checkpoint.spaces["observation"]["shape"] == [4, 36, 36]  # type: ignore[index]
    x = np.random.default_rng(1).integers(0, 256, (3, 4, 36, 36), np.uint8)
    wanted, _ = agent.predict(x[:, :3], deterministic=True)
    network = ckptkit.load(tmp_path / "out")
    np.testing.assert_array_equal(network.predict(x)[0], wanted)
    with torch.no_grad():
        value = agent.policy.predict_values(torch.from_numpy(x[:, :3])).squeeze(-1)
    np.testing.assert_allclose(outputs(network, x)["value"].squeeze(-1), value.numpy(), atol=1e-5)


def test_the_count_that_it_has_changes_nothing(tmp_path: Path) -> None:
    keisei(tmp_path / "a.pth", 46)
    receipt = api.convert(tmp_path / "a.pth", "v2", tmp_path / "b.pt", adapt=InputChannels(46))
    assert (receipt.changed, receipt.adapted) == ((), ())


def test_networks_without_one_first_convolution_are_refused_with_the_candidates(tmp_path: Path) -> None:
    with pytest.raises(ArchitectureError, match=r"no one convolution .*\(Linear\) of obs"):
        api.convert(
            CHECKOUT / "fixtures" / "sb3" / "ppo" / "model.zip",
            "v2",
            tmp_path / "out.pt",
            adapt=InputChannels(9),
        )
    torch.save({"conv.weight": torch.ones(4, 3, 3, 3)}, tmp_path / "bare.pt")
    with pytest.raises(ArchitectureError, match="input channels are not known"):
        api.convert(tmp_path / "bare.pt", "v2", tmp_path / "out.pt", adapt=InputChannels(9))
    with pytest.raises(UsageError, match="on the way to sb3"):
        api.convert(
            CHECKOUT / "fixtures" / "sb3" / "ppo" / "model.zip",
            "sb3",
            tmp_path / "out.zip",
            adapt=InputChannels(9),
        )
    assert not (tmp_path / "out.pt").exists()


def test_a_bundle_needs_the_same_word_as_its_source_did(tmp_path: Path) -> None:
    torch.save(Tower(46, 8, 1, None).state_dict(), tmp_path / "bare.pth")
    api.convert(tmp_path / "bare.pth", "v2", tmp_path / "a.pt", assume=["keisei"])
    with pytest.raises(ArchitectureError, match="would not be known any more") as error:
        api.convert(tmp_path / "a.pt", "v2", tmp_path / "b.pt", adapt=InputChannels(51))
    assert "--assume" in error.value.fix
    receipt = api.convert(
        tmp_path / "a.pt", "v2", tmp_path / "b.pt", adapt=InputChannels(51), assume=["keisei"]
    )
    assert receipt.level == 3


def test_a_damaged_weight_is_not_padded(tmp_path: Path) -> None:
    keisei(tmp_path / "a.pth", 46)
    api.convert(tmp_path / "a.pth", "deploy", tmp_path / "a")
    path = tmp_path / "a" / "model.safetensors"
    data = bytearray(path.read_bytes())
    weight = api.read(tmp_path / "a.pth").tensors["stem.weight"].tobytes()
    data[data.index(weight) + 7] ^= 1
    path.write_bytes(data)
    with pytest.raises(IntegrityError):
        api.convert(tmp_path / "a", "v2", tmp_path / "b.pt", adapt=InputChannels(51))


@pytest.mark.parametrize(
    "text", ["input-channels=0", "input-channels=x", "channels=3", "input-channels=70000", ""]
)
def test_other_changes_are_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError, match="no adaptation"):
        InputChannels.parse(text)


def test_tensors_are_resized_as_torch_pads_them(tmp_path: Path) -> None:
    values = torch.randn(3, 4, 2).bfloat16()
    torch.save({"w": values, "t": values.transpose(0, 1)}, tmp_path / "a.pt")
    tensors = api.read(tmp_path / "a.pt").tensors
    for name, wanted in (("w", values), ("t", values.transpose(0, 1))):
        for size in (1, 3, 6):
            fill = size - wanted.shape[1]
            expected = torch.nn.functional.pad(wanted, (0, 0, 0, fill)) if fill > 0 else wanted[:, :size]
            made = resized(tensors[name], 1, size)
            assert made.shape == tuple(expected.shape)
            assert made.tobytes() == expected.contiguous().view(torch.uint8).numpy().tobytes()
    assert all_zero(resized(tensors["w"], 1, 6), 1, 4)
    assert not all_zero(resized(tensors["w"], 1, 6), 1, 3)


def test_the_command_says_what_it_changed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from ckptkit.cli.app import status

    source = tmp_path / "a.pth"
    keisei(source, 46)
    words = ["convert", str(source), "--to", "v2", "-o", str(tmp_path / "b.pt"), "--adapt"]
    assert status([*words, "input-channels=51", "--dry-run", "--format", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert schema.validate("convert-receipt-1.0", document, strict=True) == []
    assert document["adapted"] == ["stem.weight"]
    assert status([*words, "input-channels=51"]) == 0
    out = capsys.readouterr().out
    assert "bit-identical but for stem.weight" in out
    assert "changed   stem.weight: 46 input channels became 51, the new ones zero" in out
    assert status([*words, "planes=51", "--force"]) == 2
    assert "input-channels=N" in capsys.readouterr().err
