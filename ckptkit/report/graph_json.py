"""The network of a checkpoint as JSON (`schemas/graph-report-1.0`): the graph, and its outline in blocks."""

from collections.abc import Sequence

from ckptkit.model.architecture import ValueType
from ckptkit.report.graph_outline import Block
from ckptkit.report.graph_picture import Picture
from ckptkit.report.json_report import one_or_all

SCHEMA = "https://ckptkit.dev/schemas/graph-report-1.0.schema.json"


def documents(drawn: Sequence[Picture], *, several: bool) -> str:
    """Return one object for one network, unless there might be several; else an array."""
    return one_or_all([document(one) for one in drawn], several=several)


def document(drawn: Picture) -> dict[str, object]:
    """Return the report on one network; `graph` is null and `questions` says why where there is none."""
    found = drawn.outline
    return {
        "$schema": SCHEMA,
        "path": drawn.path,
        "family": drawn.family,
        "parameters": found.parameters if found else None,
        "graph": drawn.graph.to_json() if drawn.graph else None,
        "blocks": [_block(block) for block in found.blocks] if found else [],
        "unused": [_folded(block) for block in found.unused] if found else [],
        "questions": list(drawn.questions),
        "assumed": list(drawn.assumed),
    }


def _block(block: Block) -> dict[str, object]:
    return {
        "name": block.name,
        "kind": str(block.kind),
        "summary": block.words,
        "gives": _type(block.gives) if block.gives else None,
        "takes": [{"block": take.block, "output": take.output} for take in block.takes],
        "parameters": block.parameters,
        "layers": list(block.layers),
        "shared_by": list(block.shared_by),
    }


def _folded(block: Block) -> dict[str, object]:
    return {
        "name": block.name,
        "summary": block.words,
        "parameters": block.parameters,
        "layers": list(block.layers),
        "shared_by": list(block.shared_by),
    }


def _type(value: ValueType) -> dict[str, object]:
    return {"dtype": value.dtype, "shape": ["batch" if size is None else size for size in value.shape]}
