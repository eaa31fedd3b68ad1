"""Fixtures and rules for all tests."""

import os
from collections.abc import Generator, Iterator

import pytest

from tests.auditing import Audit, audit
from tests.corpus import corpus_root


@pytest.fixture
def audited() -> Iterator[Audit]:
    """Record what the test does from here on; see `tests.auditing`."""
    with audit() as record:
        yield record


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a corpus test by name where there is no corpus."""
    if item.get_closest_marker("corpus") and corpus_root() is None:
        if os.environ.get("CKPTKIT_CORPUS"):
            pytest.fail("CKPTKIT_CORPUS names no folder")
        pytest.skip(f"{item.name}: no corpus (set CKPTKIT_CORPUS)")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Make a skipped corpus test fail where `CI` is set and the corpus is there."""
    report = yield
    must_run = item.get_closest_marker("corpus") and os.environ.get("CI") and corpus_root() is not None
    if report.skipped and must_run and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid}: skipped in CI although the corpus is present ({report.longrepr})"
    return report
