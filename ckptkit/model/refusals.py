"""Tensors and names that no bundle can hold, and how each refusal reads."""

import re

from ckptkit.errors import UnsupportedTensorError
from ckptkit.model.inert import ClassRef, Instance

REBUILDERS = {
    "_rebuild_qtensor": "is quantized",
    "_rebuild_sparse_tensor": "is sparse",
    "_rebuild_sparse_csr_tensor": "is sparse",
    "_rebuild_nested_tensor": "is a nested tensor",
    "_rebuild_meta_tensor_no_storage": "is on the meta device, so that the file holds no data of it",
    "_rebuild_wrapper_subclass": "is of a tensor subclass whose data only its own code can read",
    "_rebuild_from_type": "is of a tensor subclass",
    "_rebuild_from_type_v2": "is of a tensor subclass",
    "_rebuild_device_tensor_from_numpy": "was saved from a device that stores it in a form of its own",
    "_rebuild_device_tensor_from_cpu_tensor": "was saved from a device that stores it in a form of its own",
    "_rebuild_mkldnn_tensor": "is in MKL-DNN's own layout",
    "_rebuild_xla_tensor": "was saved from a device that stores it in a form of its own",
}
"""Functions of torch that give tensors without a safetensors form, by what their tensors are."""

UNINITIALIZED = ("UninitializedParameter", "UninitializedBuffer")
FIXES = {
    "is quantized": "dequantize it and save again",
    "is sparse": "call .to_dense() and save again",
    "is a nested tensor": "save its parts as tensors of their own",
    "is a conjugated or negated view, whose bytes are not its values": "call .resolve_conj().resolve_neg()",
    "is complex128": "save it as complex64, or as two float64 tensors",
}
"""What to do about it, where there is something better than the general advice."""


def why_refused(value: object) -> str:
    """Return why `value`, a tensor, has no form in a bundle; empty where it is no such tensor."""
    if not isinstance(value, Instance) or not isinstance(value.cls, ClassRef):
        return ""
    module, name = value.cls.module, value.cls.name
    if not module.startswith("torch"):
        return ""
    if name in UNINITIALIZED:
        return "was never initialised, so that the file holds no data of it"
    if not name.startswith("_rebuild_"):
        return ""
    if name in ("_rebuild_tensor", "_rebuild_tensor_v2", "_rebuild_tensor_v3", "_rebuild_parameter"):
        return _element(value)
    return REBUILDERS.get(name, f"is stored by torch's {name}")


def _element(value: Instance) -> str:
    """Say why a plain tensor was left as a description: its elements have no form of ours."""
    for argument in value.args:
        kind = str(getattr(argument, "kind", ""))
        if kind == "ComplexDoubleStorage" or argument == ClassRef("torch", "complex128"):
            return "is complex128"
        if kind.startswith("Q"):
            return "is quantized"
        inner = why_refused(argument)
        if inner:
            return inner
        if isinstance(argument, dict) and argument.keys() & {"conj", "neg"}:
            return "is a conjugated or negated view, whose bytes are not its values"
    return "has elements of a type without a safetensors form"


def refuse(name: str, reason: str) -> UnsupportedTensorError:
    """Return the error for the tensor `name`; `reason` continues a sentence that the name starts."""
    fix = FIXES.get(reason, "convert it to a dense float or integer tensor and save again")
    return UnsupportedTensorError(f"tensor {name!r} {reason}; a bundle cannot hold it", fix=fix)


_BROKEN = re.compile("[\x00-\x1f\ud800-\udfff]")


def check_name(name: str) -> None:
    """Refuse a name that safetensors or JSON cannot hold.

    Raises:
        UnsupportedTensorError: It is empty, `__metadata__`, not Unicode, or holds control characters.
    """
    reason = ""
    if not name:
        reason = "has an empty name"
    elif name == "__metadata__":
        reason = "has the name that safetensors keeps for itself"
    elif _BROKEN.search(name):
        reason = "has a name with control characters or broken Unicode"
    if reason:
        raise UnsupportedTensorError(f"tensor {name!r} {reason}", fix="rename it and save again")
