"""CK201 to CK206: whether the manifest is a document that this specification defines."""

from collections.abc import Iterator, Mapping

from ckptkit.checks import Rule
from ckptkit.checks.view import MAJOR, MINOR, at, bundle_of, manifest_of, manifest_place, version_of
from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.finding import Finding, Severity
from ckptkit.version import SPEC_VERSION

KNOWN_EXTENSIONS: frozenset[str] = frozenset()
"""Critical extensions that this version understands."""


def check_parse(checkpoint: Checkpoint) -> Iterator[Finding]:
    """Report what keeps the manifest from being I-JSON."""
    problems = checkpoint.bundle.parse_problems if checkpoint.bundle else ()
    for problem in problems:
        message = f"the manifest is not I-JSON: {problem}"
        yield Finding("CK201", Severity.ERROR, message, manifest_place(checkpoint))


def check_schema(checkpoint: Checkpoint) -> Iterator[Finding]:
    """Report what the manifest schema forbids (CK202), and fields that it does not define (CK206)."""
    manifest = manifest_of(checkpoint)
    if bundle_of(checkpoint) is None:
        return
    from ckptkit.schema import validate_manifest

    for problem in validate_manifest(manifest, strict=True):
        unknown = problem.kind == "unknown-field"
        code, severity = ("CK206", Severity.INFO) if unknown else ("CK202", Severity.ERROR)
        place, pointer = manifest_place(checkpoint), at(checkpoint, problem.pointer)
        yield Finding(code, severity, problem.message, place, pointer)


def check_major(checkpoint: Checkpoint) -> Iterator[Finding]:
    """Report a major version that this reader does not know."""
    manifest = checkpoint.bundle.manifest if checkpoint.bundle else None
    version = version_of(manifest or {})
    if version is not None and version[0] != MAJOR:
        yield Finding(
            "CK203",
            Severity.ERROR,
            f"spec_version {version[0]}.{version[1]} is not known; this ckptkit reads {MAJOR}.x",
            manifest_place(checkpoint),
            at(checkpoint, "/spec_version"),
            "install a newer ckptkit",
        )


def check_critical(checkpoint: Checkpoint) -> Iterator[Finding]:
    """Report extensions that a reader must understand and this one does not."""
    critical = manifest_of(checkpoint).get("critical")
    for index, name in enumerate(critical if isinstance(critical, list) else ()):
        if isinstance(name, str) and name not in KNOWN_EXTENSIONS:
            yield Finding(
                "CK204",
                Severity.ERROR,
                f"critical extension {name!r} is not understood, so nothing else may be relied on",
                manifest_place(checkpoint),
                at(checkpoint, f"/critical/{index}"),
                "install a ckptkit that knows the extension",
            )


def check_declared(checkpoint: Checkpoint) -> Iterator[Finding]:
    """Report names in `critical` that no member of `extensions` has."""
    manifest = manifest_of(checkpoint)
    critical, extensions = manifest.get("critical"), manifest.get("extensions")
    declared = extensions if isinstance(extensions, Mapping) else {}
    for index, name in enumerate(critical if isinstance(critical, list) else ()):
        if isinstance(name, str) and name not in declared:
            message = f"{name!r} is critical, and extensions has no such member"
            place, pointer = manifest_place(checkpoint), at(checkpoint, f"/critical/{index}")
            yield Finding("CK214", Severity.ERROR, message, place, pointer)


def check_minor(checkpoint: Checkpoint) -> Iterator[Finding]:
    """Mention a newer minor version."""
    version = version_of(manifest_of(checkpoint))
    if version is not None and version[0] == MAJOR and version[1] > MINOR:
        message = (
            f"spec_version {version[0]}.{version[1]} is newer than {SPEC_VERSION}; what it adds is ignored"
        )
        place, pointer = manifest_place(checkpoint), at(checkpoint, "/spec_version")
        yield Finding("CK205", Severity.INFO, message, place, pointer)


RULES = (
    Rule(
        "CK201",
        "manifest-unparsable",
        Severity.ERROR,
        1,
        "The manifest is not I-JSON: broken syntax, a duplicate key, NaN or Infinity, or a byte order mark.",
        "Two JSON parsers may read such a document differently, and a digest over it would then protect two "
        "meanings at once. It is refused before any schema is applied.",
        'Write the manifest with ckptkit. Non-finite numbers have their own form, `{"$float": "-inf"}`.',
        musts=("MAN-001",),
        check=check_parse,
    ),
    Rule(
        "CK202",
        "manifest-schema",
        Severity.ERROR,
        1,
        "The manifest breaks its JSON Schema.",
        "A field that is missing, of another type or out of range cannot be relied on by any reader. "
        "Violations are listed with their JSON pointers.",
        "Mend the field, or write the bundle again from its source.",
        musts=(
            "ARC-001",
            "LEV-002",
            "MAN-002",
            "MAN-003",
            "MAN-007",
            "MAN-008",
            "MAN-009",
            "MAN-011",
            "MAN-013",
            "MAN-014",
            "VER-002",
        ),
        check=check_schema,
    ),
    Rule(
        "CK203",
        "unknown-major-version",
        Severity.ERROR,
        1,
        "The manifest states a major version of the specification that this ckptkit does not know.",
        "A new major version may give another meaning to every field, so none of them is looked at.",
        "Install a ckptkit that knows the version.",
        musts=("VER-001",),
        check=check_major,
    ),
    Rule(
        "CK204",
        "unknown-critical-extension",
        Severity.ERROR,
        1,
        "The manifest lists an extension as critical, and this ckptkit does not understand it.",
        "A writer marks an extension as critical when a reader that ignores it would read the bundle "
        "wrongly. It has to be refused by name.",
        "Install a version or plugin that understands the extension, or write the bundle without it.",
        musts=("VER-005",),
        check=check_critical,
    ),
    Rule(
        "CK205",
        "newer-minor-version",
        Severity.INFO,
        1,
        "The manifest states a newer minor version of the specification than this ckptkit knows.",
        "Minor versions only add what older readers may ignore. What was added has not been checked.",
        "Install a newer ckptkit to check the additions as well.",
        musts=("VER-002",),
        check=check_minor,
    ),
    Rule(
        "CK206",
        "unknown-field",
        Severity.INFO,
        1,
        "The manifest has a field that the specification does not define and that does not start with `x-`.",
        "Readers ignore such a field, so a misspelt one silently does nothing. Under `--strict` it is an "
        "error; there only `x-*` names may be added.",
        "Correct the spelling, or move the field to `extensions` under a name that starts with `x-`.",
        musts=("VER-004",),
        strict=Severity.ERROR,
    ),
    Rule(
        "CK214",
        "undeclared-extension",
        Severity.ERROR,
        1,
        "A name in `critical` is no member of `extensions`.",
        "What a reader has to understand must be there to be read. A name without content is a "
        "misspelling, or "
        "the extension was lost on the way.",
        "Add the extension, or take its name out of `critical`.",
        musts=("VER-006",),
        check=check_declared,
    ),
)
