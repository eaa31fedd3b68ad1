"""`docs/traceability.md` says what there is, and every requirement is traced."""

import importlib.util
from types import ModuleType

from tests.spec import prose


def maker() -> ModuleType:
    path = prose.ROOT / "docs" / "make_traceability.py"
    spec = importlib.util.spec_from_file_location("make_traceability", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_what_there_is() -> None:
    made = maker()
    assert made.PAGE.read_text(encoding="utf-8") == made.page(), "run `python docs/make_traceability.py`"


def test_every_requirement_is_traced() -> None:
    made = maker()
    rows = {must: traced for must, _, *traced in made.rows()}
    assert rows.keys() == prose.requirements().keys()
    assert len(rows) >= 100
    untraced = [must for must, traced in rows.items() if must not in made.tests() and not all(traced)]
    assert untraced == []
    assert made.tests().keys() <= rows.keys()
