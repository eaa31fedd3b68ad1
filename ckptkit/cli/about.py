"""What `ckptkit --version` prints: everything that a report of an error has to say of an installation."""

import platform
from collections.abc import Iterator
from importlib import metadata

from ckptkit.model.extras import PARTS
from ckptkit.version import SPEC_VERSION, __version__

NEEDED = ("click", "jsonschema", "numpy", "platformdirs", "rich")
"""Packages that ckptkit does not run without."""
EXTRAS = {**PARTS, "fast": ("jsonschema_rs",)}


def text() -> str:
    """Return versions of ckptkit, its rules, Python, the system and the packages that it can use."""
    from ckptkit.api.caching import ruleset

    rows = [
        ("rules", ruleset()),
        ("python", f"{platform.python_version()} ({platform.python_implementation()})"),
        ("platform", platform.platform()),
        ("packages", ", ".join(_versions(NEEDED))),
        *((f"[{extra}]", ", ".join(_versions(packages))) for extra, packages in sorted(EXTRAS.items())),
    ]
    width = max(len(name) for name, _ in rows)
    lines = [
        f"ckptkit {__version__} (spec {SPEC_VERSION})",
        *(f"{name:{width}}  {said}" for name, said in rows),
    ]
    return "\n".join(lines) + "\n"


def _versions(packages: tuple[str, ...]) -> Iterator[str]:
    for package in packages:
        name = package.replace("_", "-")
        try:
            yield f"{name} {metadata.version(name)}"
        except metadata.PackageNotFoundError:
            yield f"{name} not installed"
