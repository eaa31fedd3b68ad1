"""The pages on rules say what the rules say."""

import importlib.util
from types import ModuleType

from ckptkit.checks import rules
from tests.corpus import CHECKOUT

FOLDER = CHECKOUT / "docs" / "rules"


def maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_rules", CHECKOUT / "docs" / "make_rules.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_pages_are_those_of_the_rules_as_they_are_now() -> None:
    written = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.iterdir()}
    assert written == maker().pages(), "run `python docs/make_rules.py`"
    assert len(written) == len(rules()) + 1 >= 36


def test_every_requirement_of_a_rule_stands_in_the_document_it_links_to() -> None:
    documents = maker().SPEC
    for rule in rules():
        for must in rule.musts:
            path = CHECKOUT / "spec" / documents[must.partition("-")[0]]
            assert f"[{must}]" in path.read_text(encoding="utf-8"), f"{rule.code}: {must}"
