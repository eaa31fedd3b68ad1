"""What is fuzzed: one function a format, from bytes to whatever ckptkit makes of them.

A target returns or raises `CkptkitError`; anything else that leaves it is a defect. None needs atheris, so
that the replay of the seeds runs wherever the tests do.
"""

import atexit
import hashlib
import shutil
import tempfile
from collections.abc import Callable
from functools import cache, lru_cache
from pathlib import Path
from unittest.mock import patch

from ckptkit import checks, readers, recovery
from ckptkit.errors import UnreadableCheckpointError
from ckptkit.graph.document import refuse_malformed
from ckptkit.model import ijson
from ckptkit.model.architecture import graph_from_json
from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.finding import Verdict
from ckptkit.model.levels import RECONSTRUCTABLE
from ckptkit.model.manifest import DIGEST_NAME, NAME
from ckptkit.model.naming import state_dict
from ckptkit.model.recovered import Hints
from ckptkit.model.source import Source
from ckptkit.model.tensor import Storage, Tensor
from ckptkit.model.tree import tensors_in
from ckptkit.readers import bundle
from ckptkit.report.graph_mermaid import markdown
from ckptkit.report.graph_outline import outline
from ckptkit.report.graph_picture import Picture
from ckptkit.report.graph_svg import svg
from ckptkit.report.graph_text import lines
from ckptkit.storage import pickles
from ckptkit.storage.folder import Found, files
from ckptkit.storage.probe import Probe
from ckptkit.storage.safetensors_file import SafetensorsFile, open_safetensors
from ckptkit.storage.sb3 import assemble
from ckptkit.storage.sb3.data import DATA
from ckptkit.storage.source import MemorySource
from ckptkit.storage.torch_file import TorchFile, open_torch
from ckptkit.storage.torch_storages import parse_id
from ckptkit.storage.zip import ZipArchive
from ckptkit.storage.zip.layout import LOCAL_MAGIC
from fuzz import onnx_files
from fuzz.mending import with_sums

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
LOOK_BYTES = 1 << 16
"""Bytes of a tensor that are looked at; one may repeat its elements up to a GiB."""


class MemoryProbe(Probe):
    """A file that is in memory and has nothing beside it."""

    def __init__(self, data: bytes, name: str) -> None:
        self.path = Path("nowhere", name)
        self.is_directory = False
        self.__dict__["_file"] = MemorySource(data, name)


def pickle(data: bytes) -> None:
    """Read one pickle stream, which may name storages as torch's do."""

    def storage(pid: object) -> object:
        named = parse_id(pid, "data.pkl")
        if named.nbytes > LOOK_BYTES:
            raise UnreadableCheckpointError("is too large for a fuzzed storage")
        return named.typed(Storage(MemorySource(bytes(named.nbytes), named.key), key=named.key))

    found = pickles.load(data, where="data.pkl", persistent=storage)
    for tensor in (state_dict(found.root) or {}).values():
        _look(tensor)


def zip_archive(data: bytes) -> None:
    """Read every member of a zip archive, whatever its sums."""
    for mended in (data, with_sums(data)):
        archive = ZipArchive.open(MemorySource(mended, "x.zip"))
        for name, member in archive.members.items():
            if member.size <= 1 << 24:
                archive.read(name, 1 << 24)


def torch_zip(data: bytes) -> None:
    """Read a torch zip or an SB3 zip as a checkpoint, whatever its sums."""
    read_and_check(MemoryProbe(with_sums(data), "model.pt"))


def torch_legacy(data: bytes) -> None:
    """Read a file of torch before 1.6 as a checkpoint."""
    read_and_check(MemoryProbe(data, "model.pt"))


def sb3_data(data: bytes) -> None:
    """Read an SB3 zip whose `data` is the input; what is no input is read once."""
    archive = _Agent(data)
    probe = MemoryProbe(b"", "model.zip")
    probe.__dict__["zip"], probe.__dict__["head"] = archive, LOCAL_MAGIC
    with patch.object(assemble, "open_torch", _opened), patch.object(pickles, "load", _loaded):
        read_and_check(probe)


_STATES = ("optimizer.pth", "variables.pth")
"""Members that nothing in `data` speaks of; `torch_zip` reads them."""


