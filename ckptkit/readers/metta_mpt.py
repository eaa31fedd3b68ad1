"""Reader of Metta's `.mpt`: a zip of `weights.safetensors` and `modelarchitecture.txt`.

Both members may be deflated. The second is a Python expression: a configuration class called with
keyword arguments that are literals. It is parsed, never evaluated.
"""

from ckptkit.errors import UnreadableCheckpointError
from ckptkit.model.checkpoint import Checkpoint, Note, SourceFile
from ckptkit.model.literal import Call, LiteralError, parse
from ckptkit.readers import Reader
from ckptkit.storage.probe import Probe
from ckptkit.storage.safetensors_file import open_safetensors
from ckptkit.storage.zip import ZipArchive

_WEIGHTS = "weights.safetensors"
_ARCHITECTURE = "modelarchitecture.txt"
_MAX_ARCHITECTURE_BYTES = 1 << 20


def recognises(probe: Probe) -> bool:
    """Whether the file is a zip with both members."""
    return (
        not probe.is_directory
        and probe.zip is not None
        and _WEIGHTS in probe.zip.members
        and _ARCHITECTURE in probe.zip.members
    )


def read(probe: Probe) -> Checkpoint:
    """Read the weights' header and the architecture text; tensor bytes stay on disk.

    Returns:
        Tensors in the order of their bytes. `model_config` is the configuration as a tree, each
        object with its `class_path`; where the text is no such expression it is
        `{"modelarchitecture": text}` and a note says why.

    Raises:
        UnreadableCheckpointError: A member is malformed.
    """
    archive = _archive(probe)
    weights = open_safetensors(archive.source_of(_WEIGHTS))
    config, notes = _architecture(archive)
    stray = [name for name in archive.members if name not in (_WEIGHTS, _ARCHITECTURE)]
    notes += [Note("unknown-member", f"member {name!r} was not read", name) for name in stray]
    metadata = dict(weights.metadata)
    return Checkpoint(
        path=str(probe.path),
        format="metta-mpt",
        container="zip",
        files=(SourceFile(probe.path.name, "weights", probe.source),),
        tensors=weights.tensors(),
        model_config=config,
        training_info={} if metadata in ({}, {"format": "pt"}) else {"metadata": metadata},
        notes=tuple(notes),
    )


def _archive(probe: Probe) -> ZipArchive:
    if probe.zip is None:
        raise UnreadableCheckpointError("is no zip archive", where=str(probe.path))
    return probe.zip


def _architecture(archive: ZipArchive) -> tuple[dict[str, object], list[Note]]:
    data = archive.read(_ARCHITECTURE, _MAX_ARCHITECTURE_BYTES)
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        where = archive.source_of(_ARCHITECTURE).name
        raise UnreadableCheckpointError("is not UTF-8 text", where=where) from error
    try:
        tree = _tree(parse(text))
    except LiteralError as error:
        note = Note("unparsed-architecture", f"kept as text: {error}", _ARCHITECTURE)
        return {"modelarchitecture": text}, [note]
    return tree if isinstance(tree, dict) else {"modelarchitecture": tree}, []


def _tree(value: object) -> object:
    """Turn each call into a dict that names its class as Metta's own dictionaries do."""
    match value:
        case Call(name, arguments):
            return {"class_path": name} | {key: _tree(item) for key, item in arguments.items()}
        case list():
            return [_tree(item) for item in value]
        case tuple():
            return tuple(_tree(item) for item in value)
        case dict():
            return {key: _tree(item) for key, item in value.items()}
    return value


READER = Reader("metta-mpt", "Metta .mpt: zip of safetensors and an architecture text", recognises, read)
