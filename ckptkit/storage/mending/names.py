"""Tensor names with the `_orig_mod` that torch.compile puts into them, in safetensors files and torch zips.

Source: torch 2.13.0, `torch/_dynamo/eval_frame.py` (`OptimizedModule`): the module that is compiled is an
attribute of that name, and `state_dict` names its tensors below it.
"""

import json
import re
import struct
from collections.abc import Iterable
from pathlib import Path

from ckptkit.errors import CkptkitError, IntegrityError
from ckptkit.model.torch_layout import DICT_V2
from ckptkit.storage.mending import Fault, Left, Mend, Plan, Planned, trees
from ckptkit.storage.mending.archives import compare_bytes, write_archive
from ckptkit.storage.mending.texts import renamed_texts
from ckptkit.storage.output import create
from ckptkit.storage.probe import Probe
from ckptkit.storage.safetensors_file import SafetensorsFile, is_safetensors, open_safetensors
from ckptkit.storage.source import FileSource, MemorySource, Window
from ckptkit.storage.torch_file import MAX_PICKLE_BYTES

_COMPILED = re.compile(r"(?:(?<=\.)|^)_orig_mod\.")
_PIECE_BYTES = 4 << 20
_PROOF = (
    "torch.compile names the module that it wraps so and adds nothing else; no two names become one, and "
    "each tensor has the type, the shape and the bytes that it had"
)


def plan_names(path: Path) -> Plan:
    """Return how the names of a file get rid of `_orig_mod`; None where they are free of it.

    Raises:
        CkptkitError: The file cannot be read.
    """
    probe = Probe(path)
    if is_safetensors(probe.head):
        return _in_safetensors(path, open_safetensors(probe.source))
    return _in_torch(path, probe) if probe.wrapper is None else None


def without(name: str) -> str:
    """Return a name as it is without torch.compile."""
    return _COMPILED.sub("", name)


def _problem(names: Iterable[str]) -> str | None:
    """Return why names cannot be mended, empty where they can; None where there is nothing to mend."""
    before = list(names)
    after = [without(name) for name in before]
    if before == after:
        return None
    return "two tensors would have one name" if len(set(after)) != len(after) else ""


def _planned(path: Path, names: Iterable[str]) -> Mend:
    changed = len({name for name in names if without(name) != name})
    return Mend(Fault.COMPILED_NAMES, str(path), f"{changed} tensor names lose `_orig_mod.`", _PROOF)


def _in_safetensors(path: Path, file: SafetensorsFile) -> Plan:
    why = _problem(file.entries)
    if why is None:
        return None
    if why:
        return _left(path, why)

    def write(new: Path) -> None:
        data = Window(file.source, file.data_start, file.source.size - file.data_start)
        with create(new) as output:
            output.write(_header(file))
            for at in range(0, data.size, _PIECE_BYTES):
                output.write(data.read(at, min(_PIECE_BYTES, data.size - at)))
        made = open_safetensors(FileSource(new))
        moved = file.data_start - made.data_start
        got = {name: (e.dtype, e.shape, e.offset + moved) for name, e in made.entries.items()}
        if got != {without(name): (e.dtype, e.shape, e.offset) for name, e in file.entries.items()}:
            raise IntegrityError("does not read back as written", where=str(new))
        compare_bytes(Window(made.source, made.data_start, data.size), data)

    return Planned(_planned(path, file.entries), write)


def _header(file: SafetensorsFile) -> bytes:
    tree: dict[str, object] = {"__metadata__": dict(file.metadata)} if file.metadata else {}
    for name, entry in file.entries.items():
        start = entry.offset - file.data_start
        tree[without(name)] = {
            "dtype": entry.dtype.name,
            "shape": list(entry.shape),
            "data_offsets": [start, start + entry.nbytes],
        }
    text = json.dumps(tree, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text


def _in_torch(path: Path, probe: Probe) -> Plan:
    file, archive = probe.torch, probe.zip
    if file is None or archive is None or not any(without(text) != text for text in trees.texts(file.root)):
        return None
    if probe.torch_layout == DICT_V2:
        return _left(path, "its manifest names them too", "convert the source again, without torch.compile")
    try:
        wanted = trees.renamed(file.root, without)
        pickle = next(name for name in archive.members if name.endswith("/data.pkl"))
        made = renamed_texts(archive.read(pickle, MAX_PICKLE_BYTES), without)
    except CkptkitError as error:
        return _left(path, error.what, "save `model._orig_mod.state_dict()`")

    def write(new: Path) -> None:
        content = {name: archive.source_of(name) for name in archive.members}
        write_archive(new, content | {pickle: MemorySource(made, pickle)})
        back = Probe(new).torch
        if back is None or not trees.equal(back.root, wanted):
            raise IntegrityError("does not read back as written", where=str(new))

    return Planned(_planned(path, trees.texts(file.root)), write)


def _left(path: Path, why: str, fix: str = "") -> Left:
    return Left(Fault.COMPILED_NAMES, str(path), f"tensor names hold `_orig_mod.`, and {why}", fix)