class _Agent(ZipArchive):
    """A sound agent with another `data`, whose sum is right."""

    __slots__ = ("_data", "_sound")

    def __init__(self, data: bytes) -> None:
        self._sound, self._data = _sound_agent(), MemorySource(data, f"model.zip:{DATA}")
        given = self._sound.members.items()
        super().__init__(self._sound.source, {name: one for name, one in given if not name.endswith(_STATES)})

    def source_of(self, name: str) -> Source:
        """Return the input or a sound member."""
        return self._data if name == DATA else self._sound.source_of(name)

    def read(self, name: str, limit: int) -> bytes:
        """Return all bytes of the input or of a sound member."""
        return self._data.read(0, self._data.size) if name == DATA else self._sound.read(name, limit)

    def check_crc(self, name: str) -> None:
        """Find nothing wrong with the input, and read a sound member."""
        if name != DATA:
            self._sound.check_crc(name)


@cache
def _sound_agent() -> ZipArchive:
    path = FIXTURES / "sb3" / "ppo" / "model.zip"
    return ZipArchive.open(MemorySource(path.read_bytes(), "model.zip"))


@cache
def _opened(source: Source, where: str) -> TorchFile:
    return open_torch(source, where=where)


@lru_cache(1 << 12)
def _loaded(data: bytes, where: str) -> pickles.Pickle:
    return _load(data, where=where)


_load = pickles.load


def manifest(data: bytes) -> None:
    """Read and check a bundle whose manifest is the input; its other files are read once."""
    folder = _bundle()
    (folder / NAME).write_bytes(data)
    digest = f"{hashlib.sha256(data).hexdigest()}  {NAME}\n".encode()
    changed = (Found(NAME, MemorySource(data, NAME)), Found(DIGEST_NAME, MemorySource(digest, DIGEST_NAME)))
    found = (*changed, *_sound_files(folder))
    with patch.object(bundle, "files", lambda _: found), patch.object(bundle, "open_safetensors", _weights):
        read_and_check(Probe(folder), RECONSTRUCTABLE)


@cache
def _bundle() -> Path:
    """Return a folder with the files of a sound bundle, which goes when the process ends."""
    folder = Path(tempfile.mkdtemp(prefix="ckptkit-fuzz-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    shutil.copytree(FIXTURES / "conformance" / "graph" / "bundle", folder, dirs_exist_ok=True)
    return folder


@cache
def _sound_files(folder: Path) -> tuple[Found, ...]:
    return tuple(one for one in files(folder) if one.path not in (NAME, DIGEST_NAME))


@cache
def _weights(source: Source) -> SafetensorsFile:
    return open_safetensors(source)


def graph(data: bytes) -> None:
    """Read an `architecture` object and draw its graph."""
    document = ijson.parse(data)
    if not isinstance(document, dict):
        return
    refuse_malformed(document)
    if isinstance(document.get("graph"), dict):
        found = graph_from_json(document["graph"])
        drawn = Picture("nowhere", "title", "subtitle", graph=found, outline=outline(found))
        svg(drawn)
        markdown(drawn)
        list(lines(drawn, 80))


def safetensors(data: bytes) -> None:
    """Read a safetensors file."""
    for tensor in open_safetensors(MemorySource(data, "model.safetensors")).tensors().values():
        _look(tensor)


def onnx(data: bytes) -> None:
    """Read an ONNX file by itself, then as a checkpoint without what lies beside it."""
    onnx_files.read(data)
    read_and_check(MemoryProbe(data, "model.onnx"))


TARGETS: dict[str, Callable[[bytes], None]] = {
    "pickle": pickle,
    "zip": zip_archive,
    "torch_zip": torch_zip,
    "torch_legacy": torch_legacy,
    "safetensors": safetensors,
    "onnx": onnx,
    "sb3_data": sb3_data,
    "manifest": manifest,
    "graph": graph,
}


def read_and_check(probe: Probe, level: int = 1) -> None:
    """Read a checkpoint, look at its tensors, check it and recover its network."""
    checkpoint: Checkpoint = readers.find(probe).read(probe)
    for tensor in (*checkpoint.tensors.values(), *tensors_in(checkpoint.training_state).values()):
        _look(tensor)
    checks.run(checkpoint, level)
    if checkpoint.bundle is None and checkpoint.verdict is not Verdict.UNSAFE:
        found = recovery.recover(checkpoint, Hints())
        found.architecture()
        found.report()


def _look(tensor: Tensor) -> None:
    next(tensor.pieces(LOOK_BYTES), b"")
