"""Reader of a bare ONNX file: its initializers as tensors, what else it states as facts."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from ckptkit.errors import LimitExceededError
from ckptkit.model.checkpoint import EXPORTED, Checkpoint, Dropped, Note, SourceFile
from ckptkit.model.naming import RENAMED
from ckptkit.model.refusals import check_name
from ckptkit.model.tensor import Tensor
from ckptkit.readers import Reader
from ckptkit.storage.pickles.limits import EXPANDED_BYTES
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
    tensors = _named(file, constants, str(probe.path))
    renamed = _changed(file, tensors)
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
        notes=(*_foreign(file), *_merged(file, tensors), *_renamed(tensors, renamed), *_left(file)),
    )


def _is_own(file: "OnnxFile") -> bool:
    """Whether ckptkit exported the file."""
    return file.texts.get("producer_name") == OWN and DIGEST in file.metadata


def _constants(file: "OnnxFile") -> list[str]:
    """Return the initializers that are part of the graph: operands, constants of ckptkit's own exports."""
    only = file.uses.operands - file.uses.others.keys()
    return [
        name
        for name, tensor in file.tensors.items()
        if (name in only and tensor.dtype.name in INTEGERS) or (_is_own(file) and CONSTANT.search(name))
    ]


def _named(file: "OnnxFile", constants: list[str], where: str) -> dict[str, Tensor]:
    """Return the tensors, those that the exporter merged with equal ones under their own names too.

    torch's exporter keeps one of several tensors with equal bytes, and makes the others by Identity. Each is
    put behind what is left of its module, where a state dict has it.

    Raises:
        LimitExceededError: They have more than `EXPANDED_BYTES`.
    """
    merged: dict[str, dict[str, Tensor]] = {}
    outputs, total = {value["name"] for value in file.outputs}, 0
    for name, owner in file.uses.aliases.items():
        if owner not in constants and name not in outputs and not MADE_UP.fullmatch(name):
            made = _apart(file.tensors[owner], name)
            merged.setdefault(_module(name), {})[name] = made
            total += made.nbytes
    if total > EXPANDED_BYTES:
        what = f"{total} bytes of tensors that are others again, at most {EXPANDED_BYTES} are read"
        raise LimitExceededError(what, where=where)
    found: dict[str, Tensor] = {}
    last = {_module(name): name for name in file.tensors}
    for name, tensor in file.tensors.items():
        if name not in constants:
            found[name] = tensor
        if last[_module(name)] == name:
            found |= merged.pop(_module(name), {})
    return found | {name: tensor for rest in merged.values() for name, tensor in rest.items()}


def _module(name: str) -> str:
    return name.rpartition(".")[0]


def _apart(tensor: Tensor, name: str) -> Tensor:
    """Return a tensor of the same bytes that is no alias: nothing says that the two were one."""
    check_name(name)
    return replace(tensor, storage=replace(tensor.storage, key=name))


def _changed(file: "OnnxFile", names: Iterable[str]) -> list[str]:
    """Return the tensors of which neither name nor shape says which parameters of the network they are.

    An exporter made the name up, the matrix is used the other way round, or several nodes use the tensor:
    then it is shared, or stands for others that had the same bytes.
    """
    uses, own = file.uses, _is_own(file)
    return [
        name
        for name in names
        if MADE_UP.fullmatch(name)
        or (name in uses.turned and name.rpartition(".")[2] == WEIGHT)
        or (uses.others[name] > 1 and not own)
    ]


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


def _merged(file: "OnnxFile", tensors: Mapping[str, Tensor]) -> Iterator[Note]:
    merged = [name for name in tensors if name in file.uses.aliases]
    if merged:
        what = f"the exporter merged tensors of equal bytes; named again: {len(merged)}"
        yield Note("merged-tensors", what, merged[0])


def _renamed(tensors: Mapping[str, Tensor], renamed: list[str]) -> Iterator[Note]:
    if renamed:
        what = (
            f"named, turned or merged by an exporter, or used by several nodes: {len(renamed)} of "
            f"{len(tensors)} tensors; which parameters of the network they were is not known"
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
