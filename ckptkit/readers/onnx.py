"""Reader of a bare ONNX file: its initializers as tensors, what else it states as facts."""

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from ckptkit.model.checkpoint import EXPORTED, Checkpoint, Dropped, Note, SourceFile
from ckptkit.model.naming import RENAMED
from ckptkit.model.tensor import Tensor
from ckptkit.readers import Reader
from ckptkit.storage.probe import Probe

if TYPE_CHECKING:
    from ckptkit.storage.onnx.graphs import Operator
    from ckptkit.storage.onnx.model import OnnxFile

FIRST = b"\x08"
"""First byte, the mark of `ir_version`. All that reads further is imported where it is there."""

DOMAINS = frozenset(("", "ai.onnx.ml", "ai.onnx.training", "ai.onnx.preview", "ai.onnx.preview.training"))
"""Domains whose operators ONNX itself defines (onnx 1.23.2, `onnx/defs`)."""
MADE_UP = re.compile(r"onnx::\w+_\d+|val_\d+|/.*_output_\d+")
"""Names that torch's two exporters make up, for weights that they transposed, joined or computed."""
WEIGHT = "weight"
"""Last part of the names of torch's matrices, (out, in)."""
OWN, DIGEST, CONSTANT = "ckptkit", "ckptkit.content_digest", re.compile(r"/const_\d+$")
"""How ckptkit's own exports say so, and what constants of their graphs are called."""
INTEGERS = frozenset(("I32", "I64"))
LARGE = 1024
"""A constant of so many elements may be a weight that an exporter put elsewhere."""
NAMED = 5


def _recognises(probe: Probe) -> bool:
    if probe.is_directory or not probe.head.startswith(FIRST):
        return False
    from ckptkit.storage.onnx import is_onnx

    return is_onnx(probe.source)


def _read(probe: Probe) -> Checkpoint:
    """Read the file; tensor bytes stay on disk.

    Returns:
        Initializers of the graph as tensors, in file order. Files beside the model that hold their data are
        among `files`. What the model takes and gives, its opsets, producer and operators are `model_config`.

    Raises:
        CkptkitError: As `storage.onnx.open_onnx`.
    """
    from ckptkit.storage.onnx import open_onnx
    from ckptkit.storage.onnx.beside import Beside

    file = open_onnx(probe.source, Beside(probe.path))
    constants = _constants(file)
    tensors = {name: tensor for name, tensor in file.tensors.items() if name not in constants}
    changed = _changed(file)
    renamed = [name for name in tensors if name in changed]
    files = (SourceFile(name, "weights", source) for name, source in file.files.items())
    return Checkpoint(
        path=str(probe.path),
        format=EXPORTED,
        format_version=str(file.ir_version),
        container=EXPORTED,
        files=(SourceFile(probe.path.name, "weights", probe.source), *files),
        tensors=tensors,
        model_config={**dict(_config(file)), **({RENAMED: renamed} if renamed else {})},
        training_info={"metadata": dict(file.metadata)} if file.metadata else {},
        dropped=tuple(_dropped(file, constants)),
        notes=(*_foreign(file), *_renamed(tensors, renamed), *_left(file)),
    )


def _constants(file: "OnnxFile") -> list[str]:
    """Return the initializers that are part of the graph: operands, constants of ckptkit's own exports."""
    own = file.texts.get("producer_name") == OWN and DIGEST in file.metadata
    only = file.uses.operands - file.uses.others
    return [
        name
        for name, tensor in file.tensors.items()
        if (name in only and tensor.dtype.name in INTEGERS) or (own and CONSTANT.search(name))
    ]


def _changed(file: "OnnxFile") -> frozenset[str]:
    """Return the tensors whose names an exporter made up, or which are not laid out as their names say."""
    turned = {name for name in file.uses.turned if name.rpartition(".")[2] == WEIGHT}
    return frozenset(turned | {name for name in file.tensors if MADE_UP.fullmatch(name)})


