"""Apply the JSON Schemas of `schemas/`, which the package finds in a wheel and in a checkout.

There is one spec version so far, hence nothing to carry from one version to the next.
"""

from collections.abc import Mapping

from ckptkit.schema.apply import Problem, unknown_fields, validate
from ckptkit.schema.catalogue import find, names, read

__all__ = ["MANIFEST", "Problem", "find", "names", "read", "unknown_fields", "validate", "validate_manifest"]

MANIFEST = "manifest-2.0"


def validate_manifest(manifest: Mapping[str, object], strict: bool = False) -> list[Problem]:
    """Return every problem of a manifest of major version 2, in document order.

    Args:
        manifest: Parsed JSON, free of what I-JSON refuses (`model.ijson`).
        strict: Refuse unknown members other than `x-*`; they have the kind `unknown-field`.
    """
    return validate(MANIFEST, manifest, strict=strict)
