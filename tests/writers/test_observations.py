"""Recorded inputs: the edges of each space, and rows that any system draws alike."""

import numpy as np
import pytest

from ckptkit.model.architecture import Graph, Layer, ValueType
from ckptkit.writers.observations import FAR, REACH, observations

INF = float("inf")


def graph(**inputs: ValueType) -> Graph:
    """Return a graph whose outputs are its inputs."""
    named = {name.replace("_dot_", "."): value for name, value in inputs.items()}
    layers = tuple(Layer(f"keep/{name}", "Identity", (name,)) for name in named)
    return Graph(named, layers, {f"out.{name}": f"keep/{name}" for name in named})


def floats(*shape: int) -> ValueType:
    return ValueType("F32", (None, *shape))


def box(low: object, high: object, *shape: int, dtype: str = "float32") -> dict[str, object]:
    return {"type": "Box", "shape": list(shape), "dtype": dtype, "low": low, "high": high}


def test_rows_begin_with_the_edges_of_a_box() -> None:
    space = box([-1.0, 2.0], [1.0, 5.0], 2)
    obs = observations(graph(obs=floats(2)), {"observation": space}, 0)["obs"]
    assert obs.shape == (64, 2)
    np.testing.assert_array_equal(obs[:3], [[-1, 2], [1, 5], [0, 2]])
    assert (obs >= [-1, 2]).all()
    assert (obs <= [1, 5]).all()
    assert len(np.unique(obs, axis=0)) > 60


@pytest.mark.parametrize(
    ("low", "high", "least", "most"),
    [
        (-INF, INF, -REACH, REACH),
        (-3.4e38, 3.4e38, -REACH, REACH),
        (0.0, INF, 0.0, REACH),
        (50.0, INF, 50.0, 50.0 + REACH),
        (-INF, -50.0, -50.0 - REACH, -50.0),
    ],
)
def test_bounds_without_end_are_drawn_near(low: float, high: float, least: float, most: float) -> None:
    obs = observations(graph(obs=floats(1)), {"observation": box(low, high, 1)}, 0)["obs"]
    assert (obs.min(), obs.max()) == (least, most)


def test_behind_a_normaliser_its_clip_is_the_edge() -> None:
    made = observations(graph(obs=floats(3)), {"observation": box(-INF, INF, 3)}, 0, clip=5.0)["obs"]
    assert (made.min(), made.max()) == (-5.0, 5.0)


def test_images_are_all_black_and_all_white_first() -> None:
    value = ValueType("U8", (None, 4, 84, 84))
    obs = observations(graph(obs=value), {"observation": box(0, 255, 4, 84, 84, dtype="uint8")}, 0)["obs"]
    assert obs.shape == (16, 4, 84, 84)
    assert obs.dtype == np.uint8
    assert (obs[0] == 0).all()
    assert (obs[1] == 255).all()


def test_each_element_of_a_small_discrete_space_comes_up() -> None:
    space = {"type": "Discrete", "n": 7, "start": 0}
    obs = observations(graph(obs=ValueType("I64", (None,))), {"observation": space}, 0)["obs"]
    assert set(obs.tolist()) == set(range(7))
    assert obs[:2].tolist() == [0, 6]


def test_parts_of_multi_discrete_and_dict_have_their_own_bounds() -> None:
    spaces = [
        {"key": "a", "space": {"type": "MultiDiscrete", "nvec": [2, 5]}},
        {"key": "b", "space": {"type": "MultiBinary", "shape": [3]}},
    ]
    made = observations(
        graph(obs_dot_a=ValueType("I64", (None, 2)), obs_dot_b=ValueType("I8", (None, 3))),
        {"observation": {"type": "Dict", "spaces": spaces}},
        0,
    )
    assert made["obs.a"].max(axis=0).tolist() == [1, 4]
    assert made["obs.a"].min() == 0
    assert set(np.unique(made["obs.b"])) == {0, 1}


def test_states_begin_at_zero_and_starts_alternate() -> None:
    state = ValueType("F32", (2, None, 5))
    made = observations(
        graph(obs=floats(1), episode_start=ValueType("BOOL", (None,)), state_dot_0=state), {}, 0
    )
    assert made["state.0"].shape == (2, 64, 5)
    assert not made["state.0"][:, 0].any()
    assert made["state.0"][:, 1].any()
    assert made["episode_start"][:4].tolist() == [False, True, False, True]


def test_masks_leave_an_action_of_each_part() -> None:
    value = ValueType("BOOL", (None, 7))
    action = {"type": "MultiDiscrete", "nvec": [3, 4]}
    mask = observations(graph(obs=floats(1), action_mask=value), {"action": action}, 0)["action_mask"]
    assert mask[0].all()
    assert mask[1].sum() == 2
    assert mask[:, :3].any(axis=1).all()
    assert mask[:, 3:].any(axis=1).all()


def test_inputs_that_no_output_depends_on_are_left_out() -> None:
    both = graph(obs=floats(2), critic=floats(2))
    one = Graph(both.inputs, both.layers, {"out": "keep/obs"})
    assert list(observations(one, {}, 0)) == ["obs"]


def test_equal_seeds_give_equal_rows() -> None:
    spaces = {"observation": box(-FAR, FAR, 2)}
    rows = [observations(graph(obs=floats(2)), spaces, seed)["obs"].tobytes() for seed in (0, 0, 1)]
    assert rows[0] == rows[1] != rows[2]
