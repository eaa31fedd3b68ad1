"""`ckptkit.load`: the source's own state dict, outputs and actions, and a module to train on."""

import copy
import io
import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces

import ckptkit
from ckptkit import errors
from ckptkit.graph.torch_module import GraphModule
from tests.agents import IMAGE, LARGE, PARTS, RAW, SMALL, Agent, agents

AGENTS = agents()
CLOSE = {"rtol": 1e-5, "atol": 1e-5}


@pytest.fixture(scope="module", params=AGENTS, ids=str)
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, ...]:
    """An agent, the SB3 model, its zip and what ckptkit makes of that."""
    model = request.param.make()
    path = tmp_path_factory.mktemp("agents") / "agent.zip"
    model.save(path)
    return request.param, model, path, ckptkit.load(path)


def saved(agent: Agent, folder: Path) -> tuple[Any, Path]:
    model, path = agent.make(), folder / "agent.zip"
    model.save(path)
    return model, path


def first(observations: Any) -> Any:
    if isinstance(observations, dict):
        return {key: value[0] for key, value in observations.items()}
    return observations[0]


def same_state(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return list(one) == list(other) and all(
        one[name].dtype == value.dtype and torch.equal(one[name], value) for name, value in other.items()
    )


def test_there_are_agents_of_every_algorithm() -> None:
    assert len({agent.algorithm for agent in AGENTS}) == 13


def test_the_state_dict_is_the_sources_own_in_its_order(pair: tuple[Any, ...]) -> None:
    _, model, _, module = pair
    assert same_state(module.state_dict(), model.policy.state_dict())


def test_state_dicts_load_strictly_both_ways(pair: tuple[Any, ...]) -> None:
    _, model, _, module = pair
    buffer = io.BytesIO()
    torch.save(module.state_dict(), buffer)
    buffer.seek(0)
    model.policy.load_state_dict(torch.load(buffer, weights_only=True), strict=True)
    module.load_state_dict(model.policy.state_dict(), strict=True)


@pytest.mark.parametrize("count", [1, 9])
def test_predict_gives_sb3s_actions_for_a_batch(pair: tuple[Any, ...], count: int) -> None:
    agent, model, _, module = pair
    observations = agent.observations(count)
    expected, state = model.predict(observations, deterministic=True)
    actions, after = module.predict(observations)
    assert actions.shape == expected.shape
    assert actions.dtype == expected.dtype
    np.testing.assert_allclose(actions, expected, **CLOSE)
    assert (state is None) == (after is None)


def test_predict_gives_sb3s_action_for_a_single_observation(pair: tuple[Any, ...]) -> None:
    agent, model, _, module = pair
    observation = first(agent.observations(3))
    expected, _ = model.predict(observation, deterministic=True)
    action, _ = module.predict(observation)
    assert np.shape(action) == np.shape(expected)
    np.testing.assert_allclose(action, expected, **CLOSE)
    assert type(action) is type(expected)


def test_outputs_are_what_sb3s_networks_give(pair: tuple[Any, ...]) -> None:
    agent, model, _, module = pair
    if agent.algorithm not in RAW:
        return
    model.policy.set_training_mode(False)
    x, _ = model.policy.obs_to_tensor(agent.observations(5))
    expected = RAW[agent.algorithm](model.policy, x)
    outputs = module(x if isinstance(x, dict) else {"obs": x})
    for name, value in expected.items():
        torch.testing.assert_close(outputs[name], value, **CLOSE)


def test_bundles_of_both_encodings_load_like_their_source(pair: tuple[Any, ...], tmp_path: Path) -> None:
    agent, _, path, module = pair
    observations = agent.observations(4)
    expected, _ = module.predict(observations)
    for to, name in (("deploy", "bundle"), ("v2", "agent.pt")):
        ckptkit.convert(path, to, tmp_path / name)
        again = ckptkit.load(tmp_path / name)
        state = module.state_dict()
        assert again.state_dict().keys() == state.keys()
        assert all(torch.equal(value, state[key]) for key, value in again.state_dict().items())
        np.testing.assert_array_equal(again.predict(observations)[0], expected)


def test_copies_are_equal_and_independent(pair: tuple[Any, ...]) -> None:
    agent, _, _, module = pair
    observations = agent.observations(4)
    expected, _ = module.predict(observations)
    for twin in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        assert same_state(twin.state_dict(), module.state_dict())
        np.testing.assert_array_equal(twin.predict(observations)[0], expected)
        with torch.no_grad():
            for parameter in twin.parameters():
                parameter.fill_(torch.nan)
        np.testing.assert_array_equal(module.predict(observations)[0], expected)


def test_gradients_reach_what_the_outputs_depend_on(pair: tuple[Any, ...]) -> None:
    agent, model, _, module = pair
    module = copy.deepcopy(module).train()
    x, _ = model.policy.obs_to_tensor(agent.observations(6))
    outputs = module(x if isinstance(x, dict) else {"obs": x})
    loss = sum(value.float().square().sum() for value in outputs.values() if value.requires_grad)
    loss.backward()
    reached = {name for name, parameter in module.named_parameters() if parameter.grad is not None}
    live = {name for name in reached if bool(module.get_parameter(name).grad.abs().sum() >= 0)}
    heads = {"action_net", "value_net", "q_net", "quantile_net", "actor"}
    assert live
    assert {name.split(".")[0] for name in reached} & heads
    before = {name: value.detach().clone() for name, value in outputs.items() if value.requires_grad}
    torch.optim.SGD(module.parameters(), lr=0.1).step()
    after = module(x if isinstance(x, dict) else {"obs": x})
    assert any(not torch.equal(value, after[name]) for name, value in before.items())


def test_extractors_that_share_tensors_stay_tied(tmp_path: Path) -> None:
    _, path = saved(Agent("PPO", observation=IMAGE, policy="CnnPolicy", arguments=SMALL), tmp_path)
    for source in (path, tmp_path / "bundle"):
        if source != path:
            ckptkit.convert(path, "deploy", source)
        module = ckptkit.load(source)
        names = [name for name in module.state_dict() if name.endswith("cnn.0.weight")]
        assert len(names) == 3
        assert len({id(module.get_parameter(name)) for name in names}) == 1
        with torch.no_grad():
            module.get_parameter(names[0]).zero_()
        assert not module.state_dict()[names[2]].any()


def test_a_recurrent_agent_gives_sb3s_actions_and_states_over_steps(tmp_path: Path) -> None:
    agent = Agent(
        "RecurrentPPO", LARGE, policy="MlpLstmPolicy", arguments=SMALL, network={"lstm_hidden_size": 6}
    )
    model, path = saved(agent, tmp_path)
    module = ckptkit.load(path)
    state = expected = None
    observations = agent.observations(12).reshape(4, 3, 5)
    starts = np.array([[1, 1, 1], [0, 0, 0], [0, 1, 0], [0, 0, 1]], bool)
    for observation, start in zip(observations, starts, strict=True):
        wanted, expected = model.predict(observation, expected, start, deterministic=True)
        action, state = module.predict(observation, state, start)
        np.testing.assert_allclose(action, wanted, **CLOSE)
        for one, other in zip(state or (), expected, strict=True):
            assert one.shape == (1, 3, 6)
            np.testing.assert_allclose(one, other, **CLOSE)
    action, state = module.predict(observations[0][0])
    wanted, expected = model.predict(observations[0][0], deterministic=True)
    assert action.shape == wanted.shape == (2,)
    assert [part.shape for part in state or ()] == [part.shape for part in expected]


def test_masks_forbid_what_they_forbid_in_sb3(tmp_path: Path) -> None:
    agent = Agent("MaskablePPO", spaces.MultiDiscrete([3, 4]), arguments=SMALL)
    model, path = saved(agent, tmp_path)
    module = ckptkit.load(path)
    masks = np.random.default_rng(0).random((8, 7)) < 0.4
    masks[:, [0, 6]] = True
    observations = agent.observations(8)
    wanted, _ = model.predict(observations, deterministic=True, action_masks=masks)
    actions, _ = module.predict(observations, action_mask=masks)
    np.testing.assert_array_equal(actions, wanted)
    single, _ = module.predict(observations[0], action_mask=masks[0])
    np.testing.assert_array_equal(single, wanted[0])
    drawn = [module.predict(observations, action_mask=masks, deterministic=False)[0] for _ in range(20)]
    for action in drawn:
        assert masks[np.arange(8), action[:, 0]].all()
        assert masks[np.arange(8), 3 + action[:, 1]].all()
    assert len({action.tobytes() for action in drawn}) > 1


def test_dict_observations_are_taken_in_every_form(tmp_path: Path) -> None:
    agent = Agent("PPO", observation=PARTS, policy="MultiInputPolicy", arguments=SMALL)
    _, path = saved(agent, tmp_path)
    module = ckptkit.load(path)
    parts = {key: torch.as_tensor(value) for key, value in agent.observations(4).items()}
    full = {f"obs.{key}": value for key, value in parts.items()}
    expected = module(parts)["logits"]
    for outputs in (
        module(full),
        module(obs=parts),
        module(**full),
        module(*map(full.get, module.graph.inputs)),
    ):
        torch.testing.assert_close(outputs["logits"], expected, rtol=0, atol=0)


def test_images_with_channels_last_are_taken_as_sb3_takes_them(tmp_path: Path) -> None:
    agent = Agent("DQN", observation=IMAGE, policy="CnnPolicy")
    model, path = saved(agent, tmp_path)
    module = ckptkit.load(path)
    images = agent.observations(4).transpose(0, 2, 3, 1)
    for given in (images, images[0]):
        np.testing.assert_array_equal(module.predict(given)[0], model.predict(given, deterministic=True)[0])


def test_drawn_actions_follow_the_logits(tmp_path: Path) -> None:
    torch.manual_seed(0)
    agent = Agent("PPO", arguments=SMALL)
    _, path = saved(agent, tmp_path)
    module = ckptkit.load(path)
    observation = np.tile(agent.observations(1), (4000, 1))
    drawn, _ = module.predict(observation, deterministic=False)
    expected = module(torch.as_tensor(observation[:1]))["logits"].softmax(1)[0]
    assert torch.as_tensor(np.bincount(drawn, minlength=3) / 4000).allclose(expected.double(), atol=0.04)


def test_bits_are_drawn_one_by_one(tmp_path: Path) -> None:
    agent = Agent("PPO", spaces.MultiBinary(4), arguments=SMALL)
    _, path = saved(agent, tmp_path)
    drawn, _ = ckptkit.load(path).predict(agent.observations(50), deterministic=False)
    assert drawn.shape == (50, 4)
    assert set(np.unique(drawn)) == {0.0, 1.0}


def test_a_continuous_action_is_not_drawn_and_the_error_says_so(tmp_path: Path) -> None:
    agent = Agent("PPO", LARGE, arguments=SMALL)
    _, path = saved(agent, tmp_path)
    with pytest.raises(errors.UsageError, match="cannot be drawn"):
        ckptkit.load(path).predict(agent.observations(1), deterministic=False)


def test_predict_leaves_the_mode_as_it_was(tmp_path: Path) -> None:
    agent = Agent("CrossQ", LARGE)
    _, path = saved(agent, tmp_path)
    module = ckptkit.load(path)
    assert not module.training
    module.train()
    module.actor.eval()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    modes = [part.training for part in module.modules()]
    module.predict(agent.observations(3))
    assert [part.training for part in module.modules()] == modes
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


def test_batch_renormalisation_updates_its_statistics_while_training(tmp_path: Path) -> None:
    agent = Agent("CrossQ", LARGE)
    model, path = saved(agent, tmp_path)
    module = ckptkit.load(path)
    x = torch.as_tensor(agent.observations(16))
    module.train()(x)
    model.policy.actor.train()
    model.policy.actor.get_action_dist_params(x)
    ours, theirs = module.state_dict(), model.policy.state_dict()
    names = [name for name in ours if name.startswith("actor.") and "ra_" in name]
    assert names
    for name in names:
        torch.testing.assert_close(ours[name], theirs[name], **CLOSE)


def other_types(path: Path, target: Path, dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """Write the agent at `path` anew with its floating tensors of another type."""
    import zipfile

    from tests.readers.sb3_models import members, write

    found = members(path)
    state = torch.load(io.BytesIO(found["policy.pth"]), weights_only=True)
    state = type(state)((n, v.to(dtype) if v.is_floating_point() else v) for n, v in state.items())
    buffer = io.BytesIO()
    torch.save(state, buffer)
    found["policy.pth"] = buffer.getvalue()
    write(target, found, zipfile.ZIP_DEFLATED)
    return state


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize(
    "agent",
    [
        Agent("PPO", arguments=SMALL),
        Agent("RecurrentPPO", policy="MlpLstmPolicy", arguments=SMALL, network={"lstm_hidden_size": 6}),
        Agent("CrossQ", LARGE),
    ],
    ids=str,
)
def test_other_floating_types_are_kept_and_computed_with(
    agent: Agent, dtype: torch.dtype, tmp_path: Path
) -> None:
    model, path = saved(agent, tmp_path)
    state = other_types(path, tmp_path / "other.zip", dtype)
    module = ckptkit.load(tmp_path / "other.zip")
    assert same_state(module.state_dict(), state)
    model.policy.load_state_dict({name: value.float() for name, value in state.items()})
    observations = agent.observations(7)
    wanted, _ = model.predict(observations, deterministic=True)
    np.testing.assert_allclose(module.predict(observations)[0], wanted, **CLOSE)
    outputs = module.train()(torch.as_tensor(observations))
    sum(value.sum() for value in outputs.values() if value.requires_grad).backward()
    graded = [parameter for parameter in module.parameters() if parameter.grad is not None]
    assert graded
    assert all(parameter.grad.dtype == parameter.dtype == dtype for parameter in graded)


def test_a_module_turned_double_computes_in_double(tmp_path: Path) -> None:
    agent = Agent("PPO", arguments=SMALL)
    model, path = saved(agent, tmp_path)
    module = ckptkit.load(path).double()
    x = torch.as_tensor(agent.observations(4)).double()
    assert module(x)["logits"].dtype == torch.float64
    np.testing.assert_array_equal(
        module.predict(agent.observations(4))[0], model.predict(agent.observations(4), deterministic=True)[0]
    )


def test_the_device_argument_is_obeyed(tmp_path: Path) -> None:
    _, path = saved(Agent("PPO", arguments=SMALL), tmp_path)
    module = ckptkit.load(path, device=torch.device("meta"))
    assert {value.device.type for value in module.state_dict().values()} == {"meta"}


def test_the_repr_says_what_goes_in_and_out(tmp_path: Path) -> None:
    _, path = saved(Agent("PPO", arguments=SMALL), tmp_path)
    text = repr(ckptkit.load(path))
    for word in ("obs F32[batch, 5]", "action, logits", "(action_net): Linear(in_features=6", "(1): Tanh()"):
        assert word in text


def test_predict_refuses_what_does_not_fit(tmp_path: Path) -> None:
    _, path = saved(Agent("PPO", arguments=SMALL), tmp_path)
    module = ckptkit.load(path)
    x = np.zeros(5, np.float32)
    for arguments, message in (
        ((np.zeros((2, 4), np.float32),), r"shape \[2, 4\].*takes \[5\]"),
        (((x, {}),), "a tuple"),
        (({"other": x},), "no input 'obs.other'"),
        ((x, None, None, np.ones(3, bool)), "no action mask"),
    ):
        with pytest.raises(errors.UsageError, match=message):
            module.predict(*arguments)


def test_integers_are_not_cut_to_fit(tmp_path: Path) -> None:
    agent = Agent("DQN", observation=IMAGE, policy="CnnPolicy")
    _, path = saved(agent, tmp_path)
    module, images = ckptkit.load(path), agent.observations(2)
    np.testing.assert_array_equal(module.predict(images.astype(float))[0], module.predict(images)[0])
    with pytest.raises(errors.UsageError, match="uint8 cannot"):
        module.predict(images / 255.0)


def test_a_damaged_bundle_is_refused(tmp_path: Path) -> None:
    _, path = saved(Agent("PPO", arguments=SMALL), tmp_path)
    bundle = tmp_path / "bundle"
    ckptkit.convert(path, "deploy", bundle)
    weights = bundle / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    with pytest.raises(errors.IntegrityError, match="differs from its digest"):
        ckptkit.load(bundle)


def test_a_manifest_that_was_edited_is_refused(tmp_path: Path) -> None:
    _, path = saved(Agent("PPO", arguments=SMALL), tmp_path)
    bundle = tmp_path / "bundle"
    ckptkit.convert(path, "deploy", bundle)
    manifest = bundle / "ckpt.json"
    manifest.write_text(manifest.read_text().replace('"Tanh"', '"ReLU"'))
    with pytest.raises(errors.IntegrityError, match="CK309"):
        ckptkit.load(bundle)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"action_net"', '"other"', r"tensor other\.weight: Linear needs it"),
        ('"in_features": 8', '"in_features": 9', "takes 9 features"),
        ('"out_features": 6', '"out_features": 1000000000', "takes 6 features|more than"),
        ('"type": "Tanh"', '"type": "Thanh"', "CK|Thanh"),
    ],
)
def test_a_graph_that_its_tensors_do_not_fit_is_refused(
    old: str, new: str, message: str, tmp_path: Path
) -> None:
    from ckptkit.model.manifest import digest_line

    _, path = saved(Agent("PPO", arguments=SMALL), tmp_path)
    bundle = tmp_path / "bundle"
    ckptkit.convert(path, "deploy", bundle)
    manifest = bundle / "ckpt.json"
    changed = manifest.read_text().replace(old, new)
    assert changed != manifest.read_text()
    manifest.write_text(changed)
    (bundle / "ckpt.json.sha256").write_bytes(digest_line(changed.encode()))
    with pytest.raises((errors.ArchitectureError, errors.ManifestError), match=message):
        ckptkit.load(bundle)


