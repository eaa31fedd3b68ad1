"""Schedules: what is said of one must be what it computes; what is not certain is not said."""

import types

import cloudpickle
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stable_baselines3.common import utils
from stable_baselines3.common.noise import NormalActionNoise, OrnsteinUhlenbeckActionNoise
from stable_baselines3.common.type_aliases import TrainFreq, TrainFrequencyUnit

from ckptkit.model.inert import ClassRef, Instance
from ckptkit.model.plain import plain
from ckptkit.storage import pickles
from ckptkit.storage.sb3.algorithm import algorithm
from ckptkit.storage.sb3.functions import function
from ckptkit.storage.sb3.schedules import schedule
from ckptkit.storage.sb3.values import unwrapped

SB3 = "stable_baselines3.common.utils"
ZOO = "rl_zoo3.utils"
OLD = """
def constant_fn(val):
    def func(_):
        return val
    return func

def get_linear_fn(start, end, end_fraction):
    def func(progress_remaining):
        if (1 - progress_remaining) > end_fraction:
            return end
        return start + (1 - progress_remaining) * (end - start) / end_fraction
    return func

def get_schedule_fn(value_schedule):
    if isinstance(value_schedule, float):
        value_schedule = constant_fn(value_schedule)
    return lambda progress_remaining: float(value_schedule(progress_remaining))

def linear_schedule(initial_value):
    def func(progress_remaining):
        return progress_remaining * initial_value
    return func
"""


def module(name, source=OLD):
    made = types.ModuleType(name)
    exec(compile(source, f"{name}.py", "exec"), made.__dict__)  # noqa: S102
    return made


def seen(value):
    return schedule(pickles.load(cloudpickle.dumps(value), where="data:lr_schedule").root)


def computed(observation, progress):
    """Compute what an observation promises, as `spec` defines the two kinds."""
    if observation["schedule"] == "constant":
        return observation["value"]
    start, end, fraction = (observation[key] for key in ("start", "end", "end_fraction"))
    if 1 - progress > fraction:
        return end
    return start + (1 - progress) * (end - start) / fraction


NUMBERS = st.floats(-10, 10)


@given(NUMBERS, NUMBERS, st.floats(0.01, 1), st.floats(0, 1))
def test_what_is_said_is_what_it_computes(first, second, fraction, progress):
    old = module(SB3)
    made = [
        old.constant_fn(first),
        old.get_linear_fn(first, second, fraction),
        old.get_schedule_fn(first),
        old.get_schedule_fn(old.get_linear_fn(first, second, fraction)),
        module(ZOO).linear_schedule(first),
        utils.FloatSchedule(first),
        utils.LinearSchedule(first, second, fraction),
        utils.FloatSchedule(utils.LinearSchedule(first, second, fraction)),
    ]
    for function_or_object in made:
        found = seen(function_or_object)
        assert computed(found.observation, progress) == pytest.approx(function_or_object(progress), abs=1e-12)


def test_only_functions_are_code():
    assert seen(module(SB3).constant_fn(0.5)).is_code
    assert not seen(utils.FloatSchedule(0.5)).is_code


def test_numpy_numbers_in_cells_are_exact():
    found = seen(module(SB3).constant_fn(np.float32(0.1)))
    assert found.observation == {"schedule": "constant", "value": float(np.float32(0.1))}


OTHERS = {
    "another name": "def mine(val):\n    def func(_):\n        return val\n    return func\n",
    "a sum": "def mine(initial_value):\n    def func(p):\n        return p + initial_value\n    return func",
    "a lambda": "def mine(value):\n    return lambda p: value * p ** 2\n",
}


@pytest.mark.parametrize("name", OTHERS)
def test_of_any_other_function_only_name_and_numbers_are_said(name):
    found = seen(module("my_utils", OTHERS[name]).mine(0.25)).observation
    assert found["schedule"] == "function"
    assert found["name"].startswith("my_utils.mine.")
    assert list(found["values"].values()) == [0.25]


def test_the_zoos_name_alone_proves_nothing():
    source = OTHERS["a sum"].replace("mine", "linear_schedule")
    assert seen(module("utils.utils", source).linear_schedule(0.5)).observation["schedule"] == "function"


