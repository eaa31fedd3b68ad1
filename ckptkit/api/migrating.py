"""Migrate a file or a directory tree to version 2 bundles."""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path, PurePath

from ckptkit.api.migrating_file import DIRECTORY, Job, migrate_file
from ckptkit.api.reading import PathLike, is_checkpoint, read
from ckptkit.api.spreading import each
from ckptkit.errors import CkptkitError, NotACheckpointError, UsageError
from ckptkit.model.migration import Fate, Migrated, Migration
from ckptkit.storage.onnx import is_onnx_file
from ckptkit.storage.probe import Probe
from ckptkit.storage.replacing import is_own
from ckptkit.storage.walk import candidates

TARGETS = ("v2", DIRECTORY)
COMPRESSED = (".gz", ".zst", ".lz4", ".xz", ".bz2")
TORCH = (".pt", ".pth", ".ckpt", ".bin", ".tar", ".dat")
"""Ends of names that torch files have."""
OTHER = (".zip", ".safetensors", ".mpt", ".pkl", ".pickle", ".npz", ".onnx")
"""Ends of names that promise another container than a torch file."""

Progress = Callable[[int, int, Migrated], None]
"""Called with the number of files that are done, of all, and the last of them."""


def migrate(  # noqa: PLR0913 - one parameter an option of the command
    source: PathLike,
    target: PathLike | None = None,
    *,
    to: str = "v2",
    backup: bool = True,
    dry_run: bool = False,
    jobs: int = 1,
    input_shape: tuple[int, ...] | None = None,
    assume: Sequence[str] = (),
    progress: Progress | None = None,
) -> Migration:
    """Make version 2 bundles of a file, or of every checkpoint below a directory.

    A run that is killed, or interrupted, can be begun anew: what is done is seen by what is on disk.

    Args:
        source: A file or a directory. Links in it are not followed.
        target: Where the bundles go, under the same relative names; `source` is not changed then.
            None to put each bundle in the place of its file, which is kept as `NAME.backup`.
        to: `v2` (a torch dict) or `deploy` (a directory).
        backup: Whether a file whose bundle took its place is kept.
        dry_run: Do everything but write.
        jobs: Processes to use, which may import the calling program anew (it needs its `__main__` guard); 0
            for one a core where there are many files.
        input_shape: Shape of one observation, for architectures that the files cannot tell.
        assume: Names of profiles that may supply what the files cannot tell.
        progress: Told of each file.

    Returns:
        One result a file, in the order of the tree. What is refused or fails does not end the run.

    Raises:
        UsageError: The call cannot be carried out as it was made.
        NotACheckpointError: There is no checkpoint at `source`.
    """
    root, place = Path(source), None if target is None else Path(target)
    _refuse_misuse(root, place, to, jobs)
    common = Job(
        path=root,
        target=root,
        to=to,
        in_place=place is None,
        backup=backup,
        dry_run=dry_run,
        input_shape=input_shape,
        assume=tuple(assume),
    )
    listed = [replace(common, path=path, searched=path != root) for path in _files(root)]
    todo = list(_without_clashes([_aimed(job, root, place) for job in listed]))
    done: list[Migrated] = []
    results = each(_one, todo, jobs)
    with closing(results):
        for _, result in results:
            done.append(result)
            if progress is not None:
                progress(len(done), len(todo), result)
    if all(result.fate is Fate.NO_CHECKPOINT for result in done):
        reason = (
            done[0].reason if done and not Probe(root).is_directory else "no checkpoint in this directory"
        )
        raise NotACheckpointError(reason, where=os.fspath(source))
    return Migration(
        source=os.fspath(source),
        target="" if target is None else os.fspath(target),
        to=to,
        dry_run=dry_run,
        files=tuple(_with_owners(done)),
    )


def _refuse_misuse(root: Path, place: Path | None, to: str, jobs: int) -> None:
    if to not in TARGETS:
        raise UsageError(f"unknown target format {to!r}", fix=f"one of: {', '.join(TARGETS)}")
    if jobs < 0:
        raise UsageError(f"{jobs} processes can do nothing", fix="--jobs 1 or more")
    one = Path(os.path.realpath(root))  # `resolve` fails for links that lead in a circle
    if place is None:
        if root.is_symlink():
            raise UsageError("is a link", where=str(root), fix=f"name what it leads to: {one}")
        return
    other = Path(os.path.realpath(place))
    if one == other or one in other.parents or other in one.parents:
        raise UsageError(f"lies in {root}, or around it", where=str(place), fix="choose another path")


def _files(root: Path) -> Iterator[Path]:
    """Yield what may be migrated: files, and bundle directories as a whole.

    A directory that is one checkpoint of an older format is known by its main file.
    """
    if not Probe(root).is_directory:
        yield root
        return
    for path in candidates(root, is_checkpoint):
        if path == root or not is_own(path.relative_to(root)):
            yield _main(path)


def _main(path: Path) -> Path:
    if not path.is_dir():
        return path
    try:
        checkpoint = read(path)
    except CkptkitError:
        return path
    return path if checkpoint.bundle is not None else path / checkpoint.files[0].path


def _aimed(job: Job, root: Path, place: Path | None) -> Job:
    """Return a job with its target."""
    path = job.path
    if path.is_symlink() and path != root:
        return replace(job, refusal="is a link")
    if job.searched and path.is_file() and is_onnx_file(path):
        return replace(job, target=path)  # it stays, and takes no other's name
    to = DIRECTORY if path.is_dir() else job.to
    name = path.name if path.is_dir() else new_name(path.name, to)
    if place is None:
        return replace(job, target=path.with_name(name), to=job.to)
    target = place if path == root else (place / path.relative_to(root)).with_name(name)
    return replace(job, target=target, to=to)


def new_name(name: str, to: str) -> str:
    """Return the name of the bundle that is made from a file called `name`.

    A torch dict keeps the name, unless its end promises another container: `ppo.zip` gives `ppo.pt`. A
    directory has the name without its end (`ppo`), or with `.bundle` where it has none.
    """
    path = PurePath(name)
    if path.suffix.lower() in COMPRESSED and path.stem:
        path = PurePath(path.stem)
    suffix = path.suffix.lower()
    if to == DIRECTORY:
        return path.stem if suffix in (*TORCH, *OTHER) else f"{path.name}.bundle"
    return f"{path.stem}.pt" if suffix in OTHER else path.name


def _without_clashes(jobs: Sequence[Job]) -> Iterator[Job]:
    """Refuse files whose bundles would have one name; a file that keeps its own has the first right to it."""
    wanted = Counter(job.target for job in jobs if job.path.name != job.target.name)
    kept = {job.target for job in jobs if job.path.name == job.target.name and not job.in_place}
    for job in jobs:
        renamed = job.path.name != job.target.name
        if renamed and not job.refusal and (wanted[job.target] > 1 or job.target in kept):
            yield replace(job, refusal=f"another file would become {job.target} too")
        else:
            yield job


def _one(job: Job) -> Migrated:
    if job.path.is_symlink() and job.refusal:
        return Migrated(path=str(job.path), fate=Fate.NO_CHECKPOINT, reason="a link, which is not followed")
    return migrate_file(job)


def _with_owners(done: Sequence[Migrated]) -> Iterator[Migrated]:
    """Say of each sidecar whose it is."""
    owners = {sidecar: result.path for result in done for sidecar in result.sidecars}
    for result in done:
        owner = owners.get(result.path)
        if owner and result.fate is Fate.NO_CHECKPOINT:
            yield replace(result, reason=f"belongs to {PurePath(owner).name}")
        else:
            yield result