def _config(file: "OnnxFile") -> Iterator[tuple[str, object]]:
    """Yield what the file says of the network, in its own field names."""
    if "" in file.opsets:
        yield "opset", file.opsets[""]
    others = {domain: version for domain, version in file.opsets.items() if domain}
    if others:
        yield "opsets", others
    yield from file.texts.items()
    if file.model_version:
        yield "model_version", file.model_version
    found: dict[str, object] = {
        "graph": file.graph,
        "inputs": [dict(value) for value in file.inputs],
        "outputs": [dict(value) for value in file.outputs],
        "operators": {_shown(operator): count for operator, count in sorted(file.operators.items())},
        "functions": sorted(map(_shown, file.functions)),
    }
    yield from ((name, value) for name, value in found.items() if value)


def _shown(operator: "Operator") -> str:
    domain, name = operator
    return f"{domain}::{name}" if domain else name


def _dropped(file: "OnnxFile", constants: list[str]) -> Iterator[Dropped]:
    if file.operators:
        nodes = sum(file.operators.values())
        held = f", {file.constants} tensors in their attributes" if file.constants else ""
        yield Dropped("graph.node", f"a bundle has a graph of its own, or none; nodes: {nodes}{held}")
    for one in file.inner:
        yield Dropped(f"{one.place}:{one.name}", "initializer of an inner graph")
    if file.inners > len(file.inner):
        yield Dropped("graph.node", f"initializers of inner graphs, more: {file.inners - len(file.inner)}")
    if constants:
        more = f" and {len(constants) - NAMED} more" if len(constants) > NAMED else ""
        named = ", ".join(constants[:NAMED])
        yield Dropped("graph.initializer", f"constants of the graph, such as shapes: {named}{more}")


def _renamed(tensors: Mapping[str, Tensor], renamed: list[str]) -> Iterator[Note]:
    if renamed:
        what = (
            f"not named or laid out as in the network: {len(renamed)} of {len(tensors)} tensors, which an "
            "exporter changed; which parameters they were is not known"
        )
        yield Note("renamed-tensors", what, renamed[0])


def _left(file: "OnnxFile") -> Iterator[Note]:
    """Yield what was not read, or is not there."""
    if not file.tensors:
        yield Note("no-model", "has no initializers: the graph holds no weights")
    if file.inners:
        what = (
            f"initializers of inner graphs (bodies of If, Loop, Scan, training) are not read: {file.inners}"
        )
        yield Note("unread", what, file.inner[0].place if file.inner else "")
    if file.largest is not None and file.largest.numel >= LARGE:
        one = file.largest
        what = (
            f"tensors in attributes of nodes are part of the graph and not read: {file.constants}, "
            f"the largest {one.dtype} {list(one.shape)}"
        )
        yield Note("unread", what, one.place)
    if file.entries:
        keys = ", ".join(map(repr, file.entries[:NAMED]))
        what = f"tensors state {keys} of their data, which was not looked at"
        yield Note("unknown-field", what)
    for what in file.unknown:
        yield Note("unknown-field", f"{what} is in no version of ONNX that is known; it was passed over")


def _foreign(file: "OnnxFile") -> Iterator[Note]:
    """Yield the domains whose operators are neither ONNX's nor defined in the file."""
    domains: dict[str, list[str]] = {}
    for domain, name in sorted(file.operators):
        if domain not in DOMAINS and (domain, name) not in file.functions:
            domains.setdefault(domain, []).append(name)
    for domain, names in domains.items():
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        what = (
            f"operators of {domain!r} ({', '.join(names[:NAMED])}{more}) are not ONNX's: a runtime must be "
            "given native code for them; none is in the file"
        )
        yield Note("custom-operator", what)


READER = Reader(
    EXPORTED, "the initializers of an ONNX file, with data inside or beside it", _recognises, _read
)
