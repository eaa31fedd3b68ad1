"""The pipeline: read, inspect, validate, convert, export and load, each a few steps over one checkpoint.

The command line calls exactly these functions; so can any program.
"""

from ckptkit.api.converting import convert
from ckptkit.api.exporting import OwnModule, export_onnx
from ckptkit.api.inspecting import inspect
from ckptkit.api.loading import load
from ckptkit.api.reading import find, read
from ckptkit.api.recovering import recover
from ckptkit.api.validating import validate

__all__ = ["OwnModule", "convert", "export_onnx", "find", "inspect", "load", "read", "recover", "validate"]
