"""Fixtures and rules for all tests."""

import json
import os
import struct
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.auditing import Audit, audit
from tests.corpus import CHECKOUT, corpus_root


@dataclass(frozen=True)
class Run:
    """What one call of the command line gave."""

    status: int
    out: str
    err: str


Call = Callable[..., Run]


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the results that tests leave out of the user's cache."""
    before = os.environ.get("CKPTKIT_CACHE_DIR")
    os.environ["CKPTKIT_CACHE_DIR"] = str(tmp_path_factory.mktemp("cache"))
    yield
    if before is None:
        del os.environ["CKPTKIT_CACHE_DIR"]
    else:
        os.environ["CKPTKIT_CACHE_DIR"] = before


@pytest.fixture
def ckptkit(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Call:
    """Return a function that runs the command line in this process."""
    from ckptkit.cli.app import status

    for name in ("FORCE_COLOR", "NO_COLOR", "CKPTKIT_TRACEBACK"):
        monkeypatch.delenv(name, raising=False)

    def call(*arguments: object) -> Run:
        capsys.readouterr()
        code = status([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Run(code, captured.out, captured.err)

    return call


def safetensors_bytes(tensors: dict[str, tuple[str, list[int], bytes]]) -> bytes:
    """Return a safetensors file: name -> (dtype, shape, little-endian bytes)."""
    header, offset = {}, 0
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [offset, offset + len(data)]}
        offset += len(data)
    text = json.dumps(header).encode()
    text += b" " * (-(len(text) + 8) % 64)
    return struct.pack("<Q", len(text)) + text + b"".join(data for _, _, data in tensors.values())


@pytest.fixture
def safetensors_file(tmp_path: Path) -> Path:
    """A small safetensors file, made without any library."""
    path = tmp_path / "model.safetensors"
    weight = struct.pack("<12f", *range(12))
    path.write_bytes(
        safetensors_bytes({"net.weight": ("F32", [3, 4], weight), "net.bias": ("F32", [3], weight[:12])})
    )
    return path


@pytest.fixture
def bundle(tmp_path: Path, safetensors_file: Path) -> Path:
    """A deploy bundle made from `safetensors_file`."""
    from ckptkit import api

    path = tmp_path / "bundle"
    api.convert(safetensors_file, "deploy", path)
    return path


@pytest.fixture
def sb3_zip() -> Path:
    """A Stable-Baselines3 zip of the gym era, with code in its schedules."""
    path = CHECKOUT / "fixtures" / "sb3" / "old_gym" / "model.zip"
    assert path.is_file(), "a fixture is missing: run `make fixtures`"
    return path


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
