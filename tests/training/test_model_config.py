"""ModelConfig: fields, contradictions, numbers of numpy, and the name of an architecture."""

import copy
import dataclasses
import itertools
import json
import pickle
from typing import Any

import numpy as np
import pytest

from ckptkit import ModelConfig, schema
from ckptkit.errors import UsageError
from ckptkit.training.model_config import SCHEMA

FIELDS: dict[str, Any] = {"input_shape": (4, 84, 84), "n_action": 6}
RANGE: dict[str, Any] = {"distributional_dqn": True, "n_atoms": 51, "v_min": -10.0, "v_max": 10.0}


def test_the_schema_names_exactly_the_fields() -> None:
    assert set(schema.find(SCHEMA)["properties"]) == {field.name for field in dataclasses.fields(ModelConfig)}


def test_defaults_are_the_plain_network() -> None:
    config = ModelConfig(**FIELDS)
    assert (config.architecture_name, config.n_steps, config.noisy_std_init) == ("DQN", 1, 0.5)
    assert config.n_atoms is config.v_min is config.game is None


def test_architecture_name_says_network_and_techniques() -> None:
    every = dict.fromkeys(("dueling_dqn", "noisy_networks", "double_dqn", "prioritized_replay"), True)
    config = ModelConfig(**FIELDS, **RANGE, **every, n_step_learning=True, n_steps=3)
    assert config.architecture_name == "Distributional Dueling Noisy DQN (Double+PER+3-step)"
    assert ModelConfig(**FIELDS, dueling_dqn=True).architecture_name == "Dueling DQN"
    assert ModelConfig(**FIELDS, noisy_networks=True, n_step_learning=True, n_steps=5).architecture_name == (
        "Noisy DQN (5-step)"
    )


@pytest.mark.parametrize("combination", list(itertools.product((False, True), repeat=3)))
def test_json_goes_there_and_back(combination: tuple[bool, bool, bool]) -> None:
    dueling, distributional, noisy = combination
    config = ModelConfig(
        **FIELDS, **(RANGE if distributional else {}), dueling_dqn=dueling, noisy_networks=noisy, game="a"
    )
    document = json.loads(json.dumps(config.to_json()))
    assert schema.validate(SCHEMA, document) == []
    assert ModelConfig.from_json(document) == config
    assert pickle.loads(pickle.dumps(config)) == copy.deepcopy(config) == config
    assert dataclasses.replace(config, n_action=3).n_action == 3


def test_fields_that_the_system_lacks_are_written_only_where_they_say_something() -> None:
    assert len(ModelConfig(**FIELDS).words()) == 15
    assert ModelConfig(**FIELDS, model_version="2.0").words()["model_version"] == "2.0"


def test_numbers_of_numpy_become_pythons_own() -> None:
    config = ModelConfig(
        input_shape=[np.int64(4), np.int32(84), 84],
        n_action=np.int64(6),
        distributional_dqn=np.bool_(True),
        n_atoms=np.uint8(51),
        v_min=np.float32(-1.5),
        v_max=3,
    )
    assert config.input_shape == (4, 84, 84)
    assert [type(value) for value in (*config.input_shape, config.n_action, config.n_atoms)] == [int] * 5
    assert (config.v_min, config.v_max, config.distributional_dqn) == (-1.5, 3.0, True)
    assert type(config.v_max) is float


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, ['lacks "input_shape", "n_action"']),
        (FIELDS | {"distributional_dqn": True}, ["distributional_dqn without n_atoms, v_min, v_max"]),
        (FIELDS | RANGE | {"v_max": None}, ["distributional_dqn without v_max"]),
        (FIELDS | RANGE | {"n_atoms": 1}, ["n_atoms must be at least 2, is 1"]),
        (FIELDS | RANGE | {"v_min": 10.0}, ["v_min must be less than v_max"]),
        (FIELDS | RANGE | {"v_min": 1e9, "v_max": 1e9 + 1}, ["less than v_max in float32"]),
        (FIELDS | RANGE | {"v_max": float("inf")}, ["v_max must be finite"]),
        (FIELDS | RANGE | {"v_min": float("nan")}, ["v_min must be finite"]),
        (FIELDS | {"v_min": 0.0}, ["v_min without distributional_dqn"]),
        (FIELDS | {"n_action": -6}, ["n_action must be at least 1, is -6"]),
        (FIELDS | {"n_action": True}, ["n_action must be an integer, is true"]),
        (FIELDS | {"n_action": 6.0}, ["n_action must be an integer, is 6.0"]),
        (FIELDS | {"n_steps": 0}, ["n_steps must be at least 1"]),
        (FIELDS | {"noisy_std_init": -0.5}, ["noisy_std_init must be at least 0"]),
        (FIELDS | {"dueling_dqn": "yes"}, ['dueling_dqn must be true or false, is "yes"']),
        (FIELDS | {"input_shape": (4, 84)}, ["input_shape must have at least 3 items"]),
        (FIELDS | {"input_shape": (4, 35, 84)}, ["at least 36 pixels high and wide, is 35 × 84"]),
        (FIELDS | {"input_shape": (4, 36, -1)}, ["input_shape/2 must be at least 1"]),
        (FIELDS | {"game": object()}, ["game must be a string or null"]),
        (FIELDS | {"colour": "red"}, ["colour is no field"]),
    ],
)
def test_what_is_wrong_is_refused(fields: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(UsageError) as caught:
        ModelConfig(**fields)
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_text_is_no_configuration() -> None:
    with pytest.raises(UsageError, match="a str is no mapping"):
        ModelConfig.from_json("{}")  # type: ignore[arg-type]


def test_all_problems_come_at_once() -> None:
    with pytest.raises(UsageError) as caught:
        ModelConfig(
            input_shape=(-4, 20, 84), n_action=0, colour=1, distributional_dqn=True, n_atoms=1, v_min=2.0
        )
    said = str(caught.value)
    for name in ("input_shape/0", "20 × 84", "n_action", "colour", "n_atoms", "without v_max"):
        assert name in said
    assert said.count(";") == 5
