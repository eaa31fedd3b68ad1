"""State dicts and nested containers, out of inert values built by hand."""

import pytest

from ckptkit.errors import LimitExceededError, UnsupportedTensorError
from ckptkit.model.inert import ClassRef
from ckptkit.model.naming import flatten, partial_sharing, state_dict
from tests.model.inert_values import instance, storage, tensor


def test_state_dict_keeps_order_and_names() -> None:
    first, second = tensor(2), tensor(3)
    found = state_dict({"b": first, "a": second})
    assert found == {"b": first, "a": second}
    assert list(found or ()) == ["b", "a"]


@pytest.mark.parametrize(
    "value",
    [None, 3, [tensor(1)], {"a": 1}, {0: tensor(1)}, {"a": {"b": tensor(1)}}, {"a": tensor(1), "b": "text"}],
    ids=lambda value: type(value).__name__,
)
def test_other_values_are_no_state_dict(value: object) -> None:
    assert state_dict(value) is None


def test_fillers_do_not_count() -> None:
    found = state_dict({"a": tensor(1), "gone": None, "x._extra_state": {"k": 1}})
    assert list(found or ()) == ["a"]
    assert state_dict({}) == {}


def test_refused_tensor_is_named() -> None:
    bad = instance("torch._utils._rebuild_qtensor")
    with pytest.raises(UnsupportedTensorError, match=r"'layer\.q' is quantized"):
        state_dict({"a": tensor(1), "layer.q": bad})


@pytest.mark.parametrize("name", ["", "__metadata__", "a\nb", "\udc80"])
def test_names_that_cannot_be(name: str) -> None:
    with pytest.raises(UnsupportedTensorError, match="name"):
        state_dict({name: tensor(1)})


def test_flatten_keeps_what_is_no_tensor_apart() -> None:
    one = tensor(1)
    named = flatten({"a": [one, 3], "b": {"c": None, "d": "text"}}, "root")
    assert named.tensors == {"root.a.0": one}
    assert named.rest == {"root.a.1": 3, "root.b.d": "text"}
    assert named.notes == ()


def test_flatten_of_one_tensor() -> None:
    one = tensor(1)
    assert flatten(one).tensors == {"tensor": one}
    assert flatten(one, "x").tensors == {"x": one}


def test_integer_keys_are_noted_where_they_name_a_tensor() -> None:
    assert [note.kind for note in flatten({0: tensor(1)}).notes] == ["key-to-text"]
    assert flatten({"a": tensor(1), "b": {0: 5}}).notes == ()


@pytest.mark.parametrize(
    "key", [1.5, None, (1,), b"x", True, ClassRef("a", "B"), tensor(1)], ids=lambda v: type(v).__name__
)
def test_keys_that_are_no_part_of_a_name(key: object) -> None:
    with pytest.raises(UnsupportedTensorError, match="which cannot be part of a tensor's name"):
        flatten({"inner": {key: tensor(1)}})


def test_flatten_is_bounded_in_depth_and_number() -> None:
    deep: object = tensor(1)
    for _ in range(100):
        deep = [deep]
    with pytest.raises(LimitExceededError):
        flatten(deep)
    wide: object = tensor(1)
    for _ in range(22):
        wide = [wide, wide]
    with pytest.raises(LimitExceededError):
        flatten(wide)
    loop: list[object] = [tensor(1)]
    loop.append(loop)
    with pytest.raises(LimitExceededError):
        flatten(loop)


def test_overlap_is_by_elements_and_not_by_place() -> None:
    shared = storage(32)
    assert partial_sharing({"a": tensor(4, at=shared), "b": tensor(4, at=shared, offset=4)}) == ()
    assert partial_sharing({"a": tensor(4, at=shared), "b": tensor(4, at=shared)}) == ()
    assert partial_sharing({"a": tensor(4, at=shared), "b": tensor(4)}) == ()
    assert partial_sharing({"a": tensor(0, at=shared), "b": tensor(4, at=shared)}) == ()
    (note,) = partial_sharing({"a": tensor(5, at=shared), "b": tensor(4, at=shared, offset=4)})
    assert note.kind == "partial-sharing"
    assert note.location == "a"


def test_same_elements_in_another_shape_overlap() -> None:
    shared = storage(8)
    assert len(partial_sharing({"a": tensor(8, at=shared), "b": tensor(2, 4, at=shared)})) == 1


def test_each_group_has_one_note() -> None:
    first, second = storage(32), storage(32)
    views = {f"a{i}": tensor(4, at=first, offset=2 * i) for i in range(12)}
    views |= {
        "b0": tensor(4, at=second),
        "b1": tensor(4, at=second, offset=1),
        "c": tensor(2, at=second, offset=9),
    }
    notes = partial_sharing(views)
    assert [note.location for note in notes] == ["a0", "b0"]
    assert "and 4 more" in notes[0].message
    assert "c" not in notes[1].message.partition(": ")[2]
