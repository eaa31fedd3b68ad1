"""Seeds of the fuzzing, taken from the fixtures: `python -m fuzz.make_corpus [FOLDER]`."""

import io
import json
import pickle
import sys
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from random import Random

from ckptkit.errors import CkptkitError
from ckptkit.graph.shapes import SCHEMA, reference
from ckptkit.layers import vocabulary
from ckptkit.model import ijson
from ckptkit.model.architecture import Graph, Layer
from ckptkit.storage.sb3.data import DATA, SERIALIZED, is_cell
from ckptkit.storage.source import MemorySource
from ckptkit.storage.torch_legacy import is_legacy
from ckptkit.storage.zip import ZipArchive, is_zip
from fuzz import onnx_files
from fuzz.targets import FIXTURES, TARGETS
from tests.layers.cases import CASES, Case

FOLDER = Path(__file__).resolve().parent
_NETWORK = ("policy_class", "policy_kwargs", "observation_space", "action_space")
_FEW = 6
"""Fields of `data` in one seed: what is short is read often."""
CRASHERS = FOLDER / "crashers"
MOST_BYTES = 24 << 10
"""Larger fixtures make slow seeds, and have nothing that a smaller one lacks."""

Seeds = Iterator[tuple[str, bytes]]


def seeds(target: str) -> dict[str, bytes]:
    """Return the seeds of a target by name: fixtures, and inputs that once broke it."""
    given = {data: name for name, data in _SEEDS[target]() if 0 < len(data) <= MOST_BYTES}
    made = {name: data for data, name in given.items()}
    crashers = CRASHERS / target
    found = sorted(crashers.iterdir()) if crashers.is_dir() else ()
    return {**made, **{f"crasher-{path.name}": path.read_bytes() for path in found}}


def _fixtures(*suffixes: str) -> Seeds:
    for path in sorted(FIXTURES.rglob("*")):
        if path.is_file() and path.suffix in suffixes:
            yield "-".join(path.relative_to(FIXTURES).parts), path.read_bytes()


def _zips() -> Seeds:
    yield from ((name, data) for name, data in _fixtures(".zip", ".pt", ".pth") if is_zip(data))


def _small_zips() -> Seeds:
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        for wide in (False, True):
            buffer = io.BytesIO()
            with zipfile.ZipFile(buffer, "w", method) as archive:
                for name in ("r/data", "r/ü"):
                    with archive.open(zipfile.ZipInfo(name), "w", force_zip64=wide) as member:
                        member.write(b"ab" * 20)
            yield f"made-{method}-{wide}", buffer.getvalue()


def _pickles() -> Seeds:
    yield from _fixtures(".pkl", ".dill")
    for name, data in _zips():
        with suppress(CkptkitError):  # some fixtures are broken
            archive = ZipArchive.open(MemorySource(data, name))
            for member in archive.members:
                if member.endswith(".pkl"):
                    yield f"{name}-{member.replace('/', '-')}", archive.read(member, MOST_BYTES)
    values = [None, True, 1, -(2**70), 1.5, "ü", b"\x00", [1, [2]], (1, 2, 3, 4), {"a": {1}}, frozenset({1})]
    for protocol in range(6):
        yield f"plain-{protocol}", pickle.dumps(values, protocol)


def _legacy() -> Seeds:
    yield from ((name, data) for name, data in _fixtures(".pt", ".pth") if is_legacy(data[:512]))


def _manifests() -> Seeds:
    yield from ((name, data) for name, data in _fixtures(".json") if name.endswith("ckpt.json"))


def _data_members() -> Seeds:
    for name, data in _zips():
        with suppress(CkptkitError):
            archive = ZipArchive.open(MemorySource(data, name))
            if DATA in archive.members:
                whole = archive.read(DATA, MOST_BYTES)
                yield name, whole
                yield from ((f"{name}-{part}", some) for part, some in _few_fields(whole))


def _few_fields(data: bytes) -> Seeds:
    """Yield what `data` says of the network with few other fields, and cells without their previews."""
    given = ijson.examine(data, legacy=True).value
    if not isinstance(given, dict):
        return
    fields = {name: _cell_alone(value) for name, value in given.items()}
    network = {name: value for name, value in fields.items() if name in _NETWORK}
    others = [(name, value) for name, value in fields.items() if name not in _NETWORK]
    for at in range(0, len(others), _FEW):
        yield f"{at}", json.dumps({**network, **dict(others[at : at + _FEW])}).encode()


def _cell_alone(value: object) -> object:
    return {SERIALIZED: value[SERIALIZED]} if isinstance(value, dict) and is_cell(value) else value


def _graphs() -> Seeds:
    """Yield the architectures of manifests, and one graph for each layer type."""
    for name, data in _manifests():
        document = ijson.examine(data).value
        if isinstance(document, dict) and isinstance(document.get("architecture"), dict):
            yield name, json.dumps(document["architecture"]).encode()
    for name, make in CASES.items():
        graph = _one_layer(name, make(Random(name)))
        yield f"made-{name}", json.dumps({"schema": SCHEMA, "graph": graph.to_json()}).encode()


def _one_layer(name: str, case: Case) -> Graph:
    kind = vocabulary()[name]
    inputs = {f"in.{index}": value for index, value in enumerate(case.takes)}
    given = kind.infer({**kind.defaults, **case.attrs}, case.takes)
    outputs = {f"out.{index}": reference("net", index) for index in range(len(given))}
    return Graph(inputs, (Layer("net", name, tuple(inputs), case.attrs),), outputs)


_SEEDS = {
    "pickle": _pickles,
    "zip": lambda: (*_small_zips(), *_zips()),
    "torch_zip": _zips,
    "torch_legacy": _legacy,
    "safetensors": lambda: _fixtures(".safetensors"),
    "onnx": lambda: onnx_files.seeds(FIXTURES),
    "sb3_data": _data_members,
    "manifest": _manifests,
    "graph": _graphs,
}


def write(folder: Path) -> None:
    """Write the seeds of every target to a folder of its own below `folder`."""
    for target in TARGETS:
        place = folder / target / "seeds"
        place.mkdir(parents=True, exist_ok=True)
        for name, data in seeds(target).items():
            (place / name).write_bytes(data)


if __name__ == "__main__":
    write(Path(*sys.argv[1:2]) if sys.argv[1:] else Path("out", "fuzz"))
