"""The pickles inside an SB3 zip that we write, and the files beside it."""

import base64
import json
import pickle
import pickletools
import shutil
import sys
import types
from dataclasses import replace
from pathlib import Path

import dill
import numpy as np
import pytest
from gymnasium import spaces
from stable_baselines3.common.torch_layers import FlattenExtractor
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

from ckptkit import api
from ckptkit.errors import NotExportableError, TargetExistsError, UsageError
from ckptkit.model.finding import Verdict
from ckptkit.model.inert import ClassRef, NdArray
from ckptkit.model.spaces import describe
from ckptkit.storage import pickles
from ckptkit.writers.sb3 import WRITER
from ckptkit.writers.sb3 import spaces as space_form
from ckptkit.writers.sb3.object_pickle import Made, dumps
from tests.corpus import CHECKOUT
from tests.readers.sb3_models import Env, read
from tests.writers.sb3_agents import MAKERS, algorithm, load, make, pickles_of, same_predictions

pytestmark = pytest.mark.filterwarnings("ignore:.*render_mode")
FIXTURES = CHECKOUT / "fixtures" / "sb3"
NAMES = (
    *("gymnasium.spaces.box Box", "gymnasium.spaces.discrete Discrete", "gymnasium.spaces.dict Dict"),
    *("gymnasium.spaces.multi_discrete MultiDiscrete", "gymnasium.spaces.multi_binary MultiBinary"),
    *("numpy dtype", "numpy ndarray", "numpy float32"),
    *("numpy._core.multiarray _reconstruct", "numpy._core.multiarray scalar"),
    *(f"stable_baselines3.common.utils {kind}Schedule" for kind in ("Float", "Constant", "Linear")),
    *(f"stable_baselines3.common.type_aliases {name}" for name in ("TrainFreq", "TrainFrequencyUnit")),
    *("stable_baselines3.common.noise NormalActionNoise", "collections deque"),
    *(f"stable_baselines3.common.buffers {name}" for name in ("ReplayBuffer", "RolloutBuffer")),
    "sb3_contrib.common.maskable.buffers MaskableRolloutBuffer",
    *("torch.optim.adam Adam", "torch.optim.rmsprop RMSprop", "torch.nn.modules.activation ELU"),
)
"""Every global that a pickle in `data` may hold here, beside the policies' classes."""

SPACES = {
    "uneven box": spaces.Box(np.array([-1.5, -np.inf, 0.1], "f4"), np.array([0.1, np.inf, 7], "f4")),
    "image": spaces.Box(0, 255, (2, 3, 4), np.uint8),
    "float64": spaces.Box(-0.1, np.array([[0.3, 1e300]]), dtype=np.float64),
    "integers": spaces.Box(-5, 9, (2,), np.int16),
    "scalar": spaces.Box(-1.0, 1.0, ()),
    "discrete": spaces.Discrete(5, start=-2),
    "multi-discrete": spaces.MultiDiscrete([2, 3, 4]),
    "multi-discrete grid": spaces.MultiDiscrete([[2, 3], [4, 5]], start=[[0, 1], [2, 3]]),
    "multi-binary": spaces.MultiBinary(7),
    "multi-binary grid": spaces.MultiBinary((2, 3)),
    "dict": spaces.Dict({"z": spaces.Discrete(2), "a": spaces.Box(0.0, 1.0, (2,))}),
    "nested": spaces.Dict({"outer": spaces.Dict({"inner": spaces.MultiBinary(2)})}),
}


def names_in(data: bytes) -> set[str]:
    return {str(argument) for opcode, argument, _ in pickletools.genops(data) if opcode.name == "GLOBAL"}


def assert_inert(data: bytes, *more: str) -> None:
    """Our own machine takes it as data, every opcode is one that we write, every name is listed."""
    assert pickles.load(data, where="here").verdict is Verdict.DATA_ONLY
    opcodes = {opcode.name for opcode, _, _ in pickletools.genops(data)}
    assert not opcodes & {"STACK_GLOBAL", "INST", "OBJ", "EXT1", "EXT2", "EXT4", "PERSID", "BINPERSID"}
    assert names_in(data) <= {*NAMES, *more}


@pytest.mark.parametrize("case", SPACES)
def test_spaces_are_gymnasiums_own(case) -> None:
    space = SPACES[case]
    inert = pickles.load(pickle.dumps(space), where="here").root
    described, notes = describe(inert)
    assert not notes
    data = dumps(space_form.space(described, "observation space"))
    found = pickle.loads(data)
    assert found == space
    assert repr(found) == repr(space)
    assert vars(found).keys() == vars(space).keys()
    assert found.dtype == space.dtype
    assert found.shape == space.shape
    assert space.contains(found.sample())
    assert_inert(data)


