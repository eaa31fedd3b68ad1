"""The pictures in the documents are those that are drawn now."""

import importlib.util
from types import ModuleType

from tests.corpus import CHECKOUT
from tests.docs.blocks import blocks, demo_zip
from tests.docs.conftest import Place

DOCS = CHECKOUT / "docs"


def maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_pictures", DOCS / "make_pictures.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_pictures_are_those_that_are_drawn_now() -> None:
    drawn = maker().pictures()
    assert set(drawn) == {"architecture.md", "architecture.svg"}
    for name, text in drawn.items():
        assert (DOCS / name).read_text(encoding="utf-8") == text, "run `python docs/make_pictures.py`"


def test_they_show_the_checkpoint_that_the_documents_speak_of(place: Place) -> None:
    assert demo_zip() == maker().SOURCE
    printed = place.bash("ckptkit inspect --graph ppo.zip --format svg").stdout
    assert printed == (DOCS / "architecture.svg").read_text(encoding="utf-8")


def test_every_flowchart_in_the_documents_is_drawn_and_not_written() -> None:
    found = [
        path.name
        for path in [*CHECKOUT.glob("*.md"), *DOCS.rglob("*.md")]
        for block in blocks(path)
        if block.tag == "mermaid"
    ]
    assert found == ["architecture.md"]
