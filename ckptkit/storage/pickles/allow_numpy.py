"""numpy's part of the allow-list: dtypes, arrays, scalars, random generators.

Names of both spellings (`numpy.core`, `numpy._core`) arrive here as `numpy._core`.
Source: numpy 1.16 to 2.4.
"""
# ruff: noqa: ARG001 - every rule has the same signature

from ckptkit.model.inert import ClassRef, Instance, NdArray
from ckptkit.storage.pickles.machine import Entry, Machine, Refuse
from ckptkit.storage.pickles.numpy_values import (
    ARRAY,
    DTYPE,
    NAMED,
    dtype_text,
    itemsize,
    normalised,
    raw_bytes,
    scalar,
    shape_of,
    simple_array,
)
from ckptkit.storage.pickles.rules import REFERENCE, describe_bare, set_state, words

_SUBTYPES = {ARRAY, ("numpy", "matrix"), ("numpy.matrixlib.defmatrix", "matrix")}


def _dtype(m: Machine, ref: ClassRef, args: tuple[object, ...]) -> Instance:
    """`dtype("f4", False, True)`; BUILD then says the byte order."""
    if not 1 <= len(args) <= 3 or not all(arg in (0, 1) for arg in args[1:]):
        raise Refuse("gets something else than a type string and two flags")
    if isinstance(args[0], str):
        return Instance(ref, (normalised(args[0]),))
    code = dtype_text(args[0])
    if code is None:
        raise Refuse("gets something that is no type string")
    return Instance(ref, (code,))


def _dtype_state(m: Machine, instance: Instance, state: object) -> None:
    """`(version, order, subdtype, names, fields, itemsize, alignment, flags[, metadata])`."""
    if not isinstance(state, tuple) or not 5 <= len(state) <= 9 or type(state[0]) is not int:
        raise Refuse("gets something that is no dtype state")
    order = state[1]
    if order not in ("<", ">", "|", "="):
        raise Refuse("gets something that is no byte order")
    code = dtype_text(instance)
    if code is None:
        raise Refuse("gets a second state")
    sized = code[1] in "SU" and len(state) > 5 and type(state[5]) is int and state[5] > 0
    if sized and code[2:] == "0":
        code = f"{code[:2]}{state[5] // (4 if code[1] == 'U' else 1)}"
    instance.args = (normalised(code[1:], order),)
    if any(part is not None for part in (state[2], state[3], state[4])) or code[1] in "mMV":
        set_state(m, instance, state)


def _reconstruct(m: Machine, ref: ClassRef, args: tuple[object, ...]) -> NdArray:
    """`_reconstruct(ndarray, (0,), b"b")`: an empty array that BUILD fills."""
    if len(args) != 3 or not isinstance(args[0], ClassRef):
        raise Refuse("gets something else than an array class, a shape and a type")
    if (args[0].module, args[0].name) not in _SUBTYPES or args[2] not in (b"b", "b"):
        raise Refuse(f"makes an array of class {args[0]}")
    if shape_of(args[1]) != (0,):
        raise Refuse("makes an array that is not empty")
    return NdArray("|i1", (0,), b"")


def _frombuffer(m: Machine, ref: ClassRef, args: tuple[object, ...]) -> object:
    """`_frombuffer(buffer, dtype, shape, order[, axis_order])`."""
    if not 4 <= len(args) <= 5 or args[3] not in ("C", "F", "K", "A"):
        raise Refuse("gets something else than a buffer, a dtype, a shape and an order")
    shape, code = shape_of(args[2]), dtype_text(args[1])
    if code is None or code == "|O" or code[1] in "mM":
        return Instance(m.name(*ARRAY, m.opcode), (shape, args[1]), state=args[0])
    axes = args[4] if len(args) == 5 else None
    if args[3] == "K" and axes is not None:
        return _transposed(m, code, shape, raw_bytes(args[0]), axes)
    return simple_array(m, code, shape, raw_bytes(args[0]), column_major=args[3] == "F")


def _transposed(m: Machine, code: str, shape: tuple[int, ...], data: bytes, axes: object) -> NdArray:
    """Return the array of row-major `data` with its axes in another order."""
    order = shape_of(axes)
    if sorted(order) != list(range(len(shape))):
        raise Refuse("gets something that is no order of axes")
    plain = simple_array(m, code, shape, data, column_major=False)
    sizes = tuple(shape[axis] for axis in order)
    if not plain.data:
        return NdArray(plain.dtype, sizes, b"")
    import numpy as np

    elements = np.frombuffer(plain.data, f"V{itemsize(code)}").reshape(shape)
    return NdArray(plain.dtype, sizes, elements.transpose(order).tobytes())


def _scalar(m: Machine, ref: ClassRef, args: tuple[object, ...]) -> object:
    """`scalar(dtype, bytes)`: a plain Python value where there is one of the same value."""
    if not 1 <= len(args) <= 2:
        raise Refuse("gets something else than a dtype and bytes")
    code = dtype_text(args[0])
    if code == "|O":
        return args[1] if len(args) == 2 else None
    if code is None or len(args) == 1:
        if not isinstance(args[0], Instance):
            raise Refuse("gets something that is no dtype")
        return Instance(ref, args)
    value = scalar(code, raw_bytes(args[1]))
    return Instance(ref, args) if value is None else value


