"""Every real checkpoint of the corpus, on all ways between the formats."""

import os
from pathlib import Path

import pytest

import ckptkit
from ckptkit.errors import CkptkitError
from ckptkit.storage.canonical_zip import deviations
from ckptkit.storage.source import FileSource
from ckptkit.storage.zip import ZipArchive
from tests.corpus import corpus_files


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.corpus
def test_every_way_gives_the_same_content_and_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: None)
    converted = 0
    for number, source in enumerate(corpus_files()):
        folder = tmp_path / str(number)
        try:
            done = [ckptkit.convert(source, "v2", folder / "a.pt")]
        except CkptkitError as error:
            assert error.exit_code in (1, 2)  # no checkpoint, or one that must be refused
            assert not folder.exists()
            continue
        done.append(ckptkit.convert(folder / "a.pt", "deploy", folder / "b"))
        done.append(ckptkit.convert(folder / "b", "v2", folder / "c.pt"))
        done.append(ckptkit.convert(source, "deploy", folder / "d"))
        assert len({step.written.content_digest for step in done if step.written}) == 1
        assert (folder / "a.pt").read_bytes() == (folder / "c.pt").read_bytes()
        assert files(folder / "b") == files(folder / "d")
        assert deviations(ZipArchive.open(FileSource(folder / "a.pt"))) == ()
        report = ckptkit.validate([folder / "a.pt", folder / "b"], level=2)
        assert [(result.level, result.findings) for result in report.results] == [(2, ())] * 2
        converted += 1
    assert converted >= 100