@pytest.mark.parametrize("described", [None, {"type": "unknown", "class": "mine.Space"}, {"type": "Text"}])
def test_spaces_without_a_form_are_refused(described) -> None:
    with pytest.raises(NotExportableError, match=r"the action space is .* no exact form"):
        space_form.space(described, "action space")


@pytest.mark.parametrize("name", MAKERS)
def test_the_pickles_of_an_agent_hold_listed_names_alone(name, tmp_path: Path) -> None:
    make(name).save(tmp_path / "model.zip")
    api.convert(tmp_path / "model.zip", "sb3", tmp_path / "out.zip")
    found = pickles_of(tmp_path / "out.zip")
    policy = algorithm(name)(
        "MlpLstmPolicy" if name == "RecurrentPPO" else "MlpPolicy", None, _init_setup_model=False
    )
    cls = policy.policy_class
    assert {"observation_space", "action_space", "policy_class", "lr_schedule"} <= found.keys()
    for data in found.values():
        assert_inert(data, f"{cls.__module__} {cls.__qualname__}")


def test_only_listed_objects_are_ever_made() -> None:
    for cls in (ClassRef("os", "system"), ClassRef("builtins", "eval"), ClassRef("mine", "Extractor")):
        with pytest.raises(TypeError, match="is not made by any pickle"):
            dumps(Made(cls, ("true",), call=True))
    with pytest.raises(TypeError, match="no form"):
        dumps({"key": object()})


EVIL = base64.b64encode(b"cos\nsystem\n(S'true'\ntR.").decode()
HOSTILE = {
    "a class of the system": {"activation_fn": ClassRef("os", "system")},
    "a function that runs text": {"features_extractor_class": ClassRef("builtins", "exec")},
    "opcodes in a name": {"activation_fn": ClassRef("torch.nn\nTanh\ncos\nsystem\n(S'true'\ntR0cx", "y")},
    "half a character": {"activation_fn": ClassRef("torch.nn", "\ud800")},
    "a set": {"net_arch": [4], "optimizer_kwargs": {"betas": {1, 2}}},
}


@pytest.mark.parametrize("case", HOSTILE)
def test_names_of_a_hostile_bundle_are_refused(case, tmp_path: Path) -> None:
    found = read(FIXTURES / "ppo" / "model.zip")
    hostile = replace(found, model_config={**found.model_config, "policy_kwargs": HOSTILE[case]})
    with pytest.raises(NotExportableError, match="data:policy_kwargs"):
        WRITER.write(hostile, tmp_path / "out" / "x.zip", False)
    assert not list(tmp_path.iterdir())


def test_text_that_looks_like_a_cell_is_no_cell(tmp_path: Path) -> None:
    found = read(FIXTURES / "ppo" / "model.zip")
    cell = {":type:": "<class 'dict'>", ":serialized:": EVIL}
    info = {
        **found.training_info,
        "data": {**found.training_info["data"], "mine": cell, "rollout_buffer_kwargs": cell},
    }
    WRITER.write(replace(found, training_info=info), tmp_path / "x.zip", False)
    for data in pickles_of(tmp_path / "x.zip").values():
        assert_inert(data, "stable_baselines3.common.policies ActorCriticPolicy")
    assert pickle.loads(pickles_of(tmp_path / "x.zip")["mine"]) == cell


@pytest.mark.parametrize(
    "space",
    [
        {"type": "Box", "shape": [10**9, 10**9], "dtype": "float32", "low": 0, "high": 1},
        {"type": "Box", "shape": [2], "dtype": "float32", "low": [0.0], "high": 1},
        {"type": "Box", "shape": [2], "dtype": "object", "low": 0.0, "high": 1},
        {"type": "Box"},
        {"type": "Discrete", "n": 2**80},
        {"type": "MultiDiscrete", "nvec": [2, 3], "shape": [5]},
    ],
)
def test_spaces_that_contradict_themselves_are_refused(space) -> None:
    with pytest.raises(NotExportableError, match="the observation space is not understood"):
        space_form.space(space, "observation space")


def test_arrays_and_scalars_are_numpys_own() -> None:
    for value in (np.arange(6, dtype="<i8").reshape(2, 3), np.array([True, False]), np.float32([0.1])):
        code = value.dtype.str
        found = pickle.loads(dumps(NdArray(code, value.shape, value.tobytes())))
        assert found.dtype == value.dtype
        assert np.array_equal(found, value)


