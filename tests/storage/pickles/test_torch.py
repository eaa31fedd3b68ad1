"""torch in pickles: tensors that lie where torch says, and never outside of their storage."""

import io
import pickle
import struct
import zipfile
from collections import OrderedDict

import pytest
import torch

from ckptkit.errors import LimitExceededError, UnreadableCheckpointError
from ckptkit.model.finding import Verdict
from ckptkit.model.inert import ClassRef, Instance
from ckptkit.model.tensor import Storage, Tensor
from ckptkit.storage.pickles import Pickle, load
from ckptkit.storage.pickles.torch_values import TypedStorage, storage_element
from ckptkit.storage.source import MemorySource
from tests.storage.pickles.streams import name


def read_saved(value: object, protocol: int = 2) -> Pickle:
    """Read what `torch.save` wrote, with the storages of its zip."""
    file = io.BytesIO()
    torch.save(value, file, pickle_protocol=protocol)
    archive = zipfile.ZipFile(file)
    root = archive.namelist()[0].partition("/")[0]
    storages: dict[str, TypedStorage] = {}

    def persistent(pid: object) -> object:
        assert isinstance(pid, tuple)
        kind, dtype, _size = storage_element(pid[1])
        if pid[2] not in storages:
            source = MemorySource(archive.read(f"{root}/data/{pid[2]}"), pid[2])
            storages[pid[2]] = TypedStorage(Storage(source, key=pid[2]), dtype, pid[4], kind)
        return storages[pid[2]]

    return load(archive.read(f"{root}/data.pkl"), where="data.pkl", persistent=persistent)


def raw(value: torch.Tensor) -> bytes:
    return value.detach().contiguous().view(-1).view(torch.uint8).numpy().tobytes() if value.numel() else b""


DTYPES = [
    *(
        torch.float32,
        torch.float64,
        torch.float16,
        torch.bfloat16,
        torch.int8,
        torch.int16,
        torch.int32,
        torch.int64,
    ),
    *(torch.uint8, torch.uint16, torch.uint32, torch.uint64, torch.bool, torch.complex64),
    *(
        torch.float8_e5m2,
        torch.float8_e4m3fn,
        torch.float8_e4m3fnuz,
        torch.float8_e5m2fnuz,
        torch.float8_e8m0fnu,
    ),
]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_every_dtype(dtype: torch.dtype, protocol: int) -> None:
    value = torch.arange(12).reshape(3, 4).to(torch.float32).to(dtype)
    views = [value, value.t(), value[1:, ::2], value[0, 0], value[:0], value.expand(2, 3, 4)]
    found = read_saved(views, protocol)
    assert found.verdict is Verdict.DATA_ONLY
    assert isinstance(found.root, list)
    for tensor, view in zip(found.root, views, strict=True):
        assert isinstance(tensor, Tensor)
        assert (tensor.dtype.torch, tensor.shape, tensor.strides) == (
            str(dtype).removeprefix("torch."),
            tuple(view.shape),
            tuple(view.stride()),
        )
        assert tensor.tobytes() == raw(view)
    assert len({id(tensor.storage) for tensor in found.root}) == 1


def test_parameters_and_attributes_are_the_tensor() -> None:
    parameter = torch.nn.Parameter(torch.ones(2))
    noted = torch.nn.Parameter(torch.ones(3))
    noted.note = "x"
    tagged = torch.zeros(2)
    tagged.note = "x"
    found = read_saved([parameter, noted, tagged, torch.nn.Buffer(torch.ones(2)), torch.Size([1, 2])])
    assert found.verdict is Verdict.DATA_ONLY
    assert isinstance(found.root, list)
    assert all(isinstance(value, Tensor) for value in found.root[:4])
    assert found.root[4] == (1, 2)


@pytest.mark.filterwarnings("ignore:Sparse CSR", "ignore:The PyTorch API of nested tensors")
def test_what_has_no_plain_form_is_described() -> None:
    values = {
        "sparse": torch.eye(3).to_sparse(),
        "rows": torch.eye(3).to_sparse_csr(),
        "meta": torch.zeros(2, device="meta"),
        "double complex": torch.zeros(2, dtype=torch.complex128),
        "conjugate": torch.zeros(2, dtype=torch.complex64).conj(),
        "negated": torch.zeros(2, dtype=torch.complex64).conj().imag,
        "jagged": torch.nested.nested_tensor([torch.zeros(2), torch.zeros(3)]),
    }
    for case, value in values.items():
        found = read_saved({case: value})
        assert found.verdict is Verdict.DATA_ONLY, case
        assert isinstance(found.root, dict)
        assert isinstance(found.root[case], Instance), case


def test_state_dicts_keep_their_metadata() -> None:
    found = read_saved(torch.nn.BatchNorm1d(2).state_dict())
    assert isinstance(found.root, dict)
    assert list(found.root) == ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"]
    assert found.root.state["_metadata"][""] == {"version": 2}


