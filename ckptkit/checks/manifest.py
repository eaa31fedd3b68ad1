"""CK201 to CK206: whether the manifest is a document that this specification defines."""

from collections.abc import Iterator, Mapping

from ckptkit.checks import Rule
from ckptkit.checks.view import at, bundle_of, manifest_of, manifest_place
from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.finding import Finding, Severity
from ckptkit.version import SPEC_VERSION

MAJOR, MINOR = (int(part) for part in SPEC_VERSION.split("."))
KNOWN_EXTENSIONS: frozenset[str] = frozenset()
"""Critical extensions that this version understands."""


def version_of(manifest: Mapping[str, object]) -> tuple[int, int] | None:
    """Return (major, minor) of `spec_version`; None where it is missing or not of that form."""
    text = manifest.get("spec_version")
    major, dot, minor = text.partition(".") if isinstance(text, str) else ("", "", "")
    if dot and all(part.isascii() and part.isdigit() and len(part) < 9 for part in (major, minor)):
        return int(major), int(minor)
    return None


def is_foreign(manifest: Mapping[str, object]) -> bool:
    """Whether the manifest states another major version, so that its fields may mean anything."""
    version = version_of(manifest)
    return version is not None and version[0] != MAJOR


def check_parse(checkpoint: Checkpoint) -> Iterator[Finding]:
    """Report what keeps the manifest from being I-JSON."""
    problems = checkpoint.bundle.parse_problems if checkpoint.bundle else ()
    for problem in problems:
        message = f"the manifest is not I-JSON: {problem}"
        yield Finding("CK201", Severity.ERROR, message, manifest_place(checkpoint))


def check_schema(checkpoint: Checkpoint) -> Iterator[Finding]:
    """Report what the manifest schema forbids (CK202), and fields that it does not define (CK206)."""
    manifest = manifest_of(checkpoint)
    if bundle_of(checkpoint) is None or is_foreign(manifest):
        return
    from ckptkit.schema import validate_manifest

    for problem in validate_manifest(manifest, strict=True):
        unknown = problem.kind == "unknown-field"
        code, severity = ("CK206", Severity.INFO) if unknown else ("CK202", Severity.ERROR)
        place, pointer = manifest_place(checkpoint), at(checkpoint, problem.pointer)
        yield Finding(code, severity, problem.message, place, pointer)


def check_major(checkpoint: Checkpoint) -> Iterator[Finding]:
    """Report a major version that this reader does not know."""
    manifest = manifest_of(checkpoint)
    if is_foreign(manifest):
        yield Finding(
            "CK203",
            Severity.ERROR,
            f"spec_version {manifest['spec_version']} is not known; this ckptkit reads {MAJOR}.x",
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
        check=check_parse,
    ),
    Rule(
        "CK202",
        "manifest-schema",
        Severity.ERROR,
        1,
        "The manifest breaks its JSON Schema.",
        "A field that is missing, of another type or out of range cannot be relied on by any reader. Every "
        "violation is listed with its JSON pointer.",
        "Mend the field, or write the bundle again from its source.",
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
        strict=Severity.ERROR,
    ),
)
