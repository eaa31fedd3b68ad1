"""A cell that many agents hold is read once; what one agent is made of, another does not see."""

import json
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest

from ckptkit import api
from ckptkit.errors import UnreadableCheckpointError
from ckptkit.storage import pickles
from ckptkit.storage.pickles import Pickle
from ckptkit.storage.sb3 import data
from ckptkit.storage.sb3.collected import Collected

CHECKOUT = Path(__file__).resolve().parents[3]
AGENTS = sorted((CHECKOUT / "fixtures").rglob("sb3/*/model.zip"))


def spelled(value: object, depth: int = 0) -> object:
    """Return an inert value as something that compares."""
    if depth > 30:
        return "deep"
    if is_dataclass(value) and not isinstance(value, type):
        inner = [getattr(value, field.name) for field in fields(value)]
        return (type(value).__name__, [spelled(item, depth + 1) for item in inner])
    if isinstance(value, dict):
        return (type(value).__name__, [spelled(item, depth + 1) for item in value.items()])
    if isinstance(value, list | tuple):
        return (type(value).__name__, [spelled(item, depth + 1) for item in value])
    return repr(value)


def test_nothing_changes_what_it_is_given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen: dict[bytes, Pickle] = {}
    known: Callable[[bytes], Pickle] = data._known

    def watched(raw: bytes) -> Pickle:
        return seen.setdefault(raw, known(raw))

    monkeypatch.setattr(data, "_known", watched)
    assert len(AGENTS) >= 4
    for number, path in enumerate(AGENTS):
        checkpoint = api.inspect(path)
        for to in ("deploy", "v2"):
            api.convert(path, to, tmp_path / f"{number}-{to}")
        api.validate(path)
        assert checkpoint.tensors
    assert len(seen) > 20
    for raw, kept in seen.items():
        assert spelled(kept.root) == spelled(pickles.load(raw, where="").root)


def test_facts_say_where_each_agent_has_the_cell() -> None:
    raw = b"cposix\ngetcwd\n."
    places = []
    for name in ("first", "second"):
        found = Collected()
        data.read_pickle(raw, f"data:{name}", f"a.zip:data:{name}", found)
        places += [use.where for use in found.globals]
    assert places == ["data:first", "data:second"]


def test_errors_say_where_each_agent_has_the_cell() -> None:
    for name in ("first", "second"):
        with pytest.raises(UnreadableCheckpointError) as caught:
            data.read_pickle(b"(", f"data:{name}", f"a.zip:data:{name}", Collected())
        assert caught.value.where == f"a.zip:data:{name}"


def test_only_small_cells_are_kept() -> None:
    raw = b"\x80\x04" + b"N0" * data.KNOWN_BYTES + b"N."
    before = data._known.cache_info().currsize
    assert data.read_pickle(raw, "data:large", "a.zip:data:large", Collected()) is None
    assert data._known.cache_info().currsize == before


@pytest.mark.parametrize("literal", ["NaN", "Infinity", "-Infinity"])
def test_literals_that_json_lacks_are_still_said(literal: str) -> None:
    found = Collected()
    data.fields(b'{"deep": {"list": [1.5, %s]}}' % literal.encode(), "a.zip:data", found)
    (note,) = found.notes
    assert f"{json.loads(literal)} at /deep/list/1" in note.message
