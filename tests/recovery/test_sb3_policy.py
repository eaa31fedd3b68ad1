"""Policies of which only the state dict is left: fields, questions, and outputs beside SB3's own."""

import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from gymnasium import spaces

from ckptkit import api, recovery
from ckptkit.graph import torch_module
from ckptkit.graph.torch_tensors import state_dict
from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.recovered import Field, Hints, Recovered, Status
from tests.recovery import sb3_cases, sb3_oracle
from tests.recovery.comparing import compare, run_onnx, run_torch, session
from tests.recovery.sb3_cases import ACTIONS, Case, mlp
from tests.recovery.seed_models import save

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")

DEFAULTS = ("stable-baselines3",)
BOXES = ("box", "uneven_box", "matrix_box")
GRID = [
    case
    for case in sb3_cases.cases()
    if not {"activation_fn", "normalize_images", "clip_mean", "batch_norm_eps"} & case.kwargs.keys()
]
"""Cases whose policies are made with the defaults that no tensor tells."""
assert len(GRID) > 150


def left(case: Case, path: Path) -> tuple[Any, Checkpoint]:
    """Make the model of a case, and keep nothing but its state dict."""
    model = sb3_oracle.make(case)
    return model, save(model.policy.state_dict(), path / "policy.pth")


def hints(model: Any, *assume: str) -> Hints:
    """Return the word of a user who knows which images the agent saw."""
    space = model.observation_space
    image = isinstance(space, spaces.Box) and model.policy.features_extractor_class.__name__ == "NatureCNN"
    return Hints(space.shape if image else None, assume or DEFAULTS)


def raw_heads(case: Case, model: Any, observation: Any) -> dict[str, np.ndarray]:
    """Return what SB3's modules give where nothing says the action space."""
    policy, obs = model.policy, model.policy.obs_to_tensor(observation)[0]
    policy.set_training_mode(False)
    with torch.no_grad():
        match case.algorithm:
            case "TD3" | "DDPG":
                return {"mean_actions": policy.actor(obs).numpy()}
            case "PPO" | "A2C" | "TRPO" | "MaskablePPO":
                found = policy.extract_features(obs)
                found = found if policy.share_features_extractor else found[0]
                head = policy.action_net(policy.mlp_extractor.forward_actor(found)).numpy()
                name = "mean_actions" if case.action in BOXES else "logits"
                return {name: head, "value": policy.predict_values(obs).numpy()}
            case _:
                heads = sb3_oracle.heads(case, model, obs, None)
                return {name: value.numpy() for name, value in heads.items()}


def among(value: object, field: Field) -> bool:
    """Whether a field is proven and right, or open with the truth in it."""
    if field.value == value:
        return True
    if field.status is Status.PROVEN:
        return False
    described = [other for other in field.alternatives if isinstance(other, dict)]
    return field.value is None or value in field.alternatives or any(fits(value, one) for one in described)


def fits(value: object, described: dict[str, Any]) -> bool:
    """Whether a space or a shape is one of those that an alternative describes."""
    if isinstance(value, list) and "product" in described:
        return int(np.prod(value)) == described["product"]
    if isinstance(value, list) and "height" in described:
        (low, high), (left_, right) = described["height"], described["width"]
        return value[0] == described["channels"] and low <= value[1] <= high and left_ <= value[2] <= right
    if not isinstance(value, dict) or value["type"] != described.get("type"):
        return False
    if "product" in described:
        return int(np.prod(value["shape"])) == described["product"]
    return "sum" in described and sum(value["nvec"]) == described["sum"]


def action_of(space: spaces.Space) -> dict[str, object]:
    """Return what a field says of an action space."""
    match space:
        case spaces.Discrete():
            return {"type": "Discrete", "n": int(space.n)}
        case spaces.MultiDiscrete():
            return {"type": "MultiDiscrete", "nvec": [int(n) for n in space.nvec]}
        case spaces.MultiBinary():
            return {"type": "MultiBinary", "shape": [space.n] if isinstance(space.n, int) else list(space.n)}
        case _:
            return {"type": "Box", "shape": list(space.shape)}


def truths(case: Case, model: Any) -> dict[str, object]:
    """Return what the model itself says of each field."""
    policy = model.policy
    found: dict[str, object] = {
        "algorithm": case.algorithm,
        "action_space": action_of(ACTIONS[case.action]),
        "activation_fn": getattr(policy, "activation_fn", torch.nn.ReLU).__name__,
    }
    if isinstance(model.observation_space, spaces.Box):
        found["input_shape"] = list(model.observation_space.shape)
    for name in ("share_features_extractor", "n_critics", "n_quantiles", "use_sde"):
        value = getattr(policy, name, getattr(model, name, None))
        if value is not None:
            found[name] = value
    if isinstance(policy.net_arch, list) and case.algorithm in ("DQN", "QRDQN", "ARS"):
        found["net_arch"] = policy.net_arch
    return found


