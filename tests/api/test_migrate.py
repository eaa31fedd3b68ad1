"""What `migrate` makes of files and trees, and what it refuses."""

import os
import shutil
import threading
from pathlib import Path

import pytest
import torch

from ckptkit import api
from ckptkit.api.migrating import new_name
from ckptkit.api.spreading import FEW
from ckptkit.errors import NotACheckpointError, UsageError
from ckptkit.model.migration import Fate, Migrated, Migration, tally
from tests.api.trees import digest, digests, tree
from tests.corpus import CHECKOUT

FIXTURES = CHECKOUT / "fixtures"


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "model.pt"
    torch.save({"w": torch.arange(3.0)}, path)
    return path


def by_name(done: Migration) -> dict[str, Migrated]:
    return {Path(file.path).name: file for file in done.files}


def test_a_file_is_replaced_and_kept(weights: Path) -> None:
    weights.chmod(0o640)
    os.utime(weights, (1_000_000_000, 1_000_000_000))
    before = digest(weights)
    (file,) = api.migrate(weights).files
    assert (file.fate, file.target, file.backup) == (Fate.CONVERTED, str(weights), f"{weights}.backup")
    assert digest(weights.with_name("model.pt.backup")) == before
    assert (weights.stat().st_mode & 0o777, weights.stat().st_mtime) == (0o640, 1_000_000_000)
    loaded = torch.load(weights, weights_only=True)
    assert torch.equal(loaded["model_state_dict"]["w"], torch.arange(3.0))
    assert api.inspect(weights).content_digest == file.content_digest


def test_the_bundle_is_the_one_that_convert_writes(weights: Path, tmp_path: Path) -> None:
    api.convert(weights, "v2", tmp_path / "model" / "model.pt")
    api.migrate(weights)
    assert digest(weights) == digest(tmp_path / "model" / "model.pt")


def test_a_second_run_changes_nothing(weights: Path, tmp_path: Path) -> None:
    api.migrate(weights)
    before = digests(tmp_path)
    (file,) = api.migrate(weights).files
    assert file.fate is Fate.CURRENT
    assert digests(tmp_path) == before


def test_no_backup_leaves_the_bundle_alone(weights: Path, tmp_path: Path) -> None:
    (file,) = api.migrate(weights, backup=False).files
    assert file.backup == ""
    assert list(digests(tmp_path)) == ["model.pt"]


def test_a_backup_of_the_same_bytes_is_no_obstacle_and_another_one_is(weights: Path) -> None:
    backup = weights.with_name("model.pt.backup")
    backup.write_bytes(b"something else")
    before = digest(weights)
    (file,) = api.migrate(weights).files
    assert (file.fate, digest(weights), backup.read_bytes()) == (Fate.REFUSED, before, b"something else")
    assert "--no-backup" in file.fix
    shutil.copy(weights, backup)
    assert api.migrate(weights).files[0].fate is Fate.CONVERTED
    assert digest(backup) == before


def test_a_dry_run_says_the_same_and_writes_nothing(tmp_path: Path) -> None:
    shutil.copytree(FIXTURES / "torch", tmp_path / "runs")
    before = digests(tmp_path)
    dry = api.migrate(tmp_path / "runs", dry_run=True)
    assert digests(tmp_path) == before
    real = api.migrate(tmp_path / "runs")
    assert tally(dry.files) == tally(real.files)
    assert [file.level for file in dry.files] == [file.level for file in real.files]
    assert tally(real.files)["converted"] >= 15


@pytest.mark.parametrize(("jobs", "count"), [(0, FEW + 1), (1, 24), (2, 24)])
def test_a_tree_is_migrated_in_its_order_whatever_the_number_of_processes(
    tmp_path: Path, jobs: int, count: int
) -> None:
    tree(tmp_path, count)
    told: list[tuple[int, int]] = []
    done = api.migrate(tmp_path, jobs=jobs, progress=lambda at, total, _: told.append((at, total)))
    assert told == [(number, count) for number in range(1, count + 1)]
    assert [file.path for file in done.files] == sorted(file.path for file in done.files)
    assert tally(done.files)["converted"] == count
    assert {result.level for result in api.validate([file.target for file in done.files]).results} == {2}


