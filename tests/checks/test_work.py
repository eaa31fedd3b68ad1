"""Checks look at each row of a manifest a few times, however many other rows there are."""

from collections.abc import Iterator

import pytest

from ckptkit import checks
from tests.checks.building import changed, deploy

ROWS = 300
MOST = 10
"""Times that all rules together may go through a list; there are six times as many rules."""


class Counted(list[dict[str, object]]):
    """A list that counts how often it is gone through."""

    def __init__(self, rows: list[dict[str, object]]) -> None:
        super().__init__(rows)
        self.times = 0

    def __iter__(self) -> Iterator[dict[str, object]]:
        self.times += 1
        return super().__iter__()


@pytest.mark.parametrize("rows", [3, ROWS])
def test_no_list_is_gone_through_for_each_row_of_another(rows: int) -> None:
    sound = deploy()
    assert sound.bundle is not None
    assert sound.bundle.manifest is not None
    manifest = dict(sound.bundle.manifest)
    tensor, file = manifest["tensors"][0], manifest["files"][0]  # type: ignore[index]
    tensors = Counted([{**tensor, "name": f"t{i}"} for i in range(rows)])
    files = Counted([{**file, "path": f"f{i}", "role": "training"} for i in range(rows)])
    lineage = Counted([{"path": i} for i in range(rows)])
    manifest |= {"tensors": tensors, "files": files, "lineage": {"files": lineage}}
    assert len(checks.run(changed(sound, manifest=manifest), 3)) > rows
    assert 0 < tensors.times <= MOST
    assert 0 < files.times <= MOST


def test_the_source_that_findings_name_is_looked_for_in_a_few_files() -> None:
    from ckptkit.checks.view import HINTED, restore_hint

    sound = deploy()
    assert sound.bundle is not None
    rows: list[dict[str, object]] = [{"path": i} for i in range(HINTED)]
    last = {"path": "model.zip", "sha256": "0" * 64}
    for before, said in ((HINTED - 1, "model.zip"), (HINTED, "restore the file from its source")):
        manifest = {**(sound.bundle.manifest or {}), "lineage": {"files": [*rows[:before], last]}}
        assert said in restore_hint(changed(sound, manifest=manifest))


def test_of_very_many_findings_the_first_are_listed_and_the_rest_is_said() -> None:
    sound = deploy()
    assert sound.bundle is not None
    for count, more in ((checks.MOST_FINDINGS, False), (checks.MOST_FINDINGS + 1, True)):
        names = [f"x-{i}" for i in range(count)]
        manifest = {
            **(sound.bundle.manifest or {}),
            "critical": names,
            "extensions": {name: {} for name in names},
        }
        found = [one for one in checks.run(changed(sound, manifest=manifest), 1) if one.code == "CK204"]
        assert len(found) == count
        assert any("the others are not listed" in one.message for one in found) is more


def test_a_schema_is_not_applied_to_what_breaks_it_a_million_times() -> None:
    from ckptkit import schema
    from ckptkit.schema.apply import MOST_PROBLEMS

    sound = deploy()
    assert sound.bundle is not None
    manifest = {**(sound.bundle.manifest or {}), "files": [{}] * (2 * MOST_PROBLEMS)}
    assert 500 < len(schema.validate_manifest(manifest)) <= MOST_PROBLEMS