def test_statistics_open_with_todays_class(tmp_path: Path) -> None:
    api.convert(FIXTURES / "vecnormalize" / "agent.zip", "deploy", tmp_path / "bundle")
    for source in (FIXTURES / "vecnormalize" / "agent.zip", tmp_path / "bundle"):
        done = api.convert(source, "sb3", tmp_path / "new" / "agent.zip", force=True)
        path = tmp_path / "new" / "agent" / "vecnormalize.pkl"
        assert [file[0] for file in done.written.files] == ["agent.zip", "agent/vecnormalize.pkl"]
        agent = load("A2C", tmp_path / "new" / "agent.zip")

        def env(agent=agent):
            return DummyVecEnv([lambda: Env(agent.observation_space, agent.action_space)])

        one = VecNormalize.load(FIXTURES / "vecnormalize" / "agent" / "vecnormalize.pkl", env())
        two = VecNormalize.load(path, env())
        obs = np.array([[0.5, 3.0], [-1e9, 0.0]], np.float32)
        assert np.array_equal(one.normalize_obs(obs), two.normalize_obs(obs))
        assert one.normalize_reward(np.array([2.0])) == two.normalize_reward(np.array([2.0]))
        assert vars(one).keys() == vars(two).keys()
        two.reset()
        agent.set_env(two)
        agent.learn(10)
        assert api.inspect(tmp_path / "new" / "agent.zip").preprocessing
        running = ("VecNormalize", "RunningMeanStd")
        modules = (
            "stable_baselines3.common.vec_env.vec_normalize",
            "stable_baselines3.common.running_mean_std",
        )
        original = (tmp_path / "new" / "agent" / "vecnormalize.pkl").read_bytes()
        assert_inert(original, *map(" ".join, zip(modules, running, strict=True)))


def test_statistics_of_parts(tmp_path: Path) -> None:
    parts = spaces.Dict({"a": spaces.Box(-9.0, 9.0, (2,)), "b": spaces.Box(-9.0, 9.0, (1,))})
    model = make("PPO", parts, "MultiInputPolicy")

    def env():
        return DummyVecEnv([lambda: Env(parts, model.action_space)])

    one = VecNormalize(env(), norm_obs_keys=["a"])
    one.obs_rms["a"].mean = np.array([3.0, 4.0])
    model.save(tmp_path / "model.zip")
    (tmp_path / "model").mkdir()
    one.save(tmp_path / "model" / "vecnormalize.pkl")
    api.convert(tmp_path / "model.zip", "sb3", tmp_path / "out" / "x.zip")
    two = VecNormalize.load(tmp_path / "out" / "x" / "vecnormalize.pkl", env())
    obs = {"a": np.ones((1, 2), "f4"), "b": np.ones((1, 1), "f4")}
    left, right = one.normalize_obs(obs), two.normalize_obs(obs)
    assert all(np.array_equal(left[key], right[key]) for key in obs)
    assert two.norm_obs_keys == ["a"]
    assert two.obs_spaces == one.obs_spaces