def test_every_kind_of_file_has_its_fate_and_one_bad_file_ends_nothing(tmp_path: Path) -> None:
    shutil.copytree(FIXTURES / "sb3" / "extractor_by_reference", tmp_path / "snake")
    shutil.copytree(FIXTURES / "sb3" / "vecnormalize", tmp_path / "agents")
    shutil.copytree(FIXTURES / "conformance" / "deploy-minimal" / "bundle", tmp_path / "bundle")
    shutil.copy(FIXTURES / "torch" / "versioned_unknown" / "model.pt", tmp_path / "unknown.pt")
    shutil.copy(FIXTURES / "torch" / "bare" / "model.pt", tmp_path / "good.pt")
    (tmp_path / "cut.pt").write_bytes((tmp_path / "good.pt").read_bytes()[:-30])
    (tmp_path / "pointer.pt").write_text(
        f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 9\n"
    )
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "latest.pt").symlink_to("good.pt")
    done = by_name(api.migrate(tmp_path))
    fates = {name: str(file.fate) for name, file in done.items()}
    assert fates == {
        "PPO_extractor_by_reference.zip": "converted",
        "agent.zip": "converted",
        "bundle": "current",
        "cut.pt": "failed",
        "expected.json": "not-a-checkpoint",
        "good.pt": "converted",
        "latest.pt": "not-a-checkpoint",
        "notes.txt": "not-a-checkpoint",
        "pointer.pt": "failed",
        "unknown.pt": "refused",
        "vecnormalize.pkl": "not-a-checkpoint",
    }
    assert "3.0" in done["unknown.pt"].reason
    assert "link" in done["latest.pt"].reason
    assert (tmp_path / "latest.pt").is_symlink()
    assert done["vecnormalize.pkl"].reason == "belongs to agent.zip"
    beside = [Path(name).name for name in done["PPO_extractor_by_reference.zip"].sidecars]
    assert beside == ["feature_extractor.dill", "feature_extractor_kwargs.json"]
    assert all(Path(name).is_file() for name in done["PPO_extractor_by_reference.zip"].sidecars)


def test_a_state_without_tensors_is_migrated_and_statistics_alone_are_not(
    tmp_path: Path,
) -> None:
    torch.save({"optimizer_state_dict": {}, "agent_step": 7, "epoch": 1}, tmp_path / "trainer_state.pt")
    shutil.copy(FIXTURES / "sb3" / "vecnormalize" / "agent" / "vecnormalize.pkl", tmp_path)
    fates = {name: str(file.fate) for name, file in by_name(api.migrate(tmp_path)).items()}
    assert fates == {"trainer_state.pt": "converted", "vecnormalize.pkl": "not-a-checkpoint"}


def test_links_out_of_the_tree_are_not_followed(tmp_path: Path, weights: Path) -> None:
    root = tmp_path / "runs"
    tree(root, 2)
    (root / "out.pt").symlink_to(weights)
    (root / "folder").symlink_to(tmp_path)
    before = digest(weights)
    done = by_name(api.migrate(root))
    assert done["out.pt"].fate is Fate.NO_CHECKPOINT
    assert len(done) == 3
    assert digest(weights) == before


@pytest.mark.parametrize(
    ("name", "v2", "deploy"),
    [
        ("ppo.zip", "ppo.pt", "ppo"),
        ("model_0100.pt", "model_0100.pt", "model_0100"),
        ("dqn_best.pth", "dqn_best.pth", "dqn_best"),
        ("model.pt.gz", "model.pt", "model"),
        ("model.safetensors", "model.pt", "model"),
        ("model.onnx", "model.pt", "model"),
        ("weights", "weights", "weights.bundle"),
        ("model.v1.2", "model.v1.2", "model.v1.2.bundle"),
    ],
)
def test_names_promise_what_the_file_is(name: str, v2: str, deploy: str) -> None:
    assert (new_name(name, "v2"), new_name(name, "deploy")) == (v2, deploy)


def test_an_exported_graph_stays_unless_it_is_named(tmp_path: Path) -> None:
    root = tmp_path / "runs"
    root.mkdir()
    shutil.copy(CHECKOUT / "fixtures" / "sb3" / "ppo" / "model.zip", root / "agent.zip")
    shutil.copy(CHECKOUT / "fixtures" / "onnx" / "torch" / "model.onnx", root / "agent.onnx")
    before = digest(root / "agent.onnx")
    done = by_name(api.migrate(root))
    assert (done["agent.onnx"].fate, done["agent.zip"].fate) == (Fate.NO_CHECKPOINT, Fate.CONVERTED)
    assert "an exported graph" in done["agent.onnx"].reason
    assert digest(root / "agent.onnx") == before
    (named,) = api.migrate(root / "agent.onnx", tmp_path / "named.pt").files
    assert named.fate is Fate.CONVERTED


def test_files_whose_bundles_would_have_one_name_are_refused(tmp_path: Path) -> None:
    for name in ("a.pt", "a.zip", "b.safetensors", "b.zip"):
        torch.save({"w": torch.ones(1)}, tmp_path / name)
    done = by_name(api.migrate(tmp_path))
    fates = {name: str(file.fate) for name, file in done.items()}
    assert fates == {"a.pt": "converted", "a.zip": "refused", "b.safetensors": "refused", "b.zip": "refused"}
    mirrored = by_name(api.migrate(tmp_path, tmp_path.with_name("mirror")))
    assert mirrored["a.zip"].fate is Fate.REFUSED


