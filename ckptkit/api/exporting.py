"""Export a network to ONNX, and measure that it gives what it must give."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ckptkit import checks
from ckptkit.api.preparing import assumed, refuse_unfit, unused_hints, with_architecture
from ckptkit.api.reading import PathLike, read
from ckptkit.checks.deployable import recorded_of
from ckptkit.checks.differing import Recorded
from ckptkit.digest import Leaf, content_digest, tensor_sha256
from ckptkit.errors import ArchitectureError, IntegrityError, UsageError
from ckptkit.graph.normalizing import normalized
from ckptkit.graph.onnx_model import IR_VERSION, OPSET, taken
from ckptkit.model.architecture import Graph
from ckptkit.model.checkpoint import Checkpoint, Note
from ckptkit.model.extras import missing, require
from ckptkit.model.finding import Severity
from ckptkit.model.manifest import carried
from ckptkit.model.recovered import Hints
from ckptkit.model.results import Export, Parity
from ckptkit.writers import conformance, onnx_out
from ckptkit.writers.deployable import broken_weights, fitting_graph, open_question
from ckptkit.writers.network import Network
from ckptkit.writers.parity import measure
from ckptkit.writers.rebundle import rewrite
from ckptkit.writers.whole_file import write_file

if TYPE_CHECKING:
    import numpy as np

    Arrays = Mapping[str, np.ndarray[Any, Any]]

REWRITTEN = frozenset((onnx_out.FILE, conformance.FILE))


@dataclass(frozen=True, slots=True)
class OwnModule:
    """A class of the user's own, to export with torch.

    Attributes:
        name: `package.module:Class`.
        arguments: Its keyword arguments.
    """

    name: str
    arguments: Mapping[str, object] = field(default_factory=dict)


def export_onnx(  # noqa: PLR0913 - one parameter an option of the command
    source: PathLike,
    output: PathLike | None = None,
    *,
    normalize: bool = False,
    parity: bool = False,
    module: OwnModule | None = None,
    force: bool = False,
    dry_run: bool = False,
    input_shape: tuple[int, ...] | None = None,
    assume: Sequence[str] = (),
) -> Export:
    """Export the network of a checkpoint to ONNX, without torch.

    Args:
        source: Any checkpoint whose architecture is known; without `output`, a deploy bundle.
        output: One self-contained file to write. None to write `model.onnx` and the recorded
            outputs of the bundle `source` anew, its weights staying where they are.
        normalize: Fold the statistics of a VecNormalize in front; only with `output`.
        parity: Compute outputs to compare with where `source` records none; imports torch where it
            is installed. Recorded outputs, and those of a bundle, are compared in any case.
        module: A class of the user's own that torch exports instead of the graph.
        force: Replace a file at `output`.
        dry_run: Do everything but write.
        input_shape: Shape of one observation, for an architecture that the file cannot tell.
        assume: Names of profiles that may supply what the file cannot tell.

    Raises:
        ArchitectureError: The architecture is not known; the message says which question is open.
        ParityError: The model does not give the outputs that it must give; nothing is written.
        MissingExtraError: onnx is not installed.
        CkptkitError: As `read`.
    """
    require("onnx", "exporting to ONNX", "onnx")
    before = read(source)
    refuse_unfit(before, REWRITTEN if output is None else ())
    if module is not None:
        return _own(before, module, output, input_shape, force=force, dry_run=dry_run)
    hints = Hints(input_shape, tuple(assume))
    checkpoint = with_architecture(before, hints)
    notes = unused_hints(before, checkpoint, hints)
    graph = _graph(checkpoint)
    if output is not None:
        done = _to_file(checkpoint, graph, Path(output), normalize, parity, force=force, dry_run=dry_run)
    elif normalize:
        raise UsageError(
            "--normalize needs -o FILE", fix="a bundle's own graph takes what the network is given"
        )
    else:
        done = _into_bundle(checkpoint, graph, dry_run=dry_run)
    return replace(done, notes=(*notes, *done.notes), assumed=assumed(checkpoint))


def _graph(checkpoint: Checkpoint) -> Graph:
    """Return the graph of a checkpoint, fit to be exported.

    Raises:
        ArchitectureError: There is none, or its weights are no numbers.
    """
    graph = fitting_graph(checkpoint)
    if graph is None:
        question = open_question(checkpoint) or "nothing in the file says what the network is"
        raise ArchitectureError(f"no architecture graph: {question}", where=checkpoint.path)
    broken = broken_weights(graph, checkpoint)
    if broken:
        raise ArchitectureError(f"{broken}: such a network has no outputs", where=checkpoint.path)
    return graph


def _digest(checkpoint: Checkpoint) -> str:
    """Return the content digest.

    Raises:
        IntegrityError: A tensor differs from what a v2 source records of it.
    """
    leaves = []
    for name, tensor in checkpoint.tensors.items():
        found = tensor_sha256(tensor)
        if tensor.sha256 and tensor.sha256 != found:
            raise IntegrityError(f"tensor {name} differs from its digest", where=checkpoint.path)
        leaves.append(Leaf(name, tensor.dtype.name, tensor.shape, found))
    return content_digest(leaves)


def _to_file(
    checkpoint: Checkpoint, graph: Graph, target: Path, normalize: bool, parity: bool, **how: bool
) -> Export:
    digest = _digest(checkpoint)
    whole = normalized(graph, checkpoint.preprocessing) if normalize else graph
    data = onnx_out.serialized(whole, checkpoint.tensors, digest)
    expected, evaluator = _expected(checkpoint, whole, stored=not normalize, make=parity)
    measured, notes = _measured(data, expected, evaluator)
    files = write_file(checkpoint, target, data, **how)
    return Export(
        source=checkpoint.path,
        source_format=checkpoint.format,
        target=str(target),
        files=files,
        opset=OPSET,
        ir_version=IR_VERSION,
        inputs=tuple(taken(whole)),
        outputs=tuple(whole.outputs),
        shared=False,
        normalized=normalize,
        content_digest=digest,
        parity=measured,
        notes=notes,
        dry_run=how["dry_run"],
    )


def _expected(
    checkpoint: Checkpoint, graph: Graph, *, stored: bool, make: bool
) -> tuple[Recorded | None, str]:
    """Return outputs to compare with and what computed them; None where there are none."""
    if stored and checkpoint.format == "deploy":
        found = recorded_of(checkpoint, graph)
        if isinstance(found, Recorded):
            return found, _evaluator_of(checkpoint)
    if not make:
        return None, ""
    # Behind a normaliser of its own, the network takes observations as they are.
    clip = None if stored else conformance.RAW
    vectors = conformance.make(graph, checkpoint, clip=clip)
    return recorded(vectors), vectors.evaluator


def recorded(vectors: conformance.Vectors) -> Recorded:
    """Return vectors in the form in which they are compared."""
    limits = conformance.TOLERANCE
    return Recorded(vectors.inputs, vectors.outputs, limits["absolute"], limits["relative"])


def _evaluator_of(checkpoint: Checkpoint) -> str:
    stated = carried(checkpoint).get("conformance")
    evaluator = stated.get("evaluator") if isinstance(stated, Mapping) else None
    return str(evaluator.get("name", "")) if isinstance(evaluator, Mapping) else ""


def _measured(
    model: bytes | Path, expected: Recorded | None, evaluator: str
) -> tuple[Parity | None, tuple[Note, ...]]:
    if expected is None:
        message = "not measured: the source records no outputs; --parity computes some"
        return None, (Note("parity", message),)
    if missing("onnx", "onnxruntime"):
        return None, (Note("parity", "not measured: onnxruntime is not installed"),)
    return measure(model, expected, evaluator), ()


def _into_bundle(checkpoint: Checkpoint, graph: Graph, *, dry_run: bool) -> Export:
    if checkpoint.format != "deploy":
        raise UsageError("only a deploy bundle holds a model.onnx of its own", fix="-o FILE.onnx")
    _refuse_damaged(checkpoint)
    network = Network(graph, checkpoint.tensors, conformance.make(graph, checkpoint))
    digest = str(carried(checkpoint).get("content_digest", ""))
    seen: list[tuple[Parity | None, tuple[Note, ...]]] = []

    def examine(model: Path | bytes) -> None:
        seen.append(_measured(model, recorded(network.vectors), network.vectors.evaluator))

    files: tuple[tuple[str, int, str], ...] = ()
    if dry_run:
        examine(onnx_out.serialized(graph, checkpoint.tensors, digest))
    else:
        files = tuple((file.path, file.size, file.sha256) for file in rewrite(checkpoint, network, examine))
    return Export(
        source=checkpoint.path,
        source_format=checkpoint.format,
        target=checkpoint.path,
        files=files,
        opset=OPSET,
        ir_version=IR_VERSION,
        inputs=tuple(taken(graph)),
        outputs=tuple(graph.outputs),
        shared=True,
        normalized=False,
        content_digest=digest,
        parity=seen[0][0],
        notes=seen[0][1],
        dry_run=dry_run,
    )


def _refuse_damaged(checkpoint: Checkpoint) -> None:
    """Raise if anything but the files that are written anew is not as the manifest has it."""
    for finding in checks.run(checkpoint, 2):
        if finding.severity is Severity.ERROR and Path(finding.path).name not in REWRITTEN:
            raise IntegrityError(
                f"{finding.code} {finding.message}", where=finding.path or checkpoint.path, fix=finding.fix
            )


def _own(
    checkpoint: Checkpoint,
    module: OwnModule,
    output: PathLike | None,
    input_shape: tuple[int, ...] | None,
    **how: bool,
) -> Export:
    """Export a class of the user's own."""
    if output is None or input_shape is None:
        raise UsageError("--module needs -o FILE and --input-shape C,H,W")
    require("torch", f"exporting {module.name}")
    from ckptkit.writers.own_module import export

    digest = _digest(checkpoint)
    made = export(module.name, module.arguments, checkpoint.tensors, input_shape)
    limits = conformance.TOLERANCE
    expected = Recorded(made.inputs, made.outputs, limits["absolute"], limits["relative"])
    measured, notes = _measured(made.model, expected, conformance.TORCH)
    files = write_file(checkpoint, Path(output), made.model, **how)
    return Export(
        source=checkpoint.path,
        source_format=checkpoint.format,
        target=os.fspath(output),
        files=files,
        opset=OPSET,
        ir_version=made.ir_version,
        inputs=tuple(made.inputs),
        outputs=tuple(made.outputs),
        shared=False,
        normalized=False,
        content_digest=digest,
        parity=measured,
        notes=notes,
        dry_run=how["dry_run"],
    )
