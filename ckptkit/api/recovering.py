"""Say which network a checkpoint holds, how sure that is, and what would settle the rest."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from ckptkit import recovery
from ckptkit.api.preparing import refuse_unfit, with_architecture
from ckptkit.api.reading import PathLike, read
from ckptkit.api.spreading import FEW, Known, each
from ckptkit.errors import CkptkitError
from ckptkit.graph.document import architecture_of
from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.counterexample import Counterexample
from ckptkit.model.manifest import carried
from ckptkit.model.recovered import Hints
from ckptkit.model.results import Recovery, Rejection

FEW_BUILT = 4
"""Likewise where networks are built and run, for counterexamples."""


def recover(
    path: PathLike,
    *,
    input_shape: tuple[int, ...] | None = None,
    assume: Sequence[str] = (),
    explain: bool = False,
    counterexample: bool = False,
) -> Recovery:
    """Say which network a checkpoint holds, from names, shapes and a few values alone.

    Args:
        path: Any supported checkpoint or bundle. What a bundle's manifest says of its network stands,
            unless it has none there.
        input_shape: Shape of one observation, where weights cannot tell it.
        assume: Names of profiles that may supply what no file says.
        explain: Say of each family that does not claim the checkpoint why not.
        counterexample: Build two networks for each open field where that can be done, and search an
            input on which they differ.

    Raises:
        UsageError: A profile does not exist.
        MissingExtraError: A counterexample needs torch or onnx, and neither is installed.
        UnsafeCheckpointError: The checkpoint asks for more than reading data.
        CkptkitError: As `read`.
    """
    checkpoint = read(path)
    refuse_unfit(checkpoint)
    recovery.profiles.check(assume)
    hints = Hints(input_shape, tuple(assume))
    found = with_architecture(checkpoint, hints)
    report = _mapping(found.recovery or carried(found).get("recovery"))
    architecture = architecture_of(found) or {}
    return Recovery(
        path=os.fspath(path),
        format=checkpoint.format,
        family=str(report.get("family", "")),
        fields={name: _mapping(one) for name, one in _mapping(report.get("fields")).items()},
        graph=_mapping(architecture.get("graph")) or None,
        unexplained=_strings(report.get("unexplained")),
        questions=_strings(report.get("questions")),
        assumed=_strings(report.get("assumed")),
        parts=_mappings(report.get("parts")),
        rejected=tuple(
            Rejection(family, why.nearest, why.relation)
            for family, why in recovery.rejections(checkpoint).items()
        )
        if explain
        else None,
        counterexamples=_counterexamples(checkpoint, hints) if counterexample else None,
    )


def recover_each(
    paths: Iterable[PathLike | Known[CkptkitError]],
    *,
    input_shape: tuple[int, ...] | None = None,
    assume: Sequence[str] = (),
    explain: bool = False,
    counterexample: bool = False,
    jobs: int = 1,
) -> Iterator[Recovery | CkptkitError]:
    """Say of each checkpoint which network it holds, in the order of the paths, or why that cannot be said.

    Args:
        paths: Checkpoints and bundles; directories of them are not searched. An error that is known of one
            already may stand in its place.
        input_shape: As for `recover`.
        assume: As for `recover`.
        explain: As for `recover`.
        counterexample: As for `recover`.
        jobs: Processes to use, which may import the calling program anew (it needs its `__main__` guard); 0
            for one a core where there are many checkpoints.

    Raises:
        UsageError: A profile does not exist.
    """
    recovery.profiles.check(assume)
    work = partial(
        _recovered,
        input_shape=input_shape,
        assume=tuple(assume),
        explain=explain,
        counterexample=counterexample,
    )
    for _, found in each(work, paths, jobs, few=FEW_BUILT if counterexample else FEW):
        yield found


def _recovered(path: PathLike, **asked: Any) -> Recovery | CkptkitError:
    try:
        return recover(path, **asked)
    except CkptkitError as error:
        error.where = error.where or os.fspath(path)
        return error


def _counterexamples(checkpoint: Checkpoint, hints: Hints) -> tuple[Counterexample, ...]:
    """Return what the search finds; nothing of a bundle whose manifest says its network."""
    if architecture_of(checkpoint):
        return ()
    from ckptkit.api.counterexamples import counterexamples

    return counterexamples(checkpoint, hints)


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _mappings(value: object) -> tuple[Mapping[str, object], ...]:
    return tuple(map(_mapping, value)) if isinstance(value, list) else ()


def _strings(value: object) -> tuple[str, ...]:
    return tuple(str(one) for one in value) if isinstance(value, list) else ()
