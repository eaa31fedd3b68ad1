"""Whatever single byte of a bundle is changed or cut off, `validate` says where.

Small bundles are gone through byte by byte; in larger ones hypothesis picks the bytes.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ckptkit import api
from ckptkit.checks.contents import held_tensors
from ckptkit.model.finding import Finding, Severity
from ckptkit.storage.zip import ZipArchive

DEPLOY_FILES = ("ckpt.json", "ckpt.json.sha256", "model.safetensors", "training.safetensors")
FILES = (*DEPLOY_FILES, "bundle.pt")
SHARES = 4
"""Parts that the bytes of a small file are gone through in, so that they can run side by side."""


@dataclass(frozen=True)
class Bundle:
    """A sound bundle on disk.

    Attributes:
        path: What to validate.
        spans: For each of its files the tensors in it: first byte, byte behind the last, name.
    """

    path: Path
    spans: dict[Path, list[tuple[int, int, str]]]

    def tensor_at(self, file: Path, offset: int) -> str:
        return next((name for start, end, name in self.spans[file] if start <= offset < end), "")


def small() -> dict[str, object]:
    weight = torch.arange(6.0).reshape(2, 3)
    model = {"a.weight": weight, "steps": torch.tensor(7), "tied": weight}
    moment = {"state": {0: {"exp_avg": weight + 1}}, "param_groups": [{"lr": 0.1}]}
    return {"model_state_dict": model, "optimizer_state_dict": moment}


def large() -> dict[str, object]:
    generator = torch.Generator().manual_seed(0)
    model = {f"layers.{i}.weight": torch.randn(32, 48, generator=generator) for i in range(20)}
    model |= {f"layers.{i}.scale": torch.randn(7, generator=generator).half() for i in range(20)}
    state = {i: {"exp_avg": torch.randn(32, 48, generator=generator)} for i in range(20)}
    return {"model_state_dict": model, "optimizer_state_dict": {"state": state, "param_groups": []}}


def bundles(folder: Path, made: Callable[[], dict[str, object]]) -> dict[str, Bundle]:
    """Write the checkpoint in both encodings; the bundle of each file, by the file's name."""
    torch.save(made(), folder / "source.pth")
    api.convert(folder / "source.pth", "deploy", folder / "bundle")
    api.convert(folder / "source.pth", "v2", folder / "bundle.pt")
    deploy, single = directory(folder / "bundle"), archive(folder / "bundle.pt")
    return {**dict.fromkeys(DEPLOY_FILES, deploy), "bundle.pt": single}


def directory(path: Path) -> Bundle:
    facts = api.read(path).bundle
    assert facts is not None
    spans: dict[Path, list[tuple[int, int, str]]] = {path / name: [] for name in DEPLOY_FILES}
    for name, member in facts.members.items():
        spans[path / name] = [(e.offset, e.offset + e.nbytes, key) for key, e in member.entries.items()]
    return Bundle(path, spans)


def archive(path: Path) -> Bundle:
    checkpoint = api.read(path)
    members = ZipArchive.open(checkpoint.files[0].source).members
    spans = []
    owned: dict[int, str] = {}
    for name, tensor in held_tensors(checkpoint).items():
        key = tensor.storage.key.rpartition("/")[2]
        (member,) = (m for m in members.values() if m.name.endswith(f"/data/{key}"))
        owner = owned.setdefault(id(tensor.storage), name)
        if owner == name:
            spans.append((member.offset, member.offset + member.size, name))
    return Bundle(path, {path: spans})


@pytest.fixture(scope="module")
def small_bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Bundle]:
    return bundles(tmp_path_factory.mktemp("small"), small)


@pytest.fixture(scope="module")
def large_bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Bundle]:
    return bundles(tmp_path_factory.mktemp("large"), large)


def place(bundle: Bundle, name: str) -> Path:
    return bundle.path / name if bundle.path.is_dir() else bundle.path