@pytest.mark.parametrize("protocol", [2, 4])
def test_modules_and_optimizers_are_described(protocol: int) -> None:
    module = torch.nn.Sequential(torch.nn.LSTM(3, 4), torch.nn.BatchNorm1d(3), torch.nn.ELU())
    optimizer = torch.optim.AdamW(module.parameters())
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 2)
    found = read_saved(
        [module, optimizer, scheduler, torch.nn.ReLU, torch.device("cuda:1"), torch.float16], protocol
    )
    assert found.verdict is Verdict.DATA_ONLY, found.globals
    assert isinstance(found.root, list)
    assert found.root[0].cls == ClassRef("torch.nn.modules.container", "Sequential")
    assert found.root[4].args == ("cuda", 1)
    assert found.root[5] == ClassRef("torch", "float16")


def test_tensors_inside_plain_pickles() -> None:
    found = load(pickle.dumps({"w": torch.arange(3)}), where="x.pkl")
    assert found.verdict is Verdict.DATA_ONLY
    assert isinstance(found.root, dict)
    assert found.root["w"].tobytes() == raw(torch.arange(3))


def rebuild(offset: bytes, size: bytes, stride: bytes) -> bytes:
    parts = name("torch._utils", "_rebuild_tensor_v2") + b"(N" + b"Q" + offset + size + stride + b"\x89"
    return b"\x80\x02" + parts + name("collections", "OrderedDict") + b")RtR."


def storage(nbytes: int) -> TypedStorage:
    kind, dtype, size = storage_element(ClassRef("torch", "FloatStorage"))
    return TypedStorage(Storage(MemorySource(bytes(nbytes), "0"), key="0"), dtype, nbytes // size, kind)


def integer(value: int) -> bytes:
    data = value.to_bytes(9, "little", signed=True)
    return b"\x8a\x09" + data


@pytest.mark.parametrize(
    ("offset", "size", "stride"),
    [
        (0, (3,), (1,)),
        (2, (1,), (1,)),
        (-1, (1,), (1,)),
        (0, (-1,), (1,)),
        (0, (2,), (-1,)),
        (0, (2, 2), (2,)),
        (0, (2,), (2,)),
        (0, (1 << 62, 1 << 62), (0, 0)),
        (1 << 63, (0,), (1,)),
        (0, (1 << 40,), (1 << 40,)),
    ],
)
def test_a_view_outside_its_storage_is_refused(
    offset: int, size: tuple[int, ...], stride: tuple[int, ...]
) -> None:
    parts = (b"(" + b"".join(integer(value) for value in numbers) + b"t" for numbers in (size, stride))
    data = rebuild(integer(offset), *parts)
    with pytest.raises(UnreadableCheckpointError, match="tensor in storage '0'"):
        load(data, where="x", persistent=lambda pid: storage(8))


def test_a_view_that_repeats_without_end_is_refused() -> None:
    data = rebuild(b"K\x00", integer(1 << 40) + b"\x85", b"K\x00\x85")
    with pytest.raises(LimitExceededError):
        load(data, where="x", persistent=lambda pid: storage(4))


@pytest.mark.parametrize(
    "size", [b"N", b"K\x01", b"](K\x01e", b"\x88\x85", b"G?\xf0\x00\x00\x00\x00\x00\x00\x85"]
)
def test_sizes_that_are_no_integers_are_refused(size: bytes) -> None:
    with pytest.raises(UnreadableCheckpointError):
        load(rebuild(b"K\x00", size, b"K\x01\x85"), where="x", persistent=lambda pid: storage(8))


def test_hooks_are_forbidden() -> None:
    hooks = b"}" + b"X\x01\x00\x00\x00a" + name("math", "cos") + b"s"
    parts = name("torch._utils", "_rebuild_tensor_v2") + b"(NQK\x00K\x01\x85K\x01\x85\x89" + hooks + b"tR."
    found = load(b"\x80\x02" + parts, where="x", persistent=lambda pid: storage(8))
    assert found.verdict is Verdict.UNSAFE


def test_a_forbidden_name_in_an_inner_torch_file_is_found() -> None:
    file = io.BytesIO()
    torch.save({"a": struct.calcsize}, file)
    data = b"\x80\x02" + name("torch.storage", "_load_from_bytes")
    inner = file.getvalue()
    found = load(data + b"B" + struct.pack("<I", len(inner)) + inner + b"\x85R.", where="x")
    assert found.verdict is Verdict.UNSAFE
    assert ("_struct", "calcsize") in [(use.module, use.name) for use in found.globals]


def test_fifty_thousand_tensors_take_about_a_second() -> None:
    import time

    values = OrderedDict((f"layer.{i}.weight", torch.zeros(1)) for i in range(2000))
    started = time.perf_counter()
    found = read_saved(values)
    assert isinstance(found.root, dict)
    assert len(found.root) == 2000
    assert time.perf_counter() - started < 5
