"""Many checkpoints in one call: the same in other processes, errors in their places."""

import copy
import pickle
from pathlib import Path

import pytest

from ckptkit import api, errors, report
from ckptkit.api.spreading import Known
from ckptkit.errors import CkptkitError, NotACheckpointError, UnreadableCheckpointError
from ckptkit.model.results import Inspection


def written(one: object) -> str:
    assert isinstance(one, Inspection)
    return report.inspections([one], "json", color=False)


def said(one: object) -> object:
    return (type(one), str(one)) if isinstance(one, CkptkitError) else one


@pytest.mark.parametrize("jobs", [1, 2])
def test_what_cannot_be_read_stands_in_its_place(
    tmp_path: Path, sb3_zip: Path, bundle: Path, jobs: int
) -> None:
    broken = tmp_path / "broken.zip"
    broken.write_bytes(sb3_zip.read_bytes()[:-30])
    known = NotACheckpointError("nothing", where="there")
    paths = [sb3_zip, broken, Known(known), tmp_path / "missing", bundle]
    found = list(api.inspect_each(paths, jobs=jobs))
    assert written(found[0]) == written(api.inspect(sb3_zip))
    assert isinstance(found[1], UnreadableCheckpointError)
    assert found[2] is known
    assert isinstance(found[3], NotACheckpointError)
    assert written(found[4]) == written(api.inspect(bundle))
    with pytest.raises(UnreadableCheckpointError) as alone:
        api.inspect(broken)
    assert said(found[1]) == said(alone.value)


def test_every_error_goes_through_a_process_whole() -> None:
    kinds = [
        kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, CkptkitError)
    ]
    assert len(kinds) > 10
    for kind in kinds:
        error = kind("what it is", where="there", fix="do this")
        for other in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
            assert (said(other), other.where, other.fix) == (said(error), "there", "do this")
