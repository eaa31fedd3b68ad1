"""Normalization statistics: exact, and applied only where they belong."""

import pickle
import shutil

import numpy as np
import pytest
from gymnasium import spaces
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

from ckptkit.errors import UnreadableCheckpointError
from ckptkit.model.finding import Verdict
from ckptkit.model.inert import NdArray
from ckptkit.model.ndvalues import values
from ckptkit.readers import find, vecnormalize
from ckptkit.storage.probe import Probe
from tests.readers.sb3_models import BOX, Env, ppo, read

NAME = "vecnormalize.pkl"


def normalizer(observation=BOX, **kwargs):
    env = VecNormalize(DummyVecEnv([lambda: Env(observation, spaces.Discrete(2))]), **kwargs)
    env.seed(0)
    env.reset()
    for _ in range(5):
        env.step(np.array([0]))
    return env


def saved(path, **kwargs):
    env = normalizer(**kwargs)
    env.save(str(path))
    return env


def same(stored, array):
    return isinstance(stored, NdArray) and stored.data == array.astype("<f8").tobytes()


def test_statistics_on_their_own(tmp_path):
    env = saved(tmp_path / NAME, clip_obs=5.0, gamma=0.5)
    assert find(Probe(tmp_path / NAME)) is vecnormalize.READER
    checkpoint = read(tmp_path / NAME)
    (entry,) = checkpoint.preprocessing
    assert same(entry["mean"], env.obs_rms.mean)
    assert same(entry["var"], env.obs_rms.var)
    assert entry["count"] == float(env.obs_rms.count)
    assert (entry["clip_obs"], entry["gamma"], entry["epsilon"]) == (5.0, 0.5, 1e-8)
    assert entry["ret_rms"]["var"] == float(env.ret_rms.var)
    assert (entry["type"], entry["source"]) == ("VecNormalize", NAME)
    assert not checkpoint.tensors
    assert checkpoint.spaces["action"]["n"] == 2
    assert checkpoint.verdict is Verdict.DATA_ONLY


def test_statistics_by_key(tmp_path):
    space = spaces.Dict(a=spaces.Box(-1.0, 1.0, (2,)), b=spaces.Box(-1.0, 1.0, (3,)))
    env = saved(tmp_path / NAME, observation=space, norm_obs_keys=["b"])
    (entry,) = read(tmp_path / NAME).preprocessing
    assert entry["norm_obs_keys"] == ["b"]
    assert list(entry["mean"]) == ["b"]
    assert same(entry["mean"]["b"], env.obs_rms["b"].mean)


def test_without_observations(tmp_path):
    saved(tmp_path / NAME, norm_obs=False)
    (entry,) = read(tmp_path / NAME).preprocessing
    assert entry["norm_obs"] is False
    assert "mean" not in entry


def test_files_before_keys_were_named(tmp_path):
    env = normalizer(observation=spaces.Dict(a=BOX))
    del env.norm_obs_keys
    (tmp_path / NAME).write_bytes(pickle.dumps(env, protocol=2))
    (entry,) = read(tmp_path / NAME).preprocessing
    assert entry["norm_obs_keys"] == ["a"]


@pytest.fixture
def agent(tmp_path):
    ppo().save(tmp_path / "agent.zip")
    return tmp_path / "agent.zip"


def test_in_the_folder_of_the_zips_name_they_apply(agent, tmp_path):
    (tmp_path / "agent").mkdir()
    env = saved(tmp_path / "agent" / NAME)
    shutil.copy(agent, tmp_path / "other.zip")
    checkpoint = read(agent)
    (entry,) = checkpoint.preprocessing
    assert same(entry["mean"], env.obs_rms.mean)
    assert entry["source"] == f"agent/{NAME}"
    assert [(f.path, f.role) for f in checkpoint.files][1:] == [(f"agent/{NAME}", "statistics")]
    assert not checkpoint.notes
    other = read(tmp_path / "other.zip")
    assert (other.preprocessing, other.notes) == ((), ())


