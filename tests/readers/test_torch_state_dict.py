"""Bare state dicts: every dtype and layout that a bundle can hold, and a refusal by name for the rest."""

import warnings
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

import ckptkit
from ckptkit.errors import NotACheckpointError, UnsupportedTensorError
from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.dtype import DTYPES
from tests.readers.torch_truth import assert_same


def _read(tmp_path: Path, value: object, *, legacy: bool = False) -> Checkpoint:
    path = tmp_path / "weights.bin"
    torch.save(value, path, _use_new_zipfile_serialization=not legacy)
    checkpoint = ckptkit.read(path)
    assert checkpoint.format == "torch-state-dict"
    return checkpoint


@pytest.mark.parametrize("dtype", [d.torch for d in DTYPES])
def test_dtypes(tmp_path: Path, dtype: str) -> None:
    raw = (
        torch.arange(1, 97, dtype=torch.uint8) % 2
        if dtype == "bool"
        else torch.arange(1, 97, dtype=torch.uint8)
    )
    values = raw.view(getattr(torch, dtype)).reshape(2, -1)
    state = {
        "plain": values,
        "scalar": values[0, 0].clone(),
        "empty": values[:0].clone(),
        "turned": values.t(),
    }
    assert_same(_read(tmp_path, state).tensors, state)


LAYOUTS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "as-strided": lambda t: t.as_strided((2, 3), (1, 4), 2),
    "channels-last": lambda t: t.reshape(1, 2, 3, 4).to(memory_format=torch.channels_last),
    "column": lambda t: t.reshape(4, 6)[:, 2],
    "empty-middle": lambda t: t.reshape(4, 6)[:, 3:3],
    "expanded": lambda t: t[:3, None].expand(3, 5),
    "narrow": lambda t: t[5:9],
    "one-dimension-of-one": lambda t: t.reshape(1, 24, 1),
    "parameter": nn.Parameter,
    "permuted": lambda t: t.reshape(2, 3, 4).permute(2, 0, 1),
    "scalar-view": lambda t: t[7],
    "stepped": lambda t: t[1::3],
    "transposed": lambda t: t.reshape(4, 6).t(),
}


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
@pytest.mark.parametrize("layout", sorted(LAYOUTS))
def test_layouts(tmp_path: Path, layout: str, legacy: bool) -> None:
    state = {"x": LAYOUTS[layout](torch.arange(24.0))}
    assert_same(_read(tmp_path, state, legacy=legacy).tensors, state)


def test_ordered_dict_with_metadata(tmp_path: Path) -> None:
    state = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3)).state_dict()
    assert hasattr(state, "_metadata")
    assert_same(_read(tmp_path, state).tensors, state)


def test_tied_weights_share_a_storage(tmp_path: Path) -> None:
    weight = torch.randn(3, 2)
    checkpoint = _read(tmp_path, {"a": weight, "b": weight})
    assert checkpoint.tensors["a"].identity == checkpoint.tensors["b"].identity
    assert checkpoint.notes == ()


def test_partial_sharing_is_noted_once_a_group(tmp_path: Path) -> None:
    base, other = torch.arange(12.0), torch.arange(12.0)
    state = {
        "all": base,
        "head": base[:4],
        "left": other.reshape(4, 3)[:, :1],
        "right": other.reshape(4, 3)[:, 1:],
    }
    checkpoint = _read(tmp_path, state)
    assert_same(checkpoint.tensors, state)
    (note,) = checkpoint.notes
    assert note.kind == "partial-sharing"
    assert "all" in note.message
    assert "head" in note.message


def test_neighbours_in_one_storage_are_no_sharing(tmp_path: Path) -> None:
    base = torch.arange(12.0)
    assert _read(tmp_path, {"a": base[:6], "b": base[6:]}).notes == ()


def test_nested_containers_are_named_by_path(tmp_path: Path) -> None:
    state = {
        "encoder": {"w": torch.ones(2)},
        "heads": [torch.ones(1), {"b": torch.zeros(1)}],
        "bias": torch.ones(3),
    }
    assert list(_read(tmp_path, state).tensors) == ["encoder.w", "heads.0", "heads.1.b", "bias"]


