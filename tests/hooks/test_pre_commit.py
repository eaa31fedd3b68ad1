"""The hooks as pre-commit runs them: installed from a clone, in a repository with checkpoints."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.corpus import CHECKOUT

pytestmark = pytest.mark.slow
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize {}\n"
DVC = "outs:\n- md5: {}\n  size: {}\n  hash: md5\n  path: {}\n"


def git(folder: Path, *arguments: str) -> str:
    names = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    run = subprocess.run(["git", *names, *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return run.stdout


@pytest.fixture(scope="session")
def hooks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with nothing but what an installation needs, as it is in this checkout."""
    folder = tmp_path_factory.mktemp("hooks") / "ckptkit"
    folder.mkdir()
    for name in ("ckptkit", "spec", "schemas"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(CHECKOUT / name, folder / name, ignore=ignored)
    for name in ("pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", ".pre-commit-hooks.yaml"):
        shutil.copy(CHECKOUT / name, folder / name)
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "as it is")
    return folder


@dataclass(frozen=True)
class Hooked:
    """A repository with good checkpoints, and pre-commit for it."""

    folder: Path
    run: Callable[..., subprocess.CompletedProcess[str]]

    def stage(self) -> None:
        git(self.folder, "add", "-A")


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pre-commit")


@pytest.fixture
def hooked(tmp_path: Path, hooks: Path, home: Path, bundle: Path, sb3_zip: Path) -> Hooked:
    folder = tmp_path / "repo"
    (folder / "models").mkdir(parents=True)
    shutil.copytree(bundle, folder / "models/good")
    shutil.copytree(bundle, folder / "models/other")
    shutil.copy(sb3_zip, folder / "models/ppo.zip")
    revision = git(hooks, "rev-parse", "HEAD").strip()
    wanted = [{"id": "ckptkit-validate"}, {"id": "ckptkit-validate-tree"}]
    config = {"repos": [{"repo": str(hooks), "rev": revision, "hooks": wanted}]}
    (folder / ".pre-commit-config.yaml").write_text(json.dumps(config))
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "first")
    environment = {**os.environ, "PRE_COMMIT_HOME": str(home), "PIP_NO_CACHE_DIR": "0"}
    environment.pop("PYTHONPATH", None)

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "pre_commit", *arguments]
        return subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False
        )

    return Hooked(folder, run)


def test_the_hooks_are_as_measured() -> None:
    first, second = yaml.safe_load((CHECKOUT / ".pre-commit-hooks.yaml").read_text())
    assert (first["id"], first["types"], first["require_serial"]) == ("ckptkit-validate", ["file"], True)
    assert (second["pass_filenames"], second["always_run"]) == (False, True)
    assert second["stages"] == ["pre-push", "manual"]


def test_a_repository_with_good_checkpoints_passes_without_torch(hooked: Hooked, home: Path) -> None:
    run = hooked.run("run", "--all-files", "--verbose")
    assert run.returncode == 0, run.stdout + run.stderr
    assert "3 checkpoints: 3 ok" in run.stdout
    installed = {path.name for path in home.rglob("site-packages/*")}
    assert "ckptkit" in installed
    assert not {"torch", "onnx", "onnxruntime"} & installed


def test_try_repo_runs_both_hooks(hooked: Hooked, hooks: Path) -> None:
    assert hooked.run("try-repo", str(hooks), "ckptkit-validate", "--all-files").returncode == 0
    tree = hooked.run("try-repo", str(hooks), "ckptkit-validate-tree", "--hook-stage", "manual")
    assert tree.returncode == 0, tree.stdout + tree.stderr
    weights = hooked.folder / "models/good/model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    hooked.stage()
    run = hooked.run("try-repo", str(hooks), "ckptkit-validate", "--files", "models/good/model.safetensors")
    assert run.returncode == 1
    assert "CK301" in run.stdout


def test_a_changed_member_fails_its_bundle_and_only_that(hooked: Hooked) -> None:
    weights = hooked.folder / "models/good/model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    hooked.stage()
    run = hooked.run("run")
    assert run.returncode == 1
    assert "models/good/model.safetensors: CK301" in run.stdout
    assert "1 checkpoint: 0 ok, 1 failed" in run.stdout


def test_a_bundle_whose_members_come_in_one_list_is_checked_once(hooked: Hooked) -> None:
    members = [f"models/good/{name}" for name in ("ckpt.json", "model.safetensors")]
    run = hooked.run("run", "ckptkit-validate", "--verbose", "--files", *members, "models/other/ckpt.json")
    assert run.returncode == 0
    assert "2 checkpoints: 2 ok" in run.stdout


def test_pointers_are_compared_with_the_manifest(hooked: Hooked) -> None:
    folder = hooked.folder / "models/good"
    manifest = json.loads((folder / "ckpt.json").read_text())
    entry = next(one for one in manifest["files"] if one["path"] == "model.safetensors")
    (folder / "model.safetensors").write_text(POINTER.format(entry["sha256"], entry["size"]))
    hooked.stage()
    run = hooked.run("run", "--verbose")
    assert run.returncode == 0, run.stdout
    assert "content is not present" in run.stdout
    (folder / "model.safetensors").write_text(POINTER.format("0" * 64, entry["size"]))
    hooked.stage()
    run = hooked.run("run")
    assert run.returncode == 1
    assert "pointer to other content" in run.stdout


def test_a_dvc_pointer_stands_for_its_file(hooked: Hooked) -> None:
    weights = hooked.folder / "models/good/model.safetensors"
    size = weights.stat().st_size
    weights.unlink()
    pointer = weights.with_name("model.safetensors.dvc")
    pointer.write_text(DVC.format("0" * 32, size, weights.name))
    hooked.stage()
    run = hooked.run("run", "ckptkit-validate-tree", "--hook-stage", "manual", "--verbose")
    assert (run.returncode, "content is not present" in run.stdout) == (0, True), run.stdout


def test_a_deleted_member_is_found_before_the_push(hooked: Hooked) -> None:
    (hooked.folder / "models/good/model.safetensors").unlink()
    hooked.stage()
    run = hooked.run("run", "--hook-stage", "manual")
    assert run.returncode == 1
    assert "CK303" in run.stdout


def test_a_zip_that_is_no_checkpoint_is_said_and_passes(hooked: Hooked) -> None:
    (hooked.folder / "data.zip").write_text("no zip at all\n")
    hooked.stage()
    run = hooked.run("run", "--verbose")
    assert run.returncode == 0, run.stdout
    assert "data.zip: holds no checkpoint" in run.stdout
