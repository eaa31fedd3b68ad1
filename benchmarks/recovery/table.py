"""Outcomes as a table, one row for each kind of network."""

import platform
import statistics
from collections.abc import Callable, Sequence
from importlib.metadata import version

from benchmarks.recovery.score import Outcome, wired
from ckptkit.version import __version__

Group = Sequence[Outcome]
NONE = "-"


def valid(group: Group) -> list[Outcome]:
    """Return the files that are a network of their kind."""
    return [one for one in group if not one.case.refused]


def exact(group: Group) -> str:
    """Return how many have every field that is told proven, and right."""
    fine = [not one.inexact and not one.wrong and one.family == one.case.family for one in valid(group)]
    return share(fine)


def within(group: Group) -> str:
    """Return how many have the truth of every field that is left a set within it."""
    return share([not one.outside and not one.wrong for one in valid(group)])


def graphs(group: Group) -> str:
    """Return how many get a graph from one who knows what weights cannot tell."""
    return share([not one.open_questions for one in valid(group) if wired(one.case)])


def share(fine: Sequence[bool]) -> str:
    """Return a percentage, cut to a tenth so that 100 means all."""
    return f"{int(1000 * sum(fine) / len(fine)) / 10:g} %" if fine else NONE


def median(numbers: Sequence[float], form: str = "g") -> str:
    """Return the median in few digits."""
    return format(statistics.median(numbers), form) if numbers else NONE


def times(group: Group) -> str:
    """Return the median and the longest time of the files that were timed."""
    taken = [one.milliseconds for one in group if one.milliseconds is not None]
    return f"{median(taken, '.1f')} / {max(taken):.1f}" if taken else NONE


COLUMNS: dict[str, Callable[[Group], str]] = {
    "files": lambda group: str(len(group)),
    "exact where told": exact,
    "truth within": within,
    "proven and wrong": lambda group: str(sum(bool(one.wrong) for one in group)),
    "wrong family": lambda group: str(sum(one.family != one.case.family for one in valid(group))),
    "unexplained keys": lambda group: str(sum(len(one.unexplained) for one in valid(group))),
    "keys not named": lambda group: str(sum(len(one.silent) for one in group)),
    "candidates (median)": lambda group: median([n for one in valid(group) for n in one.candidates]),
    "graph when told the rest": graphs,
    "mutated": lambda group: str(sum(one.case.refused for one in group)),
    "mutated accepted": lambda group: str(sum(one.accepted for one in group)),
    "ms (median / most)": times,
}


def table(outcomes: Group) -> str:
    """Return Markdown."""
    kinds = list(dict.fromkeys(one.case.kind for one in outcomes))
    rows = {kind: [one for one in outcomes if one.case.kind == kind] for kind in kinds}
    lines = [f"| kind | {' | '.join(COLUMNS)} |", "|---" * (len(COLUMNS) + 1) + "|"]
    for name, group in {**rows, "all": outcomes}.items():
        lines.append(f"| {name} | {' | '.join(column(group) for column in COLUMNS.values())} |")
    return "\n".join(lines)


def changes(outcomes: Group) -> str:
    """Return Markdown: a row for each change."""
    names = list(dict.fromkeys(one.case.variant for one in outcomes))
    lines = ["| change | files | as it has to be |", "|---|---|---|"]
    for name in names:
        group = [one for one in outcomes if one.case.variant == name]
        lines.append(f"| {name} | {len(group)} | {share([not one.failures for one in group])} |")
    return "\n".join(lines)


TEXT = """# Scorecard of recovery

What `ckptkit recover` says of {files} state dicts whose networks are known: {networks} networks over grids of
hyper-parameters, each as made and changed. The truth is what the constructor was given. This page is what
`python -m benchmarks.recovery -o docs/recovery-scorecard.md` wrote with ckptkit {version}, torch {torch},
Stable-Baselines3 {sb3} and Python {python}.

{kinds}

- *exact where told*: files of which every field that a state dict tells is proven and right. What it tells is
  defined in [the specification](../spec/recovery.md#what-a-state-dict-can-say).
- *truth within*: files of which every field that it leaves a set for has the truth among its candidates.
- *proven and wrong*: files with a field that is called proven and is not what the network was made with.
- *wrong family*: files that another family claims, or none. *Unexplained keys*: tensors of a whole network
  that are said to have no place. *Keys not named*: tensors that neither the graph nor a list mentions.
- *candidates*: how many values are given for a field of which the state dict leaves a set.
- *graph when told the rest*: files that become a graph for one who names the profile and the shape of the
  input. Of a generic network the modules are what is recovered, and not how they are wired.
- *mutated*: files with one shape changed so that no network of the kind has it, by the constructor's word; a
  change that gives another network of the kind counts as that one. Of a generic network, one vector of a
  layer is too long; accepted is where that layer still passes for one.
- *ms*: processor time of `ckptkit.recover` on a safetensors file, one thread, in a process that never
  imports torch.

## By change

{changes}
"""


def document(outcomes: Group) -> str:
    """Return the scorecard as a document."""
    return TEXT.format(
        files=f"{len(outcomes):,}",
        networks=sum(one.case.variant == "as made" for one in outcomes),
        version=__version__,
        torch=version("torch"),
        sb3=version("stable-baselines3"),
        python=platform.python_version(),
        kinds=table(outcomes),
        changes=changes(outcomes),
    )