def test_damaged_weights_of_a_legacy_file_are_refused(tmp_path: Path) -> None:
    from tests.readers.sb3_models import members, write

    _, path = saved(Agent("PPO", arguments=SMALL), tmp_path)
    write(path, members(path))  # stored, so that a changed byte is a changed weight
    data = path.read_bytes()
    weights = max((tensor.tobytes() for tensor in ckptkit.read(path).tensors.values()), key=len)
    at = data.index(weights) + len(weights) // 2
    path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    with pytest.raises(errors.CkptkitError, match=r"CRC|checksum|crc"):
        ckptkit.load(path)


def test_an_unknown_architecture_says_which_question_is_open(tmp_path: Path) -> None:
    torch.save({"a.weight": torch.ones(2, 3)}, tmp_path / "state.pth")
    with pytest.raises(errors.ArchitectureError, match=r"not known.*input_shape= or assume="):
        ckptkit.load(tmp_path / "state.pth")
    ckptkit.convert(tmp_path / "state.pth", "deploy", tmp_path / "bundle")
    with pytest.raises(errors.ArchitectureError, match="not known"):
        ckptkit.load(tmp_path / "bundle")


def test_code_is_refused(tmp_path: Path) -> None:
    class Call:
        def __reduce__(self) -> Any:
            return (print, ("executed",))

    torch.save({"a.weight": torch.ones(2), "b": Call()}, tmp_path / "state.pth")
    with pytest.raises(errors.UnsafeCheckpointError):
        ckptkit.load(tmp_path / "state.pth")


