"""DVC pointers beside the members of a bundle."""

from pathlib import Path

import pytest

from ckptkit import api
from ckptkit.model.settings import Lfs, Settings

DVC = "outs:\n- md5: {}\n  size: {}\n  hash: md5\n  path: {}\n"
WEIGHTS = "model.safetensors"


@pytest.fixture
def pointed(bundle: Path) -> Path:
    """A bundle whose weights DVC tracks, with both the content and the pointer there."""
    size = (bundle / WEIGHTS).stat().st_size
    (bundle / f"{WEIGHTS}.dvc").write_text(DVC.format("0" * 32, size, WEIGHTS))
    return bundle


def codes(path: Path, lfs: Lfs = Lfs.POINTER) -> list[str]:
    (result,) = api.validate(path, settings=Settings(lfs=lfs)).results
    return [finding.code for finding in result.findings]


def test_a_pointer_beside_its_content_is_no_file_of_the_bundle(pointed: Path) -> None:
    assert codes(pointed) == []


def test_a_pointer_without_its_content_leaves_the_check_incomplete(pointed: Path) -> None:
    (pointed / WEIGHTS).unlink()
    (result,) = api.validate(pointed).results
    assert [finding.code for finding in result.findings] == ["CK110"]
    assert result.incomplete
    assert "dvc pull" in result.findings[0].fix
    assert result.findings[0].path.endswith(WEIGHTS)


def test_a_pointer_to_content_of_another_size_is_an_error(pointed: Path) -> None:
    (pointed / WEIGHTS).unlink()
    (pointed / f"{WEIGHTS}.dvc").write_text(DVC.format("0" * 32, 1, WEIGHTS))
    assert codes(pointed, Lfs.SKIP) == ["CK303"]


def test_a_pointer_of_another_name_stands_for_nothing(pointed: Path) -> None:
    (pointed / WEIGHTS).unlink()
    (pointed / f"{WEIGHTS}.dvc").write_text(DVC.format("0" * 32, 1, "other.bin"))
    assert "CK303" in codes(pointed, Lfs.SKIP)
