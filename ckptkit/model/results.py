"""What the commands return: frozen results that the reporters render."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ckptkit.model.baseline import Pardoned
from ckptkit.model.checkpoint import Dropped, Note
from ckptkit.model.counterexample import Counterexample
from ckptkit.model.finding import Finding, Verdict
from ckptkit.model.inert import CodeFact, GlobalUse


@dataclass(frozen=True, slots=True)
class TensorRow:
    """One tensor as `inspect` lists it.

    Attributes:
        name: State-dict name.
        dtype: Safetensors spelling.
        shape: Sizes, outermost first.
        nbytes: Logical bytes.
        alias_of: Name of the tensor whose storage it is, empty for its own.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    nbytes: int
    alias_of: str = ""


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why a family of networks does not claim a checkpoint.

    Attributes:
        family: Id of the family.
        nearest: Tensor at which the comparison ended, or that is most like a missing one; may be empty.
        relation: The first relation that does not hold, one line.
    """

    family: str
    nearest: str
    relation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """All that `recover` says of one checkpoint's network.

    Attributes:
        family: The family that claims it; empty where none does.
        fields: `{value, status, evidence, alternatives}` of each field, as JSON data.
        graph: The `graph` object of the manifest; None while a question is open.
        unexplained: Tensors that have no place in the network.
        questions: What keeps the graph from being built.
        assumed: What a profile, or the user's own word, supplied; one line each.
        rejected: Why the other families do not claim it; None where nobody asked.
        counterexamples: For open fields, two networks and an input on which they differ; likewise.
        parts: Layers that are proven by themselves, as the manifest's `graph` has layers.
    """

    path: str
    format: str
    family: str
    fields: Mapping[str, Mapping[str, object]]
    graph: Mapping[str, object] | None
    unexplained: tuple[str, ...] = ()
    questions: tuple[str, ...] = ()
    assumed: tuple[str, ...] = ()
    rejected: tuple[Rejection, ...] | None = None
    counterexamples: tuple[Counterexample, ...] | None = None
    parts: tuple[Mapping[str, object], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """All that `inspect` says of one checkpoint.

    Attributes:
        level: Level reached, 0 to 4.
        next_level: What the next level lacks, one line.
        bytes: Size of all files together.
        content_digest: Hex; empty where the file records none (it is not computed here).
        architecture: The manifest's `architecture` object; for a legacy file what recovery found.
        recovery: The manifest's `recovery` object, likewise: how sure each field is, and what is open.
    """

    path: str
    format: str
    format_version: str | None
    container: str
    verdict: Verdict
    level: int
    next_level: str
    bytes: int
    content_digest: str
    tensors: tuple[TensorRow, ...]
    training_tensors: tuple[TensorRow, ...] = ()
    spaces: Mapping[str, object] = field(default_factory=dict)
    architecture: object = None
    recovery: object = None
    model_config: object = field(default_factory=dict)
    training_info: object = field(default_factory=dict)
    preprocessing: object = ()
    code: tuple[CodeFact, ...] = ()
    globals: tuple[GlobalUse, ...] = ()
    dropped: tuple[Dropped, ...] = ()
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class Validation:
    """The findings on one checkpoint.

    Attributes:
        path: As the user named it.
        level: Level reached; -1 where it is not even readable.
        verdict: What the file holds besides data.
        findings: All of them, in a stable order.
        incomplete: Why something could not be checked; empty where all was.
        next_level: What the next level lacks.
        checked: Highest level whose rules were applied; -1 where it is not even readable.
        pardoned: Findings that a baseline accepts; they are in no other count.
        not_compared: Recorded digests that were not to be compared with bytes; empty where all were.
        unapplied: Codes of rules that were applied to a part alone, or not at all, or not reported, and why;
            those above `checked` are not listed.
    """

    path: str
    level: int
    verdict: Verdict
    findings: tuple[Finding, ...]
    incomplete: str = ""
    next_level: str = ""
    checked: int = -1
    pardoned: tuple[Pardoned, ...] = ()
    not_compared: str = ""
    unapplied: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Report:
    """What `validate` returns: one result a checkpoint, in the order of the paths.

    Attributes:
        results: One for each checkpoint.
        skipped: Paths that hold no checkpoint, where that is allowed.
        remarks: What is to be said of the run itself, such as entries of a baseline that have expired.
    """

    results: tuple[Validation, ...]
    skipped: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What a writer wrote.

    Attributes:
        path: The target.
        files: Relative path, size and sha256 of each file.
        content_digest: Hex, over the model's tensors.
        bundle_digest: Hex, over the canonical manifest.
        tensors: Number of model tensors.
        aliases: How many of them share another's storage.
        training_tensors: Number of tensors of the training state.
    """

    path: str
    files: tuple[tuple[str, int, str], ...]
    content_digest: str
    bundle_digest: str
    tensors: int
    aliases: int
    training_tensors: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Altered:
    """What a target format makes a writer do that is no plain copy.

    Attributes:
        changed: What is written otherwise than the source has it, one line each.
        dropped: What the target has no place for.
        assumed: Fields that the target needs and its own defaults fill, one line each.
        notes: What the user of the target has to know.
    """

    changed: tuple[str, ...] = ()
    dropped: tuple[Dropped, ...] = ()
    assumed: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Parity:
    """How far ONNX Runtime's outputs are from those of the evaluator.

    Attributes:
        evaluator: What the outputs are compared with: `torch` or `onnx.reference`.
        observations: Rows that were compared.
        largest: Largest difference of a float output.
        limit: Difference up to which outputs count as equal, absolute or relative.
        actions: Rows whose actions are equal, within the limit where they are floats; None where
            the network has no output of that name.
    """

    evaluator: str
    observations: int
    largest: float
    limit: float
    actions: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """What `export onnx` did or, with `dry_run`, would do.

    Attributes:
        target: The file, or the bundle whose `model.onnx` it is.
        files: Relative path, size and sha256 of each file that was written; empty for a dry run.
        inputs: Names of the model's inputs.
        outputs: Names of its outputs.
        shared: Whether its weights are those of the bundle, and not in the file itself.
        normalized: Whether the statistics of a VecNormalize are folded in.
        content_digest: Hex, over the model's tensors.
        parity: None where nothing was compared; a note says why.
        assumed: Fields filled from a named profile, one line each.
    """

    source: str
    source_format: str
    target: str
    files: tuple[tuple[str, int, str], ...]
    opset: int
    ir_version: int
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    shared: bool
    normalized: bool
    content_digest: str
    parity: Parity | None = None
    assumed: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()
    dry_run: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What `convert` did or, with `dry_run`, would do.

    Attributes:
        written: None for a dry run.
        level: Level of the result.
        assumed: Fields filled from a named profile, one line each.
        changed: What is written otherwise than the source has it, one line each.
        adapted: Names of the tensors whose bytes are not the source's, because that was asked for.
    """

    source: str
    source_format: str
    target: str
    to: str
    files_read: int
    written: Written | None
    level: int
    verdict: Verdict
    dropped: tuple[Dropped, ...] = ()
    assumed: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()
    code: tuple[CodeFact, ...] = ()
    dry_run: bool = False
    changed: tuple[str, ...] = ()
    adapted: tuple[str, ...] = ()