def test_the_zoos_name_and_bytecode_do():
    product = b"|\x00\x88\x00\x14\x00S\x00"
    for code, said in ((product, "linear"), (product.replace(b"\x14", b"\x17"), "function")):
        args = (1, 0, 1, 2, 19, code, (None,), (), ("p",), "u.py", "func", 1, b"", ("initial_value",), ())
        state = {"__module__": "utils.utils", "__qualname__": "linear_schedule.<locals>.func"}
        cell = Instance(ClassRef("cloudpickle.cloudpickle", "_make_cell"), (0.5,))
        made = Instance(
            ClassRef("types", "FunctionType"),
            (Instance(ClassRef("types", "CodeType"), args), {}, "func", None, ()),
            state=({}, state | {"__closure__": (cell,)}),
        )
        assert schedule(made).observation["schedule"] == said


def test_a_function_without_cells():
    found = seen(module("my_utils", "def mine():\n    return lambda p: p * 0.1\n").mine())
    assert found.observation["values"] == {}


@pytest.mark.parametrize("value", [0.5, None, "x", [1], {"a": 1}, Instance(ClassRef("a", "B"))])
def test_what_is_no_schedule(value):
    assert schedule(value) is None


@pytest.mark.parametrize("cls", ["FloatSchedule", "ConstantSchedule", "LinearSchedule"])
def test_schedules_without_their_numbers(cls):
    assert schedule(Instance(ClassRef(SB3, cls), state={})) is None


def test_a_function_says_its_names_and_constants():
    source = (
        "import math\ndef mine(a):\n    def func(p):\n        return math.exp(p * a) + 2.5\n    return func\n"
    )
    found = function(pickles.load(cloudpickle.dumps(module("m", source).mine(3)), where="x").root)
    assert found.cells == {"a": 3}
    assert "exp" in found.names
    assert 2.5 in found.constants
    assert found.code


def test_cloudpickle_before_1_3():
    code = Instance(
        ClassRef("types", "CodeType"),
        (1, 0, 1, 1, 19, b"\x88\x00S\x00", (None,), (), ("_",), "u.py", "func", 1, b"", ("val",), ()),
    )
    state = {
        "globals": {},
        "defaults": None,
        "dict": {},
        "closure_values": [0.5],
        "module": SB3,
        "name": "func",
        "qualname": "constant_fn.<locals>.func",
    }
    made = Instance(ClassRef("cloudpickle.cloudpickle", "_make_skel_func"), (code, 1, {}), state=state)
    assert schedule(made).observation == {"schedule": "constant", "value": 0.5}
    filled = Instance(
        ClassRef("cloudpickle.cloudpickle", "_fill_function"), (Instance(made.cls, made.args), state)
    )
    assert schedule(filled).observation == {"schedule": "constant", "value": 0.5}


def inert(value):
    return pickles.load(cloudpickle.dumps(value), where="data:x").root


def test_small_objects_become_plain():
    assert unwrapped(inert(TrainFreq(4, TrainFrequencyUnit.STEP))) == {"frequency": 4, "unit": "step"}
    assert unwrapped(inert(TrainFrequencyUnit.EPISODE)) == "episode"
    noises = (
        NormalActionNoise(np.zeros(2), 0.1 * np.ones(2)),
        OrnsteinUhlenbeckActionNoise(np.zeros(2), np.ones(2)),
    )
    for noise in noises:
        said = unwrapped(inert(noise))
        assert said["class"].name == type(noise).__name__
        tree, _ = plain(said, "x")
        assert "_mu" in tree["state"]
    assert unwrapped(5) == 5


def test_the_policy_alone_does_not_settle_the_algorithm():
    shared = ClassRef("stable_baselines3.common.policies", "ActorCriticPolicy")
    assert algorithm(shared, {}) is None
    assert algorithm(shared, {"clip_range": 1, "n_epochs": 1}) == "PPO"
    assert algorithm(ClassRef("mine.policies", "Policy"), {"clip_range": 1, "n_epochs": 1}) is None
    assert algorithm(None, {}) is None
    twin = ClassRef("stable_baselines3.td3.policies", "TD3Policy")
    ddpg = {"policy_delay": 1, "target_policy_noise": 0.1, "target_noise_clip": 0.0}
    assert algorithm(twin, ddpg | {"policy_kwargs": {"n_critics": 1}}) == "DDPG"
    assert algorithm(twin, ddpg | {"policy_kwargs": {}}) == "TD3"
    assert algorithm(twin, {}) is None
