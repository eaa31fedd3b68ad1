"""CK1xx: whether the file can be read at all, and read as data alone."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from ckptkit.checks import Rule
from ckptkit.model.finding import Finding, Severity, Verdict
from ckptkit.model.inert import CodeFact, GlobalUse

if TYPE_CHECKING:
    from ckptkit.model.checkpoint import Checkpoint

BY_VALUE = ("code", "class", "function", "instance")
"""Kinds of `CodeFact` that a file carries; a `reference` is only named."""


class Pickled(NamedTuple):
    """What the rules on pickles look at in a checkpoint, of a file that need not be one.

    Attributes:
        path: The file.
        format: What it is, or the part of it that is judged.
        verdict: What its pickles hold.
        code: What is executable in them.
        globals: What they name.
        carries_code: Whether the format is known to carry such code.
    """

    path: str
    format: str
    verdict: Verdict
    code: tuple[CodeFact, ...]
    globals: tuple[GlobalUse, ...]
    carries_code: bool


def check_globals(checkpoint: "Checkpoint | Pickled") -> Iterator[Finding]:
    """Report each use of a global that the allow-list does not know in that form."""
    refused = [use for use in checkpoint.globals if not use.allowed]
    for use in refused:
        yield Finding(
            "CK102",
            Severity.ERROR,
            f"pickle names {use.module}.{use.name} at byte {use.offset}: {use.why}",
            checkpoint.path,
            use.where,
            "do not load this file; nothing of it was executed",
        )
    if checkpoint.verdict is Verdict.UNSAFE and not refused:
        message = "a pickle in it does what no checkpoint needs"
        fix = "do not load this file; nothing of it was executed"
        yield Finding("CK102", Severity.ERROR, message, checkpoint.path, fix=fix)


def check_unexpected_code(checkpoint: "Checkpoint | Pickled") -> Iterator[Finding]:
    """Report code in a file of a format that has no use for it."""
    if checkpoint.verdict is not Verdict.CONTAINS_CODE or checkpoint.carries_code:
        return
    facts = _carried(checkpoint)
    for fact in facts:
        message = f"carries {describe(fact)}, which a {checkpoint.format} file never needs"
        fix = "convert with the tool that wrote it, or ask its author for the state dict alone"
        yield Finding("CK103", Severity.ERROR, message, checkpoint.path, fact.where, fix)
    if not facts:
        message = f"carries code, which a {checkpoint.format} file never needs"
        yield Finding("CK103", Severity.ERROR, message, checkpoint.path)


def check_expected_code(checkpoint: "Checkpoint | Pickled") -> Iterator[Finding]:
    """Mention code where the format is known to carry it."""
    if checkpoint.verdict is not Verdict.CONTAINS_CODE or not checkpoint.carries_code:
        return
    places = sorted({fact.where for fact in _carried(checkpoint) if fact.where})
    shown = f" in {', '.join(places)}" if places else ""
    message = f"carries code{shown}, as its format does; it was not run"
    fix = "convert it: a bundle carries no code"
    yield Finding("CK111", Severity.INFO, message, checkpoint.path, fix=fix)


def describe(fact: CodeFact) -> str:
    """Return what a fact is, in words."""
    words = {
        "code": "a code object",
        "class": "a class by value",
        "function": "a function by value",
        "instance": "an instance of an outside class",
        "reference": "the name of an outside class",
    }
    kind = words.get(fact.kind, fact.kind)
    return f"{kind} ({fact.name})" if fact.name else kind


def _carried(checkpoint: "Checkpoint | Pickled") -> list[CodeFact]:
    return [fact for fact in checkpoint.code if fact.kind in BY_VALUE]


RULES = (
    Rule(
        "CK100",
        "not-a-checkpoint",
        Severity.ERROR,
        0,
        "The path is missing, empty, or holds nothing that any reader recognises.",
        "A check that found nothing to check must not look like a check that passed: the exit status is 2. "
        "Formats are recognised by their bytes and members, never by a file name's ending.",
        "Check the path. If the file comes from a training run, see whether the download or the copy is "
        "complete; an archive (7z, tar.gz) has to be unpacked first.",
        musts=("BUN-001",),
    ),
    Rule(
        "CK101",
        "malformed-file",
        Severity.ERROR,
        0,
        "The bytes break the rules of the format that they claim to be.",
        "Truncated downloads, interrupted saves and damaged disks end here, and so do files made so that two "
        "programs read them differently: duplicate or case-folded zip members, a local header that "
        "contradicts the directory, bytes in front of or behind the archive. Such a file has no one "
        "reading that could be trusted, so none is offered.",
        "Fetch or copy the file again and compare its size and sha256 with the origin. Nothing in it is "
        "repaired or guessed.",
        musts=(
            "DEP-002",
            "DEP-003",
            "DEP-004",
            "LEG-001",
            "ONX-001",
            "ONX-002",
            "ONX-003",
            "PKL-002",
            "PKL-004",
            "SB3-001",
            "SB3-002",
            "SB3-003",
            "SNK-001",
            "TOR-005",
            "ZIP-001",
            "ZIP-002",
            "ZIP-003",
            "ZIP-004",
            "ZIP-005",
            "ZIP-006",
        ),
    ),
    Rule(
        "CK102",
        "unsafe-pickle",
        Severity.ERROR,
        0,
        "A pickle names or calls something that is not on the allow-list, or with arguments it never takes.",
        "Loading a pickle calls whatever it names, with the rights of the user who loads it. State dicts, "
        "optimizer states and Stable-Baselines3 archives need a short list of names; anything else in one "
        "is either an attack or an object that only its own source code could bring back. ckptkit reads "
        "pickles as data and ran none of it.",
        "Do not load the file with pickle, torch.load(weights_only=False) or Stable-Baselines3. Get it from "
        "a source you trust, saved as a state dict. If the name is harmless and common, report it: the "
        "allow-list grows by evidence.",
        musts=(
            "BUN-003",
            "LEV-003",
            "PKL-001",
            "SB3-001",
            "SB3-003",
            "SNK-002",
            "TOR-008",
        ),
        check=check_globals,
    ),
    Rule(
        "CK103",
        "unexpected-code",
        Severity.ERROR,
        0,
        "The file carries code or objects of outside classes, and its format has no use for them.",
        "Stable-Baselines3 before 2.7 stored schedules as functions, and dill sidecars are code by design; "
        "there it is expected and left alone. A state dict or a bundle needs neither, so code in one "
        "deserves a look before anyone loads it.",
        "See `ckptkit inspect` for names and constants of the code. Save the model again as "
        "`torch.save(model.state_dict(), …)`.",
        musts=(
            "BUN-003",
            "LEV-004",
            "PKL-003",
        ),
        check=check_unexpected_code,
    ),
    Rule(
        "CK104",
        "unsupported-tensor",
        Severity.ERROR,
        0,
        "A tensor has no faithful form in a bundle: quantized, sparse, on the meta device, of a type that "
        "safetensors lacks, or under a name that it cannot hold.",
        "A tensor that is read wrongly is worse than one that is not read. The message names the tensor and "
        "what it is.",
        "Dequantize or densify the tensor (`tensor.dequantize()`, `tensor.to_dense()`) where it was "
        "saved, and "
        "save it again.",
        musts=("LEV-005", "ONX-005"),
    ),
    Rule(
        "CK105",
        "unknown-version",
        Severity.ERROR,
        0,
        "The format is known, its stated version is not.",
        "A newer version may mean other things by the same names. Guessing would give weights in the wrong "
        "places without any sign of it.",
        "Install a newer ckptkit, or save the file again with the version that the message names as known.",
        musts=(
            "CKD-001",
            "LEG-002",
            "ONX-004",
            "TOR-001",
            "VER-003",
        ),
    ),
    Rule(
        "CK106",
        "over-limit",
        Severity.ERROR,
        0,
        "A size, count or depth in the file is beyond the documented bound.",
        "A few hundred kilobytes can unpack to hundreds of gigabytes, or nest deeper than any stack. Bounds "
        "are checked before anything is read or allocated.",
        "If the file is honest, report it with the figure in the message; bounds are set far above every "
        "known checkpoint.",
        musts=("LIM-001",),
    ),
    Rule(
        "CK108",
        "level-not-reached",
        Severity.ERROR,
        0,
        "The level that was asked for is above the one that the checkpoint reaches.",
        "A legacy file has no manifest, so nothing in it can be described (level 1) or compared with a "
        "digest (level 2); levels 3 and 4 need an architecture graph and an ONNX graph with recorded "
        "outputs.",
        "Convert a legacy file: `ckptkit convert SRC --to deploy -o DST`. `ckptkit inspect` says what the "
        "next level lacks.",
        musts=("LEV-001",),
    ),
    Rule(
        "CK110",
        "pointer-file",
        Severity.ERROR,
        0,
        "A Git LFS or DVC pointer stands where the content should be.",
        "A clone without large files holds short text files instead. The weights have not been checked, so "
        "the result is incomplete (exit status 2) and not clean.",
        "`git lfs pull` or `dvc pull`, then run the check again.",
        musts=("BUN-002",),
    ),
    Rule(
        "CK111",
        "carried-code",
        Severity.INFO,
        0,
        "The file carries code, and its format is known to do so; it was not run.",
        "Stable-Baselines3 before 2.7 pickles schedules as functions, and dill sidecars hold classes by "
        "value. Whoever loads the file the usual way runs that code.",
        "Convert the file: a bundle carries data alone. `ckptkit inspect` lists what the code names.",
        check=check_expected_code,
    ),
    Rule(
        "CK114",
        "inaccessible",
        Severity.ERROR,
        0,
        "The system does not let the file or directory be read.",
        "Permissions, a failing disk or a lost connection stand in the way. Nothing is known of the "
        "contents, so the result is incomplete (exit status 2) and not clean.",
        "Give the user who runs the check the right to read it, and run the check again.",
    ),
)
