"""The Markdown section: one flowchart whose labels hold nothing that Mermaid reads as syntax."""

import re

import pytest

from ckptkit.report.graph_mermaid import markdown
from tests.report.graphs import HOSTILE, PICTURES, UNKNOWN, drawn

LABEL = r'"[^"`<>\\\x00-\x1f]*(?:<br/>[^"`<>\\\x00-\x1f]*)*"'
NODE = re.compile(rf"    b\d+(?:\(\[{LABEL}\]\)|\[{LABEL}\]):::[a-z]+")
EDGE = re.compile(r'    b\d+ -->(?:\|"output \d+"\|)? b\d+')
CLASS = re.compile(r"    classDef [a-z]+ fill:#[0-9a-f]{6},stroke:#[0-9a-f]{6},color:#[0-9a-f]{6}")


def flowchart(text: str) -> list[str]:
    (found,) = re.findall(r"^```mermaid\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return str(found).splitlines()


@pytest.mark.parametrize("name", ["images", "recurrent", "squashed", "hostile"])
def test_every_line_is_a_node_an_arrow_or_a_class(name: str) -> None:
    first, *rest = flowchart(markdown(PICTURES.get(name) or drawn(HOSTILE)))
    assert first == "flowchart TD"
    for row in rest:
        assert NODE.fullmatch(row) or EDGE.fullmatch(row) or CLASS.fullmatch(row), row


@pytest.mark.parametrize("name", ["images", "recurrent", "squashed"])
def test_every_node_has_a_class_that_is_defined(name: str) -> None:
    rows = flowchart(markdown(PICTURES[name]))
    used = {row.rpartition(":::")[2] for row in rows if ":::" in row}
    assert used == {row.split()[1] for row in rows if row.startswith("    classDef")}


def test_entity_codes_stand_for_what_labels_must_not_hold() -> None:
    text = "\n".join(flowchart(markdown(drawn(HOSTILE))))
    assert "a#34;b" in text
    assert "x#60;script#62;alert(1)#60;/script#62;" in text
    assert "q#59;#35;35#59;#38;amp#59;" in text
    assert "#96;#96;#96;" in text


def test_a_title_is_no_markup() -> None:
    assert markdown(drawn(HOSTILE, "*a* <b>\n# c")).splitlines()[0] == "# \\*a\\* \\<b\\>\\\\n\\# c"


def test_without_a_graph_it_says_what_is_open() -> None:
    text = markdown(UNKNOWN)
    assert "```" not in text
    assert "- which network is it?" in text