@pytest.mark.parametrize("chosen", [GRID[start::16] for start in range(16)], ids=lambda _: "part")
def test_every_field_is_proven_and_right_or_has_the_truth_in_it(tmp_path: Path, chosen: list[Case]) -> None:
    for case in chosen:
        model, checkpoint = left(case, tmp_path)
        claims = [family.id for family in recovery.families() if family.claims(checkpoint)]
        assert claims == ["sb3-policy"], case.id
        for given in (Hints(), hints(model)):
            found = recovery.recover(checkpoint, given)
            assert found.unexplained == ()
            assert found.graph is not None or found.questions
            for name, value in truths(case, model).items():
                if name in found.config:
                    assert among(value, found.config[name]), (case.id, name, value, found.config[name])


COMPARED = [
    case
    for case in GRID
    if case.algorithm not in ("RecurrentPPO", "ARS", "QRDQN")
    and case.observation not in sb3_cases.DICTS
    and not (case.policy == "MlpPolicy" and case.observation in sb3_cases.IMAGES)
]


@pytest.mark.parametrize("chosen", [COMPARED[start::12] for start in range(12)], ids=lambda _: "part")
def test_raw_heads_are_those_of_sb3(tmp_path: Path, chosen: list[Case]) -> None:
    for case in chosen:
        model, checkpoint = left(case, tmp_path)
        feed = sb3_oracle.observations(model)
        given = hints(model)
        found = recovery.recover(checkpoint, given)
        assert found.graph is not None, (case.id, found.questions)
        wanted = raw_heads(case, model, sb3_oracle.sb3_observation(feed))
        assert wanted.keys() <= found.graph.outputs.keys()
        if given.input_shape is None:
            feed = flat(model, feed)
        compare(run_onnx(session(found, checkpoint), feed), wanted)


