"""`ckptkit scan` of every hostile file: what is unsafe is called so, and nothing broken is clean."""

import json
import sys
from pathlib import Path

import pytest

from ckptkit import scan
from ckptkit.cli.scan import exit_status
from ckptkit.model.finding import Verdict
from ckptkit.model.scanned import gravest
from tests.corpus import CHECKOUT

FIXTURES = CHECKOUT / "fixtures"
CASES = json.loads((FIXTURES / "hostile" / "index.json").read_text("utf-8"))
OTHER_RULES = ("manifest", "onnx")
"""Families whose fault lies in what names mean, which a look at pickles does not judge."""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(FIXTURES))
        import make_hostile

        make_hostile.write(folder)
    for name in [one for one in sys.modules if one.startswith(("hostile_", "make_hostile", "conformance_"))]:
        del sys.modules[name]
    return folder


def test_there_are_enough() -> None:
    assert sum(case["verdict"] == "unsafe" for case in CASES) >= 28
    assert sum(case["verdict"] == "malformed" for case in CASES) >= 30


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_no_hostile_file_is_called_clean(case: dict, root: Path) -> None:
    if case["name"].startswith(OTHER_RULES):
        pytest.skip("judged by validate")
    done = scan(root / case["path"])
    verdict = gravest(result.verdict for result in done.results)
    if case["verdict"] == "unsafe":
        assert verdict is Verdict.UNSAFE
    if case["verdict"] in ("unsafe", "malformed", "unsupported"):
        assert exit_status(done) in (1, 2)
        assert verdict not in (Verdict.DATA_ONLY, Verdict.CONTAINS_CODE)