def test_a_mirrored_tree_leaves_the_source_alone_and_is_completed(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    tree(source, 12)
    before = digests(source)
    first = api.migrate(source, target)
    assert digests(source) == before
    assert tally(first.files)["converted"] == 12
    (target / "run00" / "checkpoints" / "model_0001.pt").unlink()
    again = by_name(api.migrate(source, target))
    assert [name for name, file in again.items() if file.fate is Fate.CONVERTED] == ["model_0001.pt"]
    other = target / "run00" / "checkpoints" / "step0.pt"
    torch.save({"w": torch.ones(1)}, other)
    assert by_name(api.migrate(source, target))["step0.safetensors"].fate is Fate.REFUSED


def test_a_mirrored_tree_holds_the_bundles_too(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    shutil.copytree(FIXTURES / "conformance" / "deploy" / "bundle", source / "slot")
    tree(source, 2)
    api.migrate(source / "run00", None)
    api.migrate(source, target)
    again = api.migrate(source, target)
    assert {file.fate for file in again.files} == {Fate.CURRENT}
    assert api.inspect(target / "slot").content_digest == api.inspect(source / "slot").content_digest


def test_a_deploy_bundle_takes_the_place_of_its_file(weights: Path) -> None:
    (file,) = api.migrate(weights, to="deploy").files
    assert (file.target, weights.exists()) == (str(weights.with_name("model")), False)
    assert api.validate(weights.with_name("model")).results[0].level == 2
    assert weights.with_name("model.pt.backup").is_file()


def test_a_bundle_that_does_not_read_back_replaces_nothing(
    weights: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    before = digest(weights)

    def never(*arguments: object, **options: object) -> None:
        pytest.fail("the source was replaced")

    from ckptkit.api import migrating_file

    convert = migrating_file.convert

    def damaged(*arguments: object, **options: object) -> object:
        receipt = convert(*arguments, **options)  # type: ignore[arg-type]
        path = Path(str(arguments[2]))
        data = bytearray(path.read_bytes())
        data[data.index(torch.arange(3.0).numpy().tobytes()) + 4] ^= 1
        path.write_bytes(data)
        return receipt

    monkeypatch.setattr(migrating_file, "convert", damaged)
    monkeypatch.setattr(migrating_file, "take_place", never)
    (file,) = api.migrate(weights).files
    assert file.fate in (Fate.REFUSED, Fate.FAILED)
    assert "read back" in file.reason
    assert list(digests(tmp_path)) == ["model.pt"]
    assert digest(weights) == before


def test_an_interrupted_run_leaves_no_litter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, weights: Path
) -> None:
    from ckptkit.api import migrating_file

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(migrating_file, "take_place", interrupted)
    before = digests(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        api.migrate(weights)
    assert digests(tmp_path) == before


def test_a_file_system_without_links_gets_a_copy(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", refused)
    before = digest(weights)
    assert api.migrate(weights).files[0].fate is Fate.CONVERTED
    assert digest(weights.with_name("model.pt.backup")) == before


def test_what_the_system_refuses_is_said_and_the_source_stays(
    tmp_path: Path, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ckptkit.storage.atomic.put_in_place", full)
    before = digests(tmp_path)
    (file,) = api.migrate(weights).files
    assert (file.fate, "full" in file.reason) == (Fate.FAILED, True)
    assert digests(tmp_path) == before


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_said(weights: Path) -> None:
    weights.parent.chmod(0o555)
    try:
        (file,) = api.migrate(weights).files
    finally:
        weights.parent.chmod(0o755)
    assert (file.fate, "may not be written" in file.reason) == (Fate.FAILED, True)


def test_two_runs_at_once_wait_for_each_other(tmp_path: Path) -> None:
    tree(tmp_path, 40)
    before = digests(tmp_path)
    results: list[Migration] = []
    threads = [threading.Thread(target=lambda: results.append(api.migrate(tmp_path))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 2
    fates = {file.fate for done in results for file in done.files}
    assert fates <= {Fate.CONVERTED, Fate.CURRENT}
    found = digests(tmp_path)
    assert {name: found[f"{name}.backup"] for name in before} == before
    assert len(found) == 80


def test_misuse_is_said_before_anything_is_done(tmp_path: Path, weights: Path) -> None:
    link = tmp_path / "link.pt"
    link.symlink_to(weights)
    with pytest.raises(UsageError, match="is a link"):
        api.migrate(link)
    with pytest.raises(UsageError, match="lies in"):
        api.migrate(tmp_path, tmp_path / "out")
    with pytest.raises(UsageError, match="processes"):
        api.migrate(weights, jobs=-1)
    with pytest.raises(UsageError, match="unknown target"):
        api.migrate(weights, to="sb3")
    with pytest.raises(NotACheckpointError):
        api.migrate(tmp_path / "nothing.pt")
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(NotACheckpointError, match="no checkpoint in this directory"):
        api.migrate(empty)
    (empty / "notes.txt").write_text("hello")
    with pytest.raises(NotACheckpointError, match="no checkpoint in this directory"):
        api.migrate(empty)