def test_without_torch_the_error_is_an_install_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ckptkit.model import extras

    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    with pytest.raises(errors.MissingExtraError, match=r"pip install 'ckptkit\[torch\]'"):
        ckptkit.load(tmp_path)
    assert "torch" in sys.modules


@pytest.mark.corpus
def test_every_agent_of_the_corpus_loads_and_acts_like_sb3() -> None:
    import zipfile

    from tests.corpus import corpus_root

    root = (corpus_root() or Path()) / "sb3_agents"
    sources = sorted((root / "files").rglob("*.zip"))
    assert len(sources) == 51
    for path in sources:
        module = ckptkit.load(path)
        assert isinstance(module, GraphModule)
        with zipfile.ZipFile(path) as archive:
            raw = io.BytesIO(archive.read("policy.pth"))
        assert same_state(module.state_dict(), torch.load(raw, weights_only=True, map_location="cpu"))
        name = str(path.relative_to(root / "files"))[:-4].replace("/", "__")
        expected = dict(np.load(root / "expected" / f"{name}.npz"))
        parts = {key[4:]: value for key, value in expected.items() if key.startswith("obs.")}
        actions, _ = module.predict(parts or expected["obs"])
        np.testing.assert_allclose(actions.reshape(expected["action"].shape), expected["action"], **CLOSE)
