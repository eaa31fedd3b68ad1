"""Schemas are found in a checkout and in a wheel, and are the same bytes in both."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from ckptkit.schema import catalogue

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "schemas").glob("*.json"))


def test_a_checkout_has_every_schema() -> None:
    assert len(FILES) >= 8
    assert [f"{name}{catalogue.SUFFIX}" for name in catalogue.names()] == [path.name for path in FILES]
    assert [catalogue.read(name) for name in catalogue.names()] == [path.read_bytes() for path in FILES]


def test_find_returns_a_copy() -> None:
    catalogue.find("tree-1.0").clear()
    assert catalogue.find("tree-1.0")["title"] == "Tree"


def test_the_package_folder_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ckptkit" / "schema").mkdir(parents=True)
    (tmp_path / "schemas").mkdir()
    monkeypatch.setattr(catalogue, "__file__", str(tmp_path / "ckptkit" / "schema" / "catalogue.py"))
    assert catalogue.folder() == tmp_path / "schemas"
    (tmp_path / "ckptkit" / "data" / "schemas").mkdir(parents=True)
    assert catalogue.folder() == tmp_path / "ckptkit" / "data" / "schemas"


def test_an_incomplete_installation_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "__file__", str(tmp_path / "ckptkit" / "schema" / "catalogue.py"))
    with pytest.raises(FileNotFoundError, match="without its schemas"):
        catalogue.folder()


@pytest.mark.slow
def test_a_wheel_has_every_schema_and_finds_it(tmp_path: Path) -> None:
    pip = [sys.executable, "-m", "pip", "wheel", str(ROOT), "--no-deps", "--no-build-isolation", "-q"]
    subprocess.run([*pip, "-w", str(tmp_path)], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "installed")
    packed = tmp_path / "installed" / "ckptkit" / "data"
    assert sorted(path.name for path in (packed / "schemas").iterdir()) == [path.name for path in FILES]
    assert (packed / "spec" / "manifest.md").read_bytes() == (ROOT / "spec" / "manifest.md").read_bytes()
    program = (
        "import json; from ckptkit.schema import catalogue, validate; validate('manifest-2.0', {});"
        "print(json.dumps([str(catalogue.folder()), *catalogue.names()]))"
    )
    run = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path / "installed"), "PATH": ""},
        capture_output=True,
        check=True,
    )
    folder, *names = json.loads(run.stdout)
    assert folder == str((packed / "schemas").resolve())
    assert tuple(names) == catalogue.names()
