"""Every root has exactly one layout, however odd it is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ckptkit.model import torch_layout
from ckptkit.model.torch_layout import layout, versioned
from tests.model.inert_values import instance, module, tensor

SD = {"w": tensor(2), "b": tensor(1)}
OPT: dict[str, object] = {"state": {}, "param_groups": []}
CASES: dict[str, tuple[object, str]] = {
    "agent object": (instance("own.Agent", {"net": module()}), "torch-module"),
    "bare": (SD, "torch-state-dict"),
    "checkpoint": ({"model": SD, "epoch": 1}, "torch-checkpoint"),
    "checkpoint with module": ({"model": module(), "epoch": 1}, "torch-checkpoint"),
    "empty": ({}, "torch-state-dict"),
    "gan": ({"G": SD, "D": SD, "opt": OPT}, "torch-checkpoint"),
    "list of modules": ([module(), module()], "torch-module"),
    "list of tensors": ([tensor(1)], "torch-state-dict"),
    "metta 1": ({"model_state_dict": SD, "model_type": "brain", "uri": "x"}, "metta-checkpoint"),
    "metta 2": ({"model": module(), "checkpoint_format_version": 2}, "metta-checkpoint"),
    "metta 3": ({"weights": SD, "checkpoint_format_version": 3}, "metta-checkpoint"),
    "model and optimizer in a tuple": ((SD, OPT, 3), "torch-checkpoint"),
    "model and optimizer alone": (
        (SD, {"state": {0: {"m": tensor(1)}}, "param_groups": []}),
        "torch-checkpoint",
    ),
    "model beside a trainer's dict": ([SD, {"optimizer": OPT}], "torch-checkpoint"),
    "module": (module(), "torch-module"),
    "nested": ({"a": SD, "b": {"c": tensor(1)}}, "torch-state-dict"),
    "nothing": (None, "torch-state-dict"),
    "object without modules": (instance("own.Agent", {"w": tensor(1)}), "torch-checkpoint"),
    "tensor": (tensor(1), "torch-state-dict"),
    "training": ({"optimizer": OPT}, "torch-checkpoint"),
    "v2": ({"model_state_dict": SD, "version": "2.0"}, "torch-dict-v2"),
    "v2 bundle": ({"model_state_dict": {}, "version": "2.0", "ckpt": {}}, "torch-dict-v2"),
    "v3": ({"model_state_dict": SD, "version": "3.0", "model_config": {}}, "torch-dict-v2"),
    "wrapped": ({"state_dict": SD}, "torch-checkpoint"),
    "wrapper's name inside a state dict": ({"model": SD, "bias": tensor(2)}, "torch-state-dict"),
    "own version": ({"model_state_dict": SD, "version": "1.0", "optimizer": OPT}, "torch-checkpoint"),
}


@pytest.mark.parametrize("kind", sorted(CASES))
def test_layout(kind: str) -> None:
    root, wanted = CASES[kind]
    assert layout(root) == wanted


def test_scheme_needs_a_state_dict() -> None:
    assert versioned({"version": "2.0", "model_state_dict": 3}) == ""
    assert versioned({"version": "2.0"}) == ""
    assert versioned({"version": "2.9.1", "model_state_dict": SD}) == ""


leaves = (
    st.none()
    | st.integers()
    | st.text(max_size=3)
    | st.builds(lambda: tensor(1))
    | st.builds(module)
    | st.builds(lambda: instance("torch._utils._rebuild_qtensor"))
)
keys = (
    st.sampled_from(["model", "state_dict", "optimizer", "version", "checkpoint_format_version", "a"])
    | st.integers()
)
roots = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(keys, inner, max_size=4)
        | st.dictionaries(st.text(max_size=3), inner, max_size=3).map(lambda state: instance("own.C", state))
    ),
    max_leaves=12,
)
IDS = {
    value
    for name, value in vars(torch_layout).items()
    if name in {"STATE_DICT", "CHECKPOINT", "MODULE", "DICT_V2", "METTA"}
}


@given(roots)
def test_any_root_has_a_layout(root: object) -> None:
    assert layout(root) in IDS


def test_cycles_and_depth_do_no_harm() -> None:
    loop: dict[str, object] = {"model": SD}
    loop["self"] = loop
    assert layout(loop) == "torch-state-dict" or layout(loop) == "torch-checkpoint"
    deep: object = tensor(1)
    for _ in range(3000):
        deep = [deep]
    assert layout(deep) in IDS
    assert layout({"a": deep}) in IDS
