"""Inert trees as plain trees."""

import pytest

from ckptkit.errors import LimitExceededError, UnsupportedTensorError
from ckptkit.model.inert import ClassRef, Instance, NdArray
from ckptkit.model.plain import plain
from ckptkit.model.tree import to_json
from ckptkit.storage.pickles.containers import InertDict, InertList
from tests.model.inert_values import instance, tensor

ARRAY = NdArray("<f4", (1,), bytes(4))


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        3,
        2.5,
        1j,
        "text",
        b"bytes",
        [1, (2,)],
        {"a": {1, 2}},
        {0: 1, (1, "x"): 2},
        ClassRef("torch", "float32"),
        ARRAY,
    ],
    ids=repr,
)
def test_plain_values_stay(value: object) -> None:
    assert plain(value, "x") == (value, [])
    to_json(value)


def test_tensors_stay() -> None:
    tree = {"state": {0: {"m": tensor(2)}}}
    assert plain(tree) == (tree, [])


def test_containers_of_the_standard_library_become_plain_ones() -> None:
    result, dropped = plain(InertDict(a=InertList([1, 2])))
    assert result == {"a": [1, 2]}
    assert type(result) is dict
    assert type(result["a"]) is list
    assert dropped == []
    assert plain(bytearray(b"x"))[0] == b"x"


def test_described_data_becomes_plain() -> None:
    assert plain(instance("torch.device", None, "cuda", 1))[0] == "cuda:1"
    assert plain(instance("torch.device", None, "cpu"))[0] == "cpu"
    assert plain(instance("pathlib.PosixPath", None, "/", "a", "b"))[0] == "/a/b"
    assert plain(instance("argparse.Namespace", {"lr": 0.1, "net": {"w": 3}}))[0] == {
        "lr": 0.1,
        "net": {"w": 3},
    }


def test_objects_are_dropped_by_path() -> None:
    tree = {
        "keep": 1,
        "fn": instance("own.Schedule", {"a": 1}),
        "list": [1, Instance(instance("own.Meta")), 3],
    }
    result, dropped = plain(tree, "data")
    assert result == {"keep": 1, "list": [1, None, 3]}
    assert [(entry.path, entry.reason) for entry in dropped] == [
        ("data.fn", "an object of own.Schedule"),
        ("data.list.1", "an object of a class that the file stores by value"),
    ]


def test_root_without_a_plain_form() -> None:
    result, dropped = plain(instance("own.Thing"), "data:lr_schedule")
    assert result is None
    assert [entry.path for entry in dropped] == ["data:lr_schedule"]


def test_keys_that_are_no_values() -> None:
    result, dropped = plain({tensor(1): 1, ARRAY: 2, instance("a.B"): 3, "x": 4})
    assert result == {"x": 4}
    assert len(dropped) == 3
    assert all("key" in entry.reason for entry in dropped)


def test_broken_text_and_huge_integers_are_dropped() -> None:
    result, dropped = plain(
        {"a": "\ud800", "b": 1 << 9000, "c": "\U0001f600", "\udc00": 1, "d": -(1 << 8000)}
    )
    assert result == {"c": "\U0001f600", "d": -(1 << 8000)}
    assert len(dropped) == 3


def test_sets_hold_plain_items_only() -> None:
    result, dropped = plain({1, "a", frozenset((2,))})
    assert result == {1, "a"}
    assert len(dropped) == 1


def test_cycles_are_cut() -> None:
    loop: dict[str, object] = {"a": 1}
    loop["self"] = [loop]
    result, dropped = plain(loop)
    assert result == {"a": 1, "self": [None]}
    assert [entry.path for entry in dropped] == ["self.0"]


def test_depth_is_bounded() -> None:
    tree: object = 1
    for _ in range(5000):
        tree = [tree]
    _, dropped = plain(tree)
    assert "deep" in dropped[0].reason


def test_repetition_is_bounded() -> None:
    tree: object = ["x"]
    for _ in range(26):
        tree = [tree, tree]
    with pytest.raises(LimitExceededError):
        plain(tree)


def test_sharing_within_reason_is_written_out() -> None:
    shared = [0.9, 0.99]
    assert plain([shared] * 1000)[0] == [shared] * 1000


def test_many_dropped_entries_are_counted() -> None:
    _, dropped = plain([instance("a.B") for _ in range(1500)])
    assert len(dropped) == 1001
    assert dropped[-1].reason.startswith("500 more")


def test_refused_tensor_is_named_by_its_path() -> None:
    with pytest.raises(UnsupportedTensorError, match=r"'optimizer\.m' is sparse"):
        plain({"m": instance("torch._utils._rebuild_sparse_tensor")}, "optimizer")