def _seeded(m: Machine, ref: ClassRef, args: tuple[object, ...]) -> Instance:
    """A random generator by the name or the class of its bit generator."""
    if len(args) > 2 or not all(_is_bit_generator(arg) for arg in args):
        raise Refuse("gets something that is no bit generator of numpy")
    return Instance(ref, args)


def _is_bit_generator(value: object) -> bool:
    if isinstance(value, Instance):
        value = value.cls
    if isinstance(value, ClassRef):
        return value.module.startswith("numpy.random")
    return isinstance(value, str) and value in BIT_GENERATORS


def _seed_sequence(m: Machine, ref: ClassRef, args: tuple[object, ...]) -> Instance:
    """`__pyx_unpickle_SeedSequence(cls, checksum, state)`."""
    if len(args) != 3 or not isinstance(args[0], ClassRef) or type(args[1]) is not int:
        raise Refuse("gets something else than a class, a checksum and a state")
    if not args[0].module.startswith("numpy.random") or not isinstance(args[2], tuple | None):
        raise Refuse(f"makes an instance of {args[0]}")
    return Instance(args[0], (), state=args[2])


def _ufunc(m: Machine, ref: ClassRef, args: tuple[object, ...]) -> ClassRef:
    """`_ufunc_reconstruct("numpy", "exp")`: how old versions name a ufunc."""
    match args:
        case (str(module), str(name)) if module in ("numpy", "numpy.core._multiarray_umath"):
            return m.name("numpy", name, m.opcode)
    raise Refuse("names something that is no ufunc of numpy")


BIT_GENERATORS = frozenset(("MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64"))
"""Names of numpy's bit generators."""

_FUNCTIONS = words(
    "abs absolute add all amax amin any append arange arctan arctan2 argmax argmin array array_equal "
    "asarray ascontiguousarray bincount ceil clip column_stack concatenate copy cos cosh cumprod "
    "cumsum diff divide dot einsum empty empty_like exp expand_dims eye flip float_power floor full "
    "full_like greater hstack inf interp isfinite isinf isnan less linspace log log10 log1p log2 "
    "logical_and logical_not logical_or logspace max maximum mean median meshgrid min minimum mod "
    "moveaxis multiply nan_to_num negative ones ones_like outer pad percentile power prod quantile "
    "ravel repeat reshape roll rot90 round sign sin sinh sort split sqrt square squeeze stack std "
    "subtract sum swapaxes take tan tanh tile transpose tril triu trunc unique var vstack where zeros "
    "zeros_like"
)

_SCALAR_CLASSES = (
    *NAMED,
    *words("generic number integer signedinteger unsignedinteger inexact floating complexfloating"),
    *words("str_ bytes_ void intc uintc intp uintp longlong ulonglong longdouble half single double"),
)

ALLOWED: dict[tuple[str, str], Entry] = {
    DTYPE: Entry("dtype, described", call=_dtype, build=_dtype_state),
    ARRAY: REFERENCE,
    ("numpy", "matrix"): REFERENCE,
    ("numpy.matrixlib.defmatrix", "matrix"): REFERENCE,
    ("numpy._core.multiarray", "_reconstruct"): Entry("array", call=_reconstruct),
    ("numpy._core.multiarray", "scalar"): Entry("scalar", call=_scalar),
    ("numpy._core.numeric", "_frombuffer"): Entry("array", call=_frombuffer),
    ("numpy._core", "_ufunc_reconstruct"): Entry("ufunc by name", call=_ufunc),
    ("numpy.random._pickle", "__randomstate_ctor"): Entry("random state, described", call=_seeded),
    ("numpy.random._pickle", "__generator_ctor"): Entry("random state, described", call=_seeded),
    ("numpy.random._pickle", "__bit_generator_ctor"): Entry("random state, described", call=_seeded),
    ("numpy.random", "__RandomState_ctor"): Entry("random state, described", call=describe_bare),
    ("numpy.random.mtrand", "__RandomState_ctor"): Entry("random state, described", call=describe_bare),
    ("numpy.random.mtrand", "RandomState"): REFERENCE,
    ("numpy.random._generator", "Generator"): REFERENCE,
    ("numpy.random.bit_generator", "SeedSequence"): Entry("seed, described", new=describe_bare),
    ("numpy.random.bit_generator", "__pyx_unpickle_SeedSequence"): Entry(
        "seed, described", call=_seed_sequence
    ),
    **{("numpy", name): REFERENCE for name in (*_SCALAR_CLASSES, *_FUNCTIONS)},
    **{
        (f"numpy.random._{stem}", name): REFERENCE
        for stem, name in (
            ("mt19937", "MT19937"),
            ("pcg64", "PCG64"),
            ("pcg64", "PCG64DXSM"),
            ("philox", "Philox"),
            ("sfc64", "SFC64"),
        )
    },
}
"""What numpy's globals may do, by canonical module and name."""