def test_beside_the_only_zip_they_apply(agent, tmp_path):
    saved(tmp_path / NAME)
    assert len(read(agent).preprocessing) == 1


def test_beside_several_zips_they_are_stray(agent, tmp_path):
    saved(tmp_path / NAME)
    shutil.copy(agent, tmp_path / "best_model.zip")
    checkpoint = read(agent)
    assert not checkpoint.preprocessing
    assert [note.kind for note in checkpoint.notes] == ["stray-statistics"]
    assert len(checkpoint.files) == 1


@pytest.mark.parametrize("shape", [(4,), (3, 1), ()])
def test_statistics_of_another_shape_are_stray(agent, tmp_path, shape):
    saved(tmp_path / NAME, observation=spaces.Box(-1.0, 1.0, shape))
    checkpoint = read(agent)
    assert not checkpoint.preprocessing
    assert [note.kind for note in checkpoint.notes] == ["stray-statistics"]
    assert "shape" in checkpoint.notes[0].message


def test_another_kind_of_statistics_is_stray(agent, tmp_path):
    (tmp_path / NAME).write_bytes(pickle.dumps({"mean": 1}))
    checkpoint = read(agent)
    assert [note.kind for note in checkpoint.notes] == ["stray-statistics"]


def test_hostile_statistics_make_the_zip_unsafe(agent, tmp_path, audited):
    (tmp_path / NAME).write_bytes(b"\x80\x04cbuiltins\neval\n(S'0'\ntR.")
    checkpoint = read(agent)
    assert checkpoint.verdict is Verdict.UNSAFE
    assert not checkpoint.preprocessing


def test_hostile_statistics_alone(tmp_path, audited):
    raw = pickle.dumps(normalizer(), protocol=2)
    hostile = raw[:-1] + b"0cbuiltins\neval\n(S'0'\ntR."
    (tmp_path / NAME).write_bytes(hostile)
    checkpoint = read(tmp_path / NAME)
    assert checkpoint.verdict is Verdict.UNSAFE
    assert not checkpoint.preprocessing


BROKEN = ["clip_obs", "norm_obs", "gamma", "obs_rms", "epsilon"]


@pytest.mark.parametrize("field", BROKEN)
def test_missing_fields_are_named(tmp_path, field):
    env = normalizer()
    delattr(env, field)
    (tmp_path / NAME).write_bytes(pickle.dumps(env))
    with pytest.raises(UnreadableCheckpointError, match=r"clip_obs|norm_obs|gamma|epsilon"):
        read(tmp_path / NAME)


@pytest.mark.parametrize("change", ["cut", "more"])
def test_broken_pickles(tmp_path, change):
    raw = pickle.dumps(normalizer())
    (tmp_path / NAME).write_bytes(raw[:-20] if change == "cut" else raw + b"junk")
    with pytest.raises(UnreadableCheckpointError) as caught:
        read(tmp_path / NAME)
    assert str(tmp_path / NAME) in str(caught.value)


def test_mean_and_variance_must_agree(tmp_path):
    env = normalizer()
    env.obs_rms.var = np.ones(4)
    (tmp_path / NAME).write_bytes(pickle.dumps(env))
    with pytest.raises(UnreadableCheckpointError, match="differ in shape"):
        read(tmp_path / NAME)


def test_values_are_those_that_sb3_uses(tmp_path):
    env = saved(tmp_path / NAME)
    (entry,) = read(tmp_path / NAME).preprocessing
    mean, var = np.array(values(entry["mean"])), np.array(values(entry["var"]))
    observations = np.array([[0.5, -0.25, 0.75]])
    scaled = np.clip((observations - mean) / np.sqrt(var + entry["epsilon"]), -10, 10).astype(np.float32)
    assert np.array_equal(scaled, env.normalize_obs(observations))
