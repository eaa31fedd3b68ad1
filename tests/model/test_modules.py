"""Pickled modules built by hand: what torch itself would never write, or only once did."""

import pytest

from ckptkit.errors import LimitExceededError, UnreadableCheckpointError, UnsupportedTensorError
from ckptkit.model.inert import Instance
from ckptkit.model.modules import class_name, is_module, module_state_dict, module_summary
from tests.model.inert_values import instance, module, tensor


def test_own_tensors_come_before_children() -> None:
    child = module({"w": tensor(1)})
    root = module({"p": tensor(1)}, {"b": tensor(1)}, {"z": child, "a": child})
    assert list(module_state_dict(root)) == ["p", "b", "z.w", "a.w"]


def test_transient_buffers_and_none_are_left_out() -> None:
    for transient in ({"t"}, frozenset("t"), ["t"]):
        root = module(
            {"p": None},
            {"t": tensor(1), "n": None, "b": tensor(1)},
            {"c": None},
            _non_persistent_buffers_set=transient,
        )
        assert list(module_state_dict(root)) == ["b"]


def test_state_from_before_transient_buffers() -> None:
    assert list(module_state_dict(module(buffers={"b": tensor(1)}))) == ["b"]


def test_slots_beside_the_dict() -> None:
    state = module({"w": tensor(1)}).state
    root = instance("own.Slotted", (state, {"width": 3}))
    assert is_module(root)
    assert module_summary(root)[""] == {"class": "own.Slotted", "attrs": {"width": 3}}


@pytest.mark.parametrize(
    "state", [None, {}, {"_parameters": {}}, (1, 2), {"_parameters": 1, "_buffers": {}, "_modules": {}}]
)
def test_other_objects_are_no_modules(state: object) -> None:
    assert not is_module(instance("own.Thing", state))


def test_tensor_subclass_is_refused_by_its_path() -> None:
    child = module({"w": instance("torch._tensor._rebuild_from_type_v2")})
    with pytest.raises(UnsupportedTensorError, match=r"'net\.w' is of a tensor subclass"):
        module_state_dict(module(children={"net": child}))


def test_uninitialised_parameter_is_refused() -> None:
    lazy = module({"w": instance("torch.nn.parameter.UninitializedParameter")})
    with pytest.raises(UnsupportedTensorError, match="never initialised"):
        module_state_dict(lazy)


def test_child_that_is_no_module_is_refused() -> None:
    for child in (instance("own.Scripted"), 5):
        with pytest.raises(UnsupportedTensorError, match="module 'c'"):
            module_state_dict(module(children={"c": child}))


def test_cycle_is_refused() -> None:
    root = module({"w": tensor(1)})
    root.state["_modules"]["again"] = module(children={"root": root})  # type: ignore[index]
    with pytest.raises(UnreadableCheckpointError, match=r"again\.root holds itself"):
        module_state_dict(root)


def test_shared_children_are_bounded() -> None:
    root = module({"w": tensor(1)})
    for _ in range(20):
        root = module(children={"a": root, "b": root})
    with pytest.raises(LimitExceededError):
        module_state_dict(root)


def test_two_places_of_one_name_are_refused() -> None:
    child = module({"w": tensor(1)})
    with pytest.raises(UnsupportedTensorError, match="two tensors"):
        module_state_dict(module({"c.w": tensor(1)}, children={"c": child}))


def test_summary_lists_plain_settings_only() -> None:
    root = module(
        width=3,
        name="net",
        kernel=(2, 2),
        training=True,
        _private=1,
        text="x" * 300,
        many=list(range(99)),
        other=instance("a.B"),
    )
    assert module_summary(root)[""] == {
        "class": "own.Module",
        "attrs": {"width": 3, "name": "net", "kernel": (2, 2)},
    }


def test_class_by_value_has_no_name() -> None:
    assert class_name(Instance(instance("own.Meta"))).startswith("(")
