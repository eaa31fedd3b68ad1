"""The pipeline: read, inspect, validate, convert, export and load, each a few steps over one checkpoint.

The command line calls exactly these functions; so can any program. Each is imported when it is first
asked for, so that looking into a file costs no import of what writes one.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ckptkit.api.baselining import write_baseline
    from ckptkit.api.comparing import diff
    from ckptkit.api.compatibility import check_compatibility
    from ckptkit.api.configuring import settings
    from ckptkit.api.converting import convert
    from ckptkit.api.exporting import OwnModule, export_onnx
    from ckptkit.api.inspecting import inspect, inspect_each
    from ckptkit.api.loading import load
    from ckptkit.api.migrating import migrate
    from ckptkit.api.part_loading import load_parts
    from ckptkit.api.reading import find, read
    from ckptkit.api.recovering import recover, recover_each
    from ckptkit.api.repairing import repair
    from ckptkit.api.scanning import scan
    from ckptkit.api.surveying import survey
    from ckptkit.api.targeting import bundles, changed_since
    from ckptkit.api.validating import validate

__all__ = [
    "OwnModule",
    "bundles",
    "changed_since",
    "check_compatibility",
    "convert",
    "diff",
    "export_onnx",
    "find",
    "inspect",
    "inspect_each",
    "load",
    "load_parts",
    "migrate",
    "read",
    "recover",
    "recover_each",
    "repair",
    "scan",
    "settings",
    "survey",
    "validate",
    "write_baseline",
]

_MODULES = {
    "OwnModule": "exporting",
    "check_compatibility": "compatibility",
    "bundles": "targeting",
    "changed_since": "targeting",
    "convert": "converting",
    "diff": "comparing",
    "export_onnx": "exporting",
    "find": "reading",
    "inspect": "inspecting",
    "inspect_each": "inspecting",
    "load": "loading",
    "load_parts": "part_loading",
    "migrate": "migrating",
    "read": "reading",
    "recover": "recovering",
    "recover_each": "recovering",
    "repair": "repairing",
    "scan": "scanning",
    "settings": "configuring",
    "survey": "surveying",
    "validate": "validating",
    "write_baseline": "baselining",
}


def __getattr__(name: str) -> object:
    """Import the module of a function when that is first asked for."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
