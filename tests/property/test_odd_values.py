"""Any field of a checkpoint may hold a number that no float64 holds, or another thing than is expected."""

import base64
import copy
import io
import json
import pickle
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from ckptkit.errors import CkptkitError
from fuzz import targets

ODD = [
    10**400,
    -(10**400),
    2**64,
    -1,
    0,
    1e300,
    float("nan"),
    float("inf"),
    True,
    None,
    "",
    "x" * 99,
    [],
    {},
    [10**400],
]
SB3 = sorted((targets.FIXTURES / "sb3").rglob("*.zip"))
TORCH = sorted((targets.FIXTURES / "seed_systems").rglob("*.p[t]*")) + sorted(
    (targets.FIXTURES / "seed_systems").rglob("*.dat")
)


def answered(data: bytes, name: str) -> None:
    try:
        targets.read_and_check(targets.MemoryProbe(data, name))
    except CkptkitError as error:
        assert "\n" not in str(error)


def zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return buffer.getvalue()


@pytest.mark.parametrize("path", SB3, ids=lambda path: path.parent.name)
def test_any_field_of_sb3_data(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    data = json.loads(members["data"])
    for number, field in enumerate(data):
        for value in ODD[number % 5 :: 5]:
            cell = {":type:": "x", ":serialized:": base64.b64encode(pickle.dumps(value)).decode()}
            changed = {**data, field: cell if number % 2 else value}
            answered(zipped({**members, "data": json.dumps(changed).encode()}), "model.zip")


def leaves(value: object, path: tuple[object, ...] = ()) -> Iterator[tuple[object, ...]]:
    """Yield the place of everything in plain containers that is no tensor."""
    if path and not isinstance(value, torch.Tensor):
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from leaves(item, (*path, key))


def replaced(root: object, path: tuple[object, ...], value: object) -> object:
    made = copy.deepcopy(root)
    holder = made
    for key in path[:-1]:
        holder = holder[key]  # type: ignore[index]
    holder[path[-1]] = value  # type: ignore[index]
    return made


def plain_roots() -> dict[str, object]:
    """Return the contents of the fixtures that torch reads without running anything."""
    roots = {}
    for path in TORCH:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                roots["-".join(path.parts[-3:])] = torch.load(path, weights_only=True, map_location="cpu")
            except Exception:  # noqa: BLE001, S112 - those are of no use here
                continue
    return {name: root for name, root in roots.items() if isinstance(root, dict)}


ROOTS = plain_roots()
PLACES = 10
"""Most places of one file that are tried."""


def test_there_are_files_of_several_systems() -> None:
    assert len(SB3) >= 6
    assert len(ROOTS) >= 10


@pytest.mark.parametrize("name", ROOTS)
def test_any_entry_of_a_torch_checkpoint(name: str) -> None:
    places = list(leaves(ROOTS[name]))
    for number, path in enumerate(places[:: -(-len(places) // PLACES) or 1]):
        for value in ODD[number % 3 :: 3]:
            buffer = io.BytesIO()
            torch.save(replaced(ROOTS[name], path, value), buffer)
            answered(buffer.getvalue(), "model.pt")
