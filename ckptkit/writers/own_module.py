"""Export a class of the user's own, which the user named; nothing in a file ever names one."""

import importlib
import io
import sys
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ckptkit.errors import ArchitectureError, UsageError
from ckptkit.graph.evaluation import as_torch
from ckptkit.graph.onnx_model import OPSET
from ckptkit.model.tensor import Tensor

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

INPUT, OUTPUT = "obs", "output"
ROWS = 16
SEED = 0


@dataclass(frozen=True, slots=True)
class Exported:
    """A model that torch exported.

    Attributes:
        model: Bytes of a self-contained ONNX model.
        inputs: Seeded inputs by name.
        outputs: What the module gave for them, by name.
        ir_version: ONNX's, as the exporter chose it.
    """

    model: bytes
    inputs: Mapping[str, "Array"]
    outputs: Mapping[str, "Array"]
    ir_version: int


def export(
    named: str, arguments: Mapping[str, object], tensors: Mapping[str, Tensor], shape: tuple[int, ...]
) -> Exported:
    """Load tensors into a class of the user's and export it with `torch.onnx.export`.

    Args:
        named: `package.module:Class`, importable from here or from the working directory.
        arguments: Keyword arguments of the class.
        tensors: The state dict; it must fit strictly.
        shape: Of one observation.

    Raises:
        UsageError: There is no such class, or it cannot be made.
        ArchitectureError: The tensors do not fit it, or torch cannot export it.
    """
    import onnx
    import torch

    module = _made(named, arguments)
    try:
        module.load_state_dict({name: as_torch(tensor) for name, tensor in tensors.items()}, strict=True)
        module.eval()
        rows = torch.randn((ROWS, *shape), generator=torch.Generator().manual_seed(SEED))
        with torch.no_grad():
            given = _named(module(rows))
        data = _export(module, rows[:2], list(given))
    except (RuntimeError, ValueError, TypeError) as error:
        raise ArchitectureError(f"{named}: {' '.join(str(error).split())}") from error
    outputs = {name: value.numpy() for name, value in given.items()}
    return Exported(data, {INPUT: rows.numpy()}, outputs, int(onnx.load_model_from_string(data).ir_version))


def _made(named: str, arguments: Mapping[str, object]) -> Any:
    from torch import nn

    package, colon, name = named.partition(":")
    if not (package and colon and name):
        raise UsageError(f"{named!r} is not of the form package.module:Class")
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        found = getattr(importlib.import_module(package), name, None)
    except ImportError as error:
        raise UsageError(f"{package} cannot be imported: {error}") from error
    finally:
        sys.path.remove(here)
    if not (isinstance(found, type) and issubclass(found, nn.Module)):
        raise UsageError(f"{named} is no torch.nn.Module class")
    try:
        return found(**arguments)
    except TypeError as error:
        raise UsageError(
            f"{named} cannot be made: {error}", fix="--module-kwargs JSON gives arguments"
        ) from error


def _named(output: Any) -> dict[str, Any]:
    if isinstance(output, dict):
        return {str(name): value for name, value in output.items()}
    if isinstance(output, list | tuple):
        return {f"{OUTPUT}.{index}": value for index, value in enumerate(output)}
    return {OUTPUT: output}


def _export(module: Any, example: Any, outputs: list[str]) -> bytes:
    import torch

    file = io.BytesIO()
    with warnings.catch_warnings():
        # The exporter that needs no further package is announced as deprecated on every call.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            (example,),
            file,
            dynamo=False,
            opset_version=OPSET,
            do_constant_folding=False,
            input_names=[INPUT],
            output_names=outputs,
            dynamic_axes={name: {0: "batch"} for name in (INPUT, *outputs)},
        )
    return file.getvalue()
