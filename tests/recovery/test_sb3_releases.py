"""What older releases of SB3 wrote and computed otherwise, against the same network in torch."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from ckptkit.model.recovered import Status
from tests.readers.sb3_models import read
from tests.recovery import sb3_oracle
from tests.recovery.comparing import compare, run_onnx, session
from tests.recovery.sb3_cases import HIGH, mlp
from tests.recovery.sb3_files import State, exchange, recovered, saved, state_of

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")
LOW = np.array([-1.0, -3.0], np.float32)
OBSERVATIONS = torch.as_tensor(np.random.default_rng(2).uniform(-1, 1, (6, 3)).astype(np.float32))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.zip"


def outputs(path: Path) -> dict[str, np.ndarray]:
    """Return what the network recovered from `path` gives for `OBSERVATIONS`."""
    checkpoint = read(path)
    return run_onnx(session(recovered(path), checkpoint), {"obs": OBSERVATIONS.numpy()})


def linear(state: State, name: str, x: torch.Tensor) -> torch.Tensor:
    return nn.functional.linear(x, state[f"{name}.weight"], state.get(f"{name}.bias"))


def layers(**sizes: tuple[int, int]) -> State:
    """Return the tensors of Linear layers; `_` in a name stands for a dot, `__` for `_`."""
    made = torch.Generator().manual_seed(1)
    state = {}
    for name, (rows, columns) in sizes.items():
        place = name.replace("__", "-").replace("_", ".").replace("-", "_")
        state[f"{place}.weight"] = torch.randn(rows, columns, generator=made) / columns**0.5
        state[f"{place}.bias"] = torch.randn(rows, generator=made) * 0.3
    return state


@pytest.mark.parametrize("observation", ["image", "pictures", "box"])
def test_before_1_7_an_actor_critic_has_one_extractor(path: Path, observation: str) -> None:
    model = saved(path, observation=observation)
    kept = {name: v for name, v in state_of(path).items() if not name.startswith(("pi_", "vf_"))}
    assert observation == "box" or len(kept) < len(state_of(path))
    exchange(path, kept, version="1.5.0")
    feed = sb3_oracle.observations(model)
    wanted = sb3_oracle.expected(mlp("PPO", observation, "discrete"), model, feed)
    compare(run_onnx(session(recovered(path), read(path)), feed), wanted)


def test_before_1_8_policy_and_value_share_layers(path: Path) -> None:
    saved(path)
    state = layers(
        mlp__extractor_shared__net_0=(6, 3),
        mlp__extractor_shared__net_2=(5, 6),
        mlp__extractor_policy__net_0=(4, 5),
        action__net=(3, 4),
        value__net=(1, 5),
    )
    arch = [6, 5, {"pi": [4]}]
    exchange(path, state, version="1.6.2", policy_kwargs={"net_arch": arch})
    shared = linear(state, "mlp_extractor.shared_net.0", OBSERVATIONS).tanh()
    shared = linear(state, "mlp_extractor.shared_net.2", shared).tanh()
    policy = linear(state, "mlp_extractor.policy_net.0", shared).tanh()
    logits = linear(state, "action_net", policy).log_softmax(1)
    wanted = {"logits": logits, "action": logits.argmax(1), "value": linear(state, "value_net", shared)}
    compare(outputs(path), {name: value.numpy() for name, value in wanted.items()})
    assert recovered(path).config["net_arch"].value == [6, 5, {"pi": [4], "vf": []}]


def test_a_list_of_widths_shared_all_layers_before_1_8(path: Path) -> None:
    saved(path)
    state = layers(mlp__extractor_shared__net_0=(6, 3), action__net=(3, 6), value__net=(1, 6))
    exchange(path, state, version="1.0", policy_kwargs={"net_arch": [6]})
    shared = linear(state, "mlp_extractor.shared_net.0", OBSERVATIONS).tanh()
    compare(outputs(path), {"value": linear(state, "value_net", shared).numpy()})


def test_features_of_exploration_change_no_mean(path: Path) -> None:
    """`sde_net_arch`, until 1.7: a network that only the noise goes through."""
    model = saved(path, action="uneven_box", use_sde=True)
    state = state_of(path) | layers(sde__features__extractor_0=(7, 3)) | {"log_std": torch.zeros(7, 2)}
    given = {"net_arch": [8, 8], "sde_net_arch": [7]}
    exchange(path, state, version="1.6.2", policy_kwargs=given)
    action, _ = model.predict(OBSERVATIONS.numpy(), deterministic=True)
    compare(outputs(path), {"action": action})


def test_features_of_exploration_of_sac_change_no_mean(path: Path) -> None:
    model = saved(path, "SAC", action="uneven_box", use_sde=True)
    state = state_of(path) | layers(actor_sde__features__extractor_0=(7, 3))
    state["actor.log_std"] = torch.zeros(7, 2)
    exchange(path, state, version="1.6.2")
    action, _ = model.predict(OBSERVATIONS.numpy(), deterministic=True)
    compare(outputs(path), {"action": action})


def test_squashing_without_exploration_unscales_without_a_tanh(path: Path) -> None:
    """Releases up to 2.0 took `squash_output` without gSDE; the mean of its Gaussian has no tanh."""
    model = saved(path, action="uneven_box")
    given = {"net_arch": [8, 8], "squash_output": True}
    exchange(path, version="1.3.0", policy_kwargs=given)
    mean = outputs(path)["mean_actions"]
    plain, _ = model.predict(OBSERVATIONS.numpy(), deterministic=True)
    np.testing.assert_allclose(np.clip(mean, LOW, HIGH), plain, atol=1e-5)
    compare(outputs(path), {"action": LOW + 0.5 * (mean + 1) * (HIGH - LOW)})


def test_a_linear_ars_policy_before_1_7(path: Path) -> None:
    model = saved(path, "ARS", action="uneven_box", net_arch=[])
    data = {"policy_kwargs": {}}
    saved_linear = path.with_name("linear.zip")
    make_linear(saved_linear)
    state = {"action_net.weight": state_of(path)["action_net.0.weight"]}
    exchange(saved_linear, state, version="1.5.1a8", **data)
    mean = OBSERVATIONS @ state["action_net.weight"].T
    compare(outputs(saved_linear), {"action": mean.numpy().clip(LOW, HIGH)})
    assert recovered(saved_linear).config["with_bias"].value is False
    assert model.policy.squash_output


def make_linear(path: Path) -> None:
    from tests.recovery.sb3_cases import Case

    sb3_oracle.make(Case("ARS", "LinearPolicy", "box", "uneven_box")).save(path)


@pytest.mark.parametrize(("version", "tanh"), [("1.6.2", True), ("1.7.0", False), ("2.9.2", False)])
def test_an_unsquashed_ars_policy_still_ended_in_a_tanh_before_1_7(
    path: Path, version: str, tanh: bool
) -> None:
    saved(path, "ARS", action="uneven_box", net_arch=[4], squash_output=False)
    exchange(path, version=version)
    state = state_of(path)
    mean = linear(state, "action_net.2", linear(state, "action_net.0", OBSERVATIONS).relu())
    action = (mean.tanh() if tanh else mean).numpy().clip(LOW, HIGH)
    compare(outputs(path), {"action": action, "mean_actions": mean.numpy()})


def test_an_unsquashed_ars_policy_of_no_stated_release_is_a_question(path: Path) -> None:
    saved(path, "ARS", action="uneven_box", net_arch=[4], squash_output=False)
    assert recovered(exchange(path, version="")).graph is None


@pytest.mark.parametrize("version", ["0.10.0", "1.0rc0", "1.3.1a9", "1.6.2", "2.0.0", "2.9.2", ""])
def test_defaults_that_never_changed_need_no_release(path: Path, version: str) -> None:
    saved(path, "SAC", action="box")
    found = recovered(exchange(path, version=version))
    assert found.graph is not None
    assert found.config["activation_fn"].value == "ReLU"
    assert found.config["activation_fn"].status is Status.ASSUMED