@pytest.fixture
def snake(monkeypatch: pytest.MonkeyPatch):
    """Make the module importable that the fixture names."""

    class LinearQNet(FlattenExtractor):
        def __init__(self, space, features_dim=64, n_layers=3):
            import torch

            super().__init__(space)
            width = self._features_dim
            layers = []
            for _ in range(n_layers):
                layers += [torch.nn.Linear(width, features_dim), torch.nn.ReLU()]
                width = features_dim
            self.linear = torch.nn.Sequential(*layers)
            self._features_dim = features_dim

        def forward(self, observations):
            return self.linear(observations)

    for name in ("rl_snake", "rl_snake.agents", "rl_snake.agents.feature_extractor"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    module = sys.modules["rl_snake.agents.feature_extractor"]
    LinearQNet.__module__, LinearQNet.__qualname__ = module.__name__, "LinearQNet"
    module.LinearQNet = LinearQNet
    return LinearQNet


@pytest.mark.parametrize("kind", ["extractor_by_reference", "extractor_by_value"])
def test_a_directory_keeps_its_sidecars(kind, tmp_path: Path, snake) -> None:
    source = FIXTURES / kind / f"PPO_{kind}"
    done = api.convert(source, "sb3", tmp_path / "New")
    assert done.written.files[0][0] == "New.zip"
    for name in ("feature_extractor.dill", "feature_extractor_kwargs.json"):
        assert (tmp_path / "New" / name).read_bytes() == (source / name).read_bytes()
    found = load("PPO", tmp_path / "New" / "New.zip")
    assert found.policy_kwargs["features_extractor_class"] is snake
    assert found.policy_kwargs["features_extractor_kwargs"] == {"features_dim": 4, "n_layers": 2}
    (note,) = [note for note in done.notes if note.kind == "needs-package"]
    assert "the package 'rl_snake' must be importable" in note.message
    assert api.inspect(tmp_path / "New").format == "sb3-directory"
    for data in pickles_of(tmp_path / "New" / "New.zip").values():
        names = (
            "rl_snake.agents.feature_extractor LinearQNet",
            "stable_baselines3.common.policies ActorCriticPolicy",
        )
        assert_inert(data, *names)


def test_a_class_of_the_main_script_has_to_be_defined_there(tmp_path: Path) -> None:
    found = read(FIXTURES / "ppo" / "model.zip")
    kwargs = {"net_arch": [4], "features_extractor_class": ClassRef("__main__", "Net")}
    own = replace(found, model_config={**found.model_config, "policy_kwargs": kwargs})
    (note,) = [note for note in WRITER.alters(own, tmp_path / "x.zip").notes if note.kind == "needs-package"]
    assert "the script that loads it must define Net itself" in note.message


def test_sidecars_stand_beside_a_zip(tmp_path: Path) -> None:
    kind = "extractor_by_value"
    source = FIXTURES / kind / f"PPO_{kind}"
    api.convert(source, "sb3", tmp_path / "Any" / "Any.zip")
    assert sorted(path.name for path in (tmp_path / "Any").iterdir()) == [
        "Any.zip",
        "feature_extractor.dill",
        "feature_extractor_kwargs.json",
    ]


@pytest.mark.parametrize("kind", ["extractor_by_reference", "extractor_by_value"])
def test_a_bundle_gives_back_what_it_knows_of_the_sidecars(kind, tmp_path: Path, snake) -> None:
    api.convert(FIXTURES / kind / f"PPO_{kind}", "v2", tmp_path / "bundle.pt")
    done = api.convert(tmp_path / "bundle.pt", "sb3", tmp_path / "New")
    kwargs = json.loads((tmp_path / "New" / "feature_extractor_kwargs.json").read_text())
    assert kwargs == {"features_dim": 4, "n_layers": 2}
    pickled = tmp_path / "New" / "feature_extractor.dill"
    if kind.endswith("value"):
        assert not pickled.exists()
        assert "feature_extractor.dill" in [entry.path for entry in done.dropped]
        return
    assert dill.loads(pickled.read_bytes()) is snake
    assert_inert(pickled.read_bytes(), "rl_snake.agents.feature_extractor LinearQNet")
    original = load("PPO", FIXTURES / kind / f"PPO_{kind}" / f"PPO_{kind}.zip")
    assert same_predictions(original, load("PPO", tmp_path / "New" / "New.zip"))


def test_only_an_export_is_replaced(tmp_path: Path) -> None:
    source = FIXTURES / "extractor_by_reference" / "PPO_extractor_by_reference"
    api.convert(source, "sb3", tmp_path / "New")
    with pytest.raises(TargetExistsError):
        api.convert(source, "sb3", tmp_path / "New")
    api.convert(source, "sb3", tmp_path / "New", force=True)
    (tmp_path / "New" / "thesis.tex").write_text("years of work")
    with pytest.raises(TargetExistsError, match=r"holds thesis\.tex"):
        api.convert(source, "sb3", tmp_path / "New", force=True)


@pytest.mark.parametrize(("force", "dry_run"), [(False, False), (True, False), (True, True)])
@pytest.mark.parametrize("stray", ["made/vecnormalize.pkl", "feature_extractor.dill"])
def test_no_agent_gets_the_files_of_another(tmp_path: Path, stray: str, force: bool, dry_run: bool) -> None:
    """Stable-Baselines3 statistics and RL-Snake's sidecars go by their place alone."""
    target = tmp_path / "made" / "made.zip"
    (target.parent / stray).parent.mkdir(parents=True)
    (target.parent / stray).write_bytes(b"of another")
    with pytest.raises(TargetExistsError, match=r"would be taken for a part of made\.zip") as caught:
        api.convert(FIXTURES / "ppo" / "model.zip", "sb3", target, force=force, dry_run=dry_run)
    assert caught.value.where == str(target.parent / stray)
    assert not target.exists()
    api.convert(FIXTURES / "ppo" / "model.zip", "sb3", target.with_name("other.zip"))


def test_a_source_is_never_written_over(tmp_path: Path) -> None:
    kind = "extractor_by_value"
    shutil.copytree(FIXTURES / kind / f"PPO_{kind}", tmp_path / f"PPO_{kind}")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    for target in (f"PPO_{kind}/new.zip", f"PPO_{kind}/PPO_{kind}.zip", f"PPO_{kind}"):
        with pytest.raises(UsageError, match="the source"):
            api.convert(tmp_path / f"PPO_{kind}", "sb3", tmp_path / target, force=True)
    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
