"""torch's part of the allow-list: tensors, parameters, sizes, devices, modules, optimizers.

Source: torch 2.13.0, `torch/_utils.py`, `torch/_tensor.py`, `torch/storage.py`,
`torch/_weights_only_unpickler.py`; names back to torch 1.0.
"""
# ruff: noqa: ARG001 - every rule has the same signature

import re

from ckptkit.errors import CkptkitError, UnreadableCheckpointError, UnsafeCheckpointError
from ckptkit.model.inert import ClassRef, Instance
from ckptkit.model.tensor import Tensor
from ckptkit.storage.pickles.machine import Entry, Machine, Refuse
from ckptkit.storage.pickles.nested import merge
from ckptkit.storage.pickles.rules import BARE, REFERENCE, describe, describe_plain, words
from ckptkit.storage.pickles.tensors import rebuild, rebuild_v3
from ckptkit.storage.pickles.torch_values import STORAGE_NAMES


def _parameter(m: Machine, ref: ClassRef, args: tuple[object, ...]) -> object:
    """`_rebuild_parameter(tensor, requires_grad, hooks[, state])`: the tensor itself."""
    wanted = 4 if ref.name.endswith("_with_state") else 3
    if (
        len(args) != wanted
        or not isinstance(args[0], Tensor | Instance)
        or not isinstance(args[2], dict)
        or args[2]
    ):
        raise Refuse("gets something else than a tensor, a flag and no hooks")
    return args[0]


def _size(m: Machine, ref: ClassRef, args: tuple[object, ...]) -> tuple[object, ...]:
    """`torch.Size((3, 4))`: a plain tuple."""
    match args:
        case ():
            return ()
        case ((list() | tuple()) as sizes,) if all(type(size) is int for size in sizes):
            m.spend(8 * len(sizes))
            return tuple(sizes)
    raise Refuse("gets something else than sizes")


def _layout(m: Machine, ref: ClassRef, args: tuple[object, ...]) -> ClassRef:
    """`_get_layout("torch.strided")`: a reference to the layout."""
    match args:
        case (str(name),) if name.removeprefix("torch.") in _LAYOUTS:
            return m.name("torch", name.removeprefix("torch."), m.opcode)
    raise Refuse("gets something that is no layout")


def _version(m: Machine, ref: ClassRef, args: tuple[object, ...]) -> str:
    """`TorchVersion("2.1.0")`, a subclass of `str`."""
    match args:
        case (str(text),):
            return text
    raise Refuse("gets something that is no version")


def _tagged(m: Machine, ref: ClassRef, args: tuple[object, ...]) -> object:
    """`_rebuild_from_type_v2(function, class, arguments, state)`: a tensor with attributes."""
    if len(args) != 4 or not isinstance(args[0], ClassRef) or not isinstance(args[2], tuple):
        raise Refuse("gets something else than a function, a class, arguments and a state")
    entry = m.entries.get(id(args[0]))
    if not args[0].name.startswith("_rebuild_") or entry is None or entry.call is None:
        raise Refuse(f"calls {args[0]}")
    value = entry.call(m, args[0], args[2])
    plain = isinstance(args[1], ClassRef) and str(args[1]) in _TENSOR_CLASSES
    return value if plain else Instance(ref, (value, args[1]), state=args[3])


def _from_bytes(m: Machine, ref: ClassRef, args: tuple[object, ...]) -> object:
    """`_load_from_bytes(b"…")`: a whole torch file inside the pickle."""
    from ckptkit.storage.pickles.embedded import open_embedded

    if len(args) != 1 or not isinstance(args[0], bytes | bytearray):
        raise Refuse("gets something else than bytes")
    try:
        inner = open_embedded(m, bytes(args[0]))
    except UnsafeCheckpointError as error:
        raise Refuse(f"a torch file inside it: {error.what}") from error
    except CkptkitError as error:
        raise UnreadableCheckpointError(f"torch file inside a pickle: {error.what}", where=m.where) from error
    merge(m, inner.verdict, inner.globals, inner.code, m.opcode)
    return inner.root