def errors(bundle: Bundle) -> list[Finding]:
    (result,) = api.validate(bundle.path, level=2).results
    return [finding for finding in result.findings if finding.severity is Severity.ERROR]


def check_named(found: list[Finding], bundle: Bundle, file: Path, offset: int) -> None:
    """Assert that the findings name the tensor that holds the byte, or else the file."""
    where = f"{file.name}, byte {offset}"
    assert found, where
    tensor = bundle.tensor_at(file, offset)
    if tensor:
        assert [(f.code, f.location, Path(f.path)) for f in found] == [("CK301", tensor, file)], where
    else:
        assert any(Path(f.path) == file or file.name in f.message for f in found), where


def change(file: Path, offset: int, mask: int) -> None:
    """Flip the bits of `mask` in one byte of a file, in place."""
    descriptor = os.open(file, os.O_RDWR)
    try:
        (before,) = os.pread(descriptor, 1, offset)
        os.pwrite(descriptor, bytes([before ^ mask]), offset)
    finally:
        os.close(descriptor)


def flip_and_check(bundle: Bundle, name: str, offset: int, mask: int) -> None:
    file = place(bundle, name)
    change(file, offset, mask)
    try:
        check_named(errors(bundle), bundle, file, offset)
    finally:
        change(file, offset, mask)


def test_the_bundles_are_sound(small_bundles: dict[str, Bundle], large_bundles: dict[str, Bundle]) -> None:
    for bundle in (*small_bundles.values(), *large_bundles.values()):
        (result,) = api.validate(bundle.path, level=2).results
        assert result.level == 2
        assert [one for one in result.findings if one.severity is not Severity.INFO] == []
        assert sum(len(spans) for spans in bundle.spans.values()) >= 3


@pytest.mark.parametrize("share", range(SHARES))
@pytest.mark.parametrize("name", FILES)
def test_every_flipped_byte_is_found_and_named(
    small_bundles: dict[str, Bundle], name: str, share: int
) -> None:
    bundle = small_bundles[name]
    offsets = range(share, place(bundle, name).stat().st_size, SHARES)
    assert len(offsets) >= 19
    for offset in offsets:
        flip_and_check(bundle, name, offset, 1 << (offset // SHARES) % 8)


@pytest.mark.parametrize("share", range(SHARES))
@pytest.mark.parametrize("name", FILES)
def test_every_truncation_is_found_and_named(small_bundles: dict[str, Bundle], name: str, share: int) -> None:
    bundle = small_bundles[name]
    file = place(bundle, name)
    whole = file.read_bytes()
    try:
        for length in range(share, len(whole), SHARES):
            file.write_bytes(whole[:length])
            found = errors(bundle)
            assert any(Path(f.path) == file or file.name in f.message for f in found), length
    finally:
        file.write_bytes(whole)


@pytest.mark.parametrize("name", FILES)
@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_changed_byte_of_a_larger_bundle_is_found_and_named(
    large_bundles: dict[str, Bundle], name: str, data: st.DataObject
) -> None:
    bundle = large_bundles[name]
    size = place(bundle, name).stat().st_size
    offset = data.draw(st.integers(0, size - 1))
    flip_and_check(bundle, name, offset, data.draw(st.integers(1, 255)))


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_found_and_named(small_bundles: dict[str, Bundle], name: str) -> None:
    bundle = small_bundles[name]
    file = place(bundle, name)
    hidden = file.rename(bundle.path.parent / "hidden")
    try:
        results = api.validate(bundle.path, level=2).results
    finally:
        hidden.rename(file)
    assert results
    for result in results:
        found = [f for f in result.findings if f.severity is Severity.ERROR]
        assert found
        # Without its manifest a directory is no bundle: its files are looked at, and reach level 0.
        assert file.name == "ckpt.json" or any(file.name in f"{f.path} {f.message}" for f in found)