def flat(model: Any, feed: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return observations as the plain numbers that SB3's preprocessing makes of them."""
    from stable_baselines3.common.preprocessing import preprocess_obs

    obs = preprocess_obs(torch.as_tensor(feed["obs"]), model.observation_space, normalize_images=False)
    assert isinstance(obs, torch.Tensor)
    return {"obs": obs.flatten(1).float().numpy()}


@pytest.mark.parametrize(
    ("case", "assume"),
    [
        (mlp("PPO", "box", "discrete"), "discrete-actions"),
        (mlp("PPO", "box", "box"), "unit-actions"),
        (mlp("SAC", "box", "box"), "unit-actions"),
        (mlp("TD3", "box", "box"), "unit-actions"),
        (mlp("ARS", "box", "box", net_arch=[6]), "unit-actions"),
        (mlp("ARS", "box", "discrete", net_arch=[6]), "discrete-actions"),
        (mlp("DQN", "box", "discrete"), ""),
        (mlp("QRDQN", "box", "discrete"), ""),
    ],
    ids=lambda value: getattr(value, "id", value),
)
def test_actions_are_those_of_predict_where_somebody_says_the_space(
    tmp_path: Path, case: Case, assume: str
) -> None:
    model, checkpoint = left(case, tmp_path)
    found = recovery.recover(checkpoint, hints(model, *DEFAULTS, *([assume] if assume else [])))
    feed = sb3_oracle.observations(model)
    wanted = sb3_oracle.expected(case, model, feed)
    compare(run_onnx(session(found, checkpoint), feed), wanted)
    assert found.graph is not None
    module = torch_module.empty(found.graph, order=checkpoint.tensors)
    module.fill(state_dict(checkpoint.tensors, "cpu", digests=False))
    assert list(module.state_dict()) == list(model.policy.state_dict())
    compare(run_torch(module.eval(), feed), wanted)


def test_a_recurrent_policy_steps_as_sb3_does(tmp_path: Path) -> None:
    case = mlp("RecurrentPPO", "box", "discrete")
    model, checkpoint = left(case, tmp_path)
    found = recovery.recover(checkpoint, Hints(None, (*DEFAULTS, "discrete-actions")))
    for inputs, wanted in sb3_oracle.two_steps(case, model, sb3_oracle.observations(model)):
        compare(run_onnx(session(found, checkpoint), inputs), wanted)


def wrapped(state: dict[str, torch.Tensor], form: str, path: Path) -> Checkpoint:
    """Write a state dict as one of the forms in which it outlives its zip."""
    prefixed = {"_orig_mod.": "_orig_mod.", "policy.": "policy.", "module.": "module."}.get(form)
    if prefixed:
        return save({f"{prefixed}{name}": value for name, value in state.items()}, path / "weights.pt")
    if form == "dict":
        return save({"policy_state_dict": state, "optimizer": {"lr": 0.1}, "epoch": 3}, path / "run.pt")
    if form == "safetensors":
        copies = {name: value.clone() for name, value in state.items()}
        safetensors.torch.save_file(copies, path / "weights.safetensors")
        return api.read(path / "weights.safetensors")
    if form == "half":
        return save({name: value.half() for name, value in state.items()}, path / "weights.pt")
    torch.save(state, path / "policy.pth")
    with zipfile.ZipFile(path / "agent.zip", "w") as archive:
        archive.write(path / "policy.pth", "policy.pth")
        archive.writestr("_stable_baselines3_version", "2.3.2")
    return api.read(path / "agent.zip")


@pytest.mark.parametrize("form", ["_orig_mod.", "policy.", "module.", "dict", "safetensors", "zip"])
@pytest.mark.parametrize("algorithm", ["PPO", "RecurrentPPO"])
def test_wrappers_change_nothing(tmp_path: Path, algorithm: str, form: str) -> None:
    case = mlp(algorithm, "box", "discrete")
    model = sb3_oracle.make(case)
    checkpoint = wrapped(model.policy.state_dict(), form, tmp_path)
    assert recovery.recover(checkpoint, Hints()).graph is None
    found = recovery.recover(checkpoint, Hints(None, (*DEFAULTS, "discrete-actions")))
    assert found.family == "sb3-policy"
    feed = sb3_oracle.observations(model)
    if algorithm == "PPO":
        compare(run_onnx(session(found, checkpoint), feed), sb3_oracle.expected(case, model, feed))
    else:
        inputs, wanted = sb3_oracle.two_steps(case, model, feed)[0]
        compare(run_onnx(session(found, checkpoint), inputs), wanted)


@pytest.mark.parametrize("form", ["safetensors", "half"])
@pytest.mark.parametrize(("algorithm", "share"), [("PPO", True), ("PPO", False), ("SAC", True)])
def test_equal_copies_leave_sharing_open(tmp_path: Path, algorithm: str, share: bool, form: str) -> None:
    action = "discrete" if algorithm == "PPO" else "box"
    small = {"features_extractor_kwargs": {"features_dim": 8}, "share_features_extractor": share}
    model = sb3_oracle.make(mlp(algorithm, "image", action, **small))
    checkpoint = wrapped(model.policy.state_dict(), form, tmp_path)
    found = recovery.recover(checkpoint, Hints((1, 36, 36), DEFAULTS))
    field = found.config["share_features_extractor"]
    assert field.value is share
    assert (field.status is Status.CONSTRAINED) is share
    assert found.graph is not None


def test_a_foreign_tensor_is_named_and_keeps_the_graph_from_being_made(tmp_path: Path) -> None:
    model = sb3_oracle.make(mlp("PPO", "box", "discrete"))
    state = {**model.policy.state_dict(), "aux_head.weight": torch.zeros(2, 8)}
    found = recovery.recover(save(state, tmp_path / "policy.pth"), Hints(None, DEFAULTS))
    assert (found.family, found.graph) == ("sb3-policy", None)
    assert found.unexplained == ("aux_head.weight",)
    assert any("what uses aux_head.weight?" in question for question in found.questions)


def test_an_extractor_of_the_users_own_is_a_question(tmp_path: Path) -> None:
    model = sb3_oracle.make(mlp("PPO", "image", "discrete"))
    state = {name.replace(".cnn.", ".net."): value for name, value in model.policy.state_dict().items()}
    found = recovery.recover(save(state, tmp_path / "policy.pth"), Hints((1, 36, 36), DEFAULTS))
    assert (found.family, found.graph) == ("sb3-policy", None)
    assert found.config["net_arch"].value == {"pi": [8, 8], "vf": [8, 8]}
    assert found.config["features_extractor_class"].status is Status.UNKNOWN
    assert any("class of the user's own" in question for question in found.questions)


def test_every_open_question_names_its_flag(tmp_path: Path) -> None:
    _, checkpoint = left(mlp("DQN", "image", "discrete"), tmp_path)
    found = recovery.recover(checkpoint, Hints())
    assert found.graph is None
    assert "--assume stable-baselines3" in found.questions[0]
    assert "--input-shape 1,36,36" in found.questions[1]
    assert found.config["activation_fn"].status is Status.UNKNOWN
    wrong = recovery.recover(checkpoint, Hints((3, 36, 36), DEFAULTS))
    assert wrong.graph is None
    assert "--input-shape says 3,36,36, 1,36..43,36..43 fit its weights" in wrong.questions[0]


def test_quantiles_that_the_default_does_not_divide_are_a_question(tmp_path: Path) -> None:
    _, checkpoint = left(mlp("QRDQN", "box", "discrete", n_quantiles=7), tmp_path)
    found = recovery.recover(checkpoint, Hints(None, DEFAULTS))
    assert found.graph is None
    assert 7 in found.config["n_quantiles"].alternatives
    assert "its 21 rows are actions times quantiles" in found.questions[0]


def test_layers_shared_before_1_8_are_recovered(tmp_path: Path) -> None:
    model = sb3_oracle.make(mlp("PPO", "box", "discrete", net_arch={"pi": [4], "vf": [5]}))
    state = dict(model.policy.state_dict())
    for net, size in (("policy_net", 4), ("value_net", 5)):
        state[f"mlp_extractor.{net}.0.weight"] = torch.randn(size, 9)
    state |= {
        "mlp_extractor.shared_net.0.weight": torch.randn(9, 3),
        "mlp_extractor.shared_net.0.bias": torch.zeros(9),
    }
    found = recovery.recover(save(state, tmp_path / "policy.pth"), Hints(None, DEFAULTS))
    assert found.graph is not None
    assert found.config["net_arch"].value == [9, {"pi": [4], "vf": [5]}]
    assert found.config["observation_size"].value == 3


def test_the_slopes_of_prelu_prove_the_activation(tmp_path: Path) -> None:
    model, checkpoint = left(mlp("PPO", "box", "discrete", activation_fn=torch.nn.PReLU), tmp_path)
    found = recovery.recover(checkpoint, Hints(None, DEFAULTS))
    assert (found.config["activation_fn"].value, found.config["activation_fn"].status) == (
        "PReLU",
        Status.PROVEN,
    )
    feed = sb3_oracle.observations(model)
    wanted = raw_heads(mlp("PPO", "box", "discrete"), model, feed["obs"])
    compare(run_onnx(session(found, checkpoint), feed), wanted)


@pytest.mark.parametrize("form", ["--input-shape", "tetris"])
def test_the_tetris_network(tmp_path: Path, form: str) -> None:
    def net() -> torch.nn.Sequential:
        return torch.nn.Sequential(
            torch.nn.Linear(520, 16),
            torch.nn.ReLU(),
            torch.nn.Linear(16, 8),
            torch.nn.ReLU(),
            torch.nn.Linear(8, 40),
        )

    made, target = net(), net()
    state = {f"q_net.q_net.{name}": value for name, value in made.state_dict().items()}
    state |= {f"q_net_target.q_net.{name}": value for name, value in target.state_dict().items()}
    checkpoint = save(state, tmp_path / "policy.pth")
    given = Hints(None, ("tetris",)) if form == "tetris" else Hints((40, 13), DEFAULTS)
    bare = recovery.recover(checkpoint, Hints())
    assert bare.graph is None
    assert [40, 13] in bare.config["input_shape"].alternatives
    found = recovery.recover(checkpoint, given)
    assert found.config["input_shape"].value == [40, 13]
    assert (found.config["net_arch"].value, found.config["algorithm"].value) == ([16, 8], "DQN")
    x = np.random.default_rng(0).random((3, 40, 13), np.float32)
    with torch.no_grad():
        q = made(torch.from_numpy(x).flatten(1))
    wanted = {"q_values": q.numpy(), "action": q.argmax(1).numpy()}
    compare(run_onnx(session(found, checkpoint), {"obs": x}), wanted)
    wrong = recovery.recover(checkpoint, Hints((40, 14), DEFAULTS))
    assert wrong.graph is None
    assert "takes 520 numbers (give --input-shape 520)" in wrong.questions[0]


def test_a_named_policy_of_sb3_stays_with_its_own_family(tmp_path: Path) -> None:
    model = sb3_oracle.make(mlp("PPO", "box", "discrete"))
    model.save(tmp_path / "agent.zip")
    assert recovery.recover(api.read(tmp_path / "agent.zip"), Hints()).family == "stable-baselines3"


def test_recovered_is_a_pure_function_of_names_and_shapes(tmp_path: Path) -> None:
    _, checkpoint = left(mlp("TQC", "box", "box"), tmp_path)
    reordered = replace(checkpoint, tensors=dict(reversed(checkpoint.tensors.items())))
    first, second = (recovery.recover(one, Hints(None, DEFAULTS)) for one in (checkpoint, reordered))
    assert isinstance(first, Recovered)
    assert {n: f.value for n, f in first.config.items()} == {n: f.value for n, f in second.config.items()}