def test_single_tensor(tmp_path: Path) -> None:
    assert_same(_read(tmp_path, torch.arange(3)).tensors, {"tensor": torch.arange(3)})


def test_tuple_of_state_dicts(tmp_path: Path) -> None:
    actor, critic = nn.Linear(1, 2).state_dict(), nn.Linear(2, 1).state_dict()
    assert list(_read(tmp_path, (actor, critic)).tensors) == ["0.weight", "0.bias", "1.weight", "1.bias"]


def test_integer_keys_become_text_and_are_noted(tmp_path: Path) -> None:
    checkpoint = _read(tmp_path, {0: torch.ones(1), 1: torch.zeros(1)})
    assert list(checkpoint.tensors) == ["0", "1"]
    assert [note.kind for note in checkpoint.notes] == ["key-to-text"]


@pytest.mark.parametrize("keys", [(0, "0"), ("a.b", ("a", "b"))])
def test_two_tensors_of_one_name_are_refused(tmp_path: Path, keys: tuple[object, object]) -> None:
    first, second = keys
    entry: dict[object, object] = {first: torch.ones(1)}
    entry |= {second[0]: {second[1]: torch.ones(1)}} if isinstance(second, tuple) else {second: torch.ones(1)}
    with pytest.raises(UnsupportedTensorError, match="two tensors"):
        _read(tmp_path, entry)


@pytest.mark.parametrize("key", [(1, 2), None, 1.5, b"w", True])
def test_keys_that_are_no_names_are_refused(tmp_path: Path, key: object) -> None:
    with pytest.raises(UnsupportedTensorError, match="key at the root"):
        _read(tmp_path, {key: torch.ones(1)})


@pytest.mark.parametrize("name", ["", "__metadata__", "a\x00b"])
def test_names_that_no_bundle_can_hold_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnsupportedTensorError, match="name"):
        _read(tmp_path, {name: torch.ones(1)})


def _quantized() -> torch.Tensor:
    return torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.quint8)


def _nested() -> torch.Tensor:
    return torch.nested.nested_tensor([torch.ones(1), torch.ones(2)])


REFUSED: dict[str, tuple[Callable[[], torch.Tensor], str]] = {
    "complex128": (lambda: torch.ones(2, dtype=torch.complex128), "is complex128"),
    "conjugate": (lambda: torch.ones(2, dtype=torch.complex64).conj(), "conjugated"),
    "meta": (lambda: torch.ones(2, device="meta"), "on the meta device"),
    "negative": (lambda: torch.ones(2, dtype=torch.complex64).conj().imag, "negated"),
    "nested": (_nested, "is a nested tensor"),
    "quantized": (_quantized, "is quantized"),
    "sparse-coo": (lambda: torch.eye(2).to_sparse(), "is sparse"),
    "sparse-csr": (lambda: torch.eye(2).to_sparse_csr(), "is sparse"),
}


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
@pytest.mark.parametrize("kind", sorted(REFUSED))
def test_what_has_no_form_is_refused_by_name(tmp_path: Path, kind: str, legacy: bool) -> None:
    make, reason = REFUSED[kind]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        state = OrderedDict([("good", torch.ones(1)), ("layer.bad", make())])
        with pytest.raises(UnsupportedTensorError, match=f"'layer.bad' .*{reason}") as caught:
            _read(tmp_path, state, legacy=legacy)
    assert caught.value.fix
    assert caught.value.exit_code == 1


def test_empty_state_dict(tmp_path: Path) -> None:
    assert _read(tmp_path, OrderedDict()).tensors == {}


@pytest.mark.parametrize("value", [5, "text", [1, 2], None, ()])
def test_file_without_a_tensor_is_no_checkpoint(tmp_path: Path, value: object) -> None:
    with pytest.raises(NotACheckpointError, match="no tensors"):
        _read(tmp_path, value)
