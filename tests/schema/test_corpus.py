"""The schemas of legacy JSON describe what lies on disks."""

import json
import zipfile
from pathlib import Path

import pytest

from ckptkit import api, schema
from ckptkit.model import ijson
from tests.corpus import CHECKOUT, corpus_files, corpus_root

FIXTURES = sorted((CHECKOUT / "fixtures").glob("sb3/**/*.zip"))


def data_of(path: Path) -> object:
    with zipfile.ZipFile(path) as archive:
        return ijson.parse(archive.read("data"), legacy=True)


def is_sb3(path: Path) -> bool:
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return {"data", "policy.pth"} <= set(archive.namelist())


@pytest.mark.corpus
def test_data_of_published_agents_has_the_outer_shape() -> None:
    paths = [path for path in corpus_files() if is_sb3(path)]
    assert len(paths) >= 70
    broken = {path.name: found for path in paths if (found := schema.validate("sb3-data-1.0", data_of(path)))}
    assert broken == {}


@pytest.mark.corpus
def test_kwargs_of_published_extractors_have_their_schema() -> None:
    root = corpus_root()
    paths = sorted(root.rglob("feature_extractor_kwargs.json")) if root else []
    assert len(paths) >= 2
    for path in paths:
        kwargs = ijson.parse(path.read_bytes())
        assert schema.validate("feature-extractor-kwargs-1.0", kwargs, strict=True) == []


def test_data_of_fixtures_has_the_outer_shape() -> None:
    paths = [path for path in FIXTURES if is_sb3(path)]
    assert len(paths) >= 5
    for path in paths:
        assert schema.validate("sb3-data-1.0", data_of(path)) == []


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.relative_to(CHECKOUT).as_posix())
def test_manifests_of_fixtures_are_strictly_valid(path: Path, tmp_path: Path) -> None:
    api.convert(path, "deploy", tmp_path / "bundle")
    manifest = json.loads((tmp_path / "bundle" / "ckpt.json").read_bytes())
    assert schema.validate_manifest(manifest, strict=True) == []


@pytest.mark.corpus
@pytest.mark.slow
def test_manifests_of_the_corpus_are_strictly_valid(tmp_path: Path) -> None:
    from ckptkit.errors import NotACheckpointError, UnknownVersionError

    made = 0
    for number, path in enumerate(corpus_files()):
        target = tmp_path / str(number)
        try:
            api.convert(path, "deploy", target)
        except (NotACheckpointError, UnknownVersionError):
            continue
        manifest = json.loads((target / "ckpt.json").read_bytes())
        assert schema.validate_manifest(manifest, strict=True) == [], path.name
        for file in target.iterdir():
            file.unlink()
        made += 1
    assert made >= 120