_LAYOUTS = words(
    "strided sparse_coo sparse_csr sparse_csc sparse_bsr sparse_bsc _mkldnn jagged contiguous_format "
    "channels_last channels_last_3d preserve_format"
)
_DTYPES = words(
    "bool uint8 uint16 uint32 uint64 int8 int16 int32 int64 half float double short int long float16 "
    "float32 float64 bfloat16 complex32 complex64 complex128 chalf cfloat cdouble quint8 qint8 qint32 "
    "quint4x2 quint2x4 float8_e5m2 float8_e4m3fn float8_e5m2fnuz float8_e4m3fnuz float8_e8m0fnu "
    "float4_e2m1fn_x2 uint1 uint2 uint3 uint4 uint5 uint6 uint7 int1 int2 int3 int4 int5 int6 int7 "
    "bits8 bits16 bits1x8 bits2x4 bits4x2"
)
_SCHEMES = words(
    "per_tensor_affine per_channel_affine per_tensor_symmetric per_channel_symmetric "
    "per_channel_affine_float_qparams"
)
_FUNCTIONS = words(
    "abs add argmax cat celu clamp cos cosh dot dropout einsum exp flatten floor log log_softmax "
    "matmul max mean min mm mul neg ones ones_like pow prelu relu relu_ round rrelu selu sigmoid sign "
    "sin softmax sqrt square stack sub sum tan tanh tensor threshold transpose where zeros zeros_like "
    "no_grad Tensor Size Generator"
)
_DESCRIBED = words(
    "_rebuild_qtensor _rebuild_sparse_tensor _rebuild_sparse_csr_tensor _rebuild_nested_tensor "
    "_rebuild_meta_tensor_no_storage _rebuild_device_tensor_from_numpy "
    "_rebuild_device_tensor_from_cpu_tensor _rebuild_wrapper_subclass _rebuild_xla_tensor "
    "_rebuild_mkldnn_tensor"
)
_TENSOR_CLASSES = (
    "torch.Tensor",
    "torch._tensor.Tensor",
    "torch.nn.parameter.Parameter",
    "torch.nn.parameter.Buffer",
)
_UNSUPPORTED = Entry("tensor without a plain form, described", call=describe)

ALLOWED: dict[tuple[str, str], Entry] = {
    **{("torch", name): REFERENCE for name in (*_LAYOUTS, *_DTYPES, *_SCHEMES, *_FUNCTIONS)},
    **{
        (module, name): REFERENCE
        for module in ("torch", "torch.cuda", "torch.storage")
        for name in STORAGE_NAMES
    },
    **{("torch._utils", name): _UNSUPPORTED for name in _DESCRIBED},
    ("torch._utils", "_rebuild_tensor"): Entry("tensor", call=rebuild),
    ("torch._utils", "_rebuild_tensor_v2"): Entry("tensor", call=rebuild),
    ("torch._utils", "_rebuild_tensor_v3"): Entry("tensor", call=rebuild_v3),
    ("torch._utils", "_rebuild_parameter"): Entry("tensor", call=_parameter),
    ("torch._utils", "_rebuild_parameter_with_state"): Entry("tensor", call=_parameter),
    ("torch._tensor", "_rebuild_from_type_v2"): Entry("tensor", call=_tagged),
    ("torch._tensor", "Tensor"): REFERENCE,
    ("torch.storage", "_load_from_bytes"): Entry("torch file inside a pickle", call=_from_bytes),
    ("torch.serialization", "_get_layout"): Entry("layout", call=_layout),
    ("torch", "Size"): Entry("tuple", call=_size, new=_size),
    ("torch", "device"): Entry("device, described", call=describe_plain),
    ("torch.torch_version", "TorchVersion"): Entry("text", call=_version, new=_version),
    ("torch._C", "_VariableFunctionsClass"): REFERENCE,
    ("torch.nn.parameter", "UninitializedParameter"): _UNSUPPORTED,
    ("torch.nn.parameter", "UninitializedBuffer"): _UNSUPPORTED,
    ("torch.nested._internal.nested_tensor", "_rebuild_njt"): _UNSUPPORTED,
    ("torch.nested._internal.nested_tensor", "NestedTensor"): REFERENCE,
    ("torch._dynamo.decorators", "_DimRange"): Entry("described, never made", call=describe, new=describe),
    ("torch.utils.hooks", "RemovableHandle"): Entry("described, never made", new=describe),
}
"""What torch's globals may do, by canonical module and name."""

_CLASSES = re.compile(
    r"torch\.nn\.(modules|intrinsic|quantized|qat|quantizable|parallel)(\.[a-z_0-9]+)*"
    r"|torch\.nn\.(parameter|utils(\.[a-z_]+)?)|torch\.nn|torch\.ao\.nn(\.[a-z_]+)*"
    r"|torch\.optim(\.[a-z_0-9]+)*|torch\.distributions(\.[a-z_0-9]+)*"
    r"|torch\.(cuda\.)?amp\.grad_scaler|torch\.utils\.hooks"
)
_FUNCTION_MODULES = (
    "torch.nn.functional",
    "torch.nn.init",
    "torch._C._nn",
    "torch.special",
    "torch.optim.lr_scheduler",
)


def torch_family(module: str, name: str) -> Entry | None:
    """Return what a class of torch's modules, optimizers, schedulers or distributions may do."""
    if name.lstrip("_")[:1].isupper() and _CLASSES.fullmatch(module):
        return BARE
    if module in _FUNCTION_MODULES:
        return REFERENCE
    return None
