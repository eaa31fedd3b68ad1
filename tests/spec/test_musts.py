"""Requirements, rules and vectors name each other without a gap."""

import re
from collections import Counter

import pytest

from ckptkit import checks
from ckptkit.model.finding import Severity
from tests.conformance.cases import CASES
from tests.spec import prose

REQUIREMENTS = prose.requirements()
OF_THE_MACHINE = frozenset({"CK114", "CK116"})
"""Rules on what a system allows and what a killed run left there; the format has no part in them."""

ON_RECOVERERS = frozenset(must for must in REQUIREMENTS if must.startswith("REC-"))
"""Requirements on programs and not on bundles; `test_recovery.py` has a test for each."""


def test_there_are_as_many_requirements_as_were_written() -> None:
    assert len(REQUIREMENTS) >= 60


@pytest.mark.parametrize(("place", "text"), list(prose.all_units()))
def test_each_must_begins_with_an_id(place: str, text: str) -> None:
    found = prose.ID.match(text)
    if prose.KEYWORD.search(text):
        assert found, f"{place}: a MUST without an id: {text[:60]}"
    else:
        assert not found, f"{place}: an id without a MUST: {text[:60]}"


def test_ids_are_given_out_once() -> None:
    every = [match[1] for _, text in prose.all_units() if (match := prose.ID.match(text))]
    assert [number for number, count in Counter(every).items() if count > 1] == []


def test_each_document_has_prefixes_of_its_own() -> None:
    places: dict[str, set[str]] = {}
    for place, text in prose.all_units():
        if match := prose.ID.match(text):
            places.setdefault(match[1][:3], set()).add(place.partition(":")[0])
    assert [prefix for prefix, where in places.items() if len(where) > 1] == []


def test_rules_name_requirements_that_exist() -> None:
    unknown = {
        (rule.code, must) for rule in checks.rules() for must in rule.musts if must not in REQUIREMENTS
    }
    assert unknown == set()


def test_error_rules_enforce_a_requirement() -> None:
    idle = {rule.code for rule in checks.rules() if rule.severity is Severity.ERROR and not rule.musts}
    assert idle <= OF_THE_MACHINE


@pytest.mark.parametrize("must", sorted(REQUIREMENTS.keys() - ON_RECOVERERS))
def test_each_requirement_has_a_rule_and_vectors(must: str) -> None:
    rules = {rule.code for rule in checks.rules() if must in rule.musts}
    assert rules, "no rule enforces it"
    cases = [case for case in CASES if must in case.must]
    assert any(case.valid for case in cases), "no vector keeps it"
    broken = [case for case in cases if not case.valid]
    assert broken, "no vector breaks it"
    stray = [case.name for case in broken if not rules & set(case.codes)]
    assert stray == [], "vectors name rules that do not enforce it"


def test_vectors_name_requirements_that_exist() -> None:
    assert {(case.name, must) for case in CASES for must in case.must if must not in REQUIREMENTS} == set()


def test_links_lead_somewhere() -> None:
    targets = [
        (document, target)
        for document in prose.documents()
        for target in re.findall(r"\]\(([^)#]+)", document.read_text(encoding="utf-8"))
        if not target.startswith("http")
    ]
    assert len(targets) >= 20
    assert [(prose.name(d), target) for d, target in targets if not (d.parent / target).exists()] == []
