"""How many actions and atoms an Asteroids network has, and over which range the atoms lie."""

from dataclasses import dataclass

from ckptkit.model.real import real
from ckptkit.recovery.asteroids.reading import Reading
from ckptkit.recovery.asteroids.stated import Stated, place
from ckptkit.recovery.evidence import Findings
from ckptkit.recovery.image_sizes import divisors

RANGE = ("n_atoms", "v_min", "v_max")


@dataclass(frozen=True, slots=True)
class Heads:
    """What was settled.

    Attributes:
        actions: Number of actions; 0 where open.
        atoms: Atoms for each action; 0 where there are none, or it is open.
        values: The atoms where the file's words give them and no buffer does.
    """

    actions: int
    atoms: int
    values: tuple[float, ...] = ()


def heads(reading: Reading, stated: Stated, findings: Findings) -> Heads:
    """Record the fields of the heads and return what they come to."""
    paths = [reading.names.source[f"{head}.2.{_weight(reading)}"] for head in reading.heads]
    stated.agree("dueling_dqn", reading.dueling, *paths)
    stated.agree("noisy_networks", reading.noisy, *paths)
    if reading.support is not None:
        return _supported(reading, stated)
    if reading.dueling and reading.atoms == 1:
        stated.agree("distributional_dqn", False, *paths)
        return _values_only(reading, stated, findings)
    if reading.dueling:
        return _without_range(reading, stated, findings, int(reading.atoms or 0))
    return _ambiguous(reading, stated, findings)


def _weight(reading: Reading) -> str:
    return "weight_mu" if reading.noisy else "weight"


def _supported(reading: Reading, stated: Stated) -> Heads:
    buffer, atoms = reading.names.source["support"], int(reading.atoms or 0)
    stated.agree("distributional_dqn", True, buffer)
    stated.agree("n_action", reading.rows // atoms, reading.last, buffer)
    stated.agree("n_atoms", atoms, buffer)
    for name, value in zip(("v_min", "v_max"), reading.support or (), strict=True):
        stated.agree(name, value, buffer)
    return Heads(reading.rows // atoms, atoms)


def _values_only(reading: Reading, stated: Stated, findings: Findings) -> Heads:
    """One value for each action: what a file may say of atoms then has no effect."""
    stated.agree("n_action", reading.rows, reading.last)
    for name in RANGE:
        if stated.take(name) is None:
            findings.prove(name, None, reading.last)
    return Heads(reading.rows, 0)


def _ambiguous(reading: Reading, stated: Stated, findings: Findings) -> Heads:
    """Rows without `support`: actions, or actions times atoms with the buffer lost."""
    said = stated.config.get("distributional_dqn")
    if said is True:
        return _without_range(reading, stated, findings, _stated_atoms(reading, stated))
    if said is False:
        findings.prove("distributional_dqn", False, place("distributional_dqn"), reading.last)
        return _values_only(reading, stated, findings)
    atoms = _implied_atoms(reading, stated)
    if atoms == 1:
        findings.prove("distributional_dqn", False, place("n_action"), reading.last)
        return _values_only(reading, stated, findings)
    if atoms:
        return _without_range(reading, stated, findings, atoms)
    for name in ("n_action", "n_atoms"):
        value = stated.config.get(name)
        if value is not None:
            rows = f"the {reading.rows} rows of {reading.last}"
            findings.ask(f"which holds? {place(name)} is {value}, and {rows} do not divide by it")
    return _open(reading, findings)


def _implied_atoms(reading: Reading, stated: Stated) -> int:
    """Return how many rows each stated action has, 1 for one value; 0 where no fitting number is stated.

    A stated number of atoms counts only without one of actions: files of plain networks have it too.
    """
    count = stated.config.get("n_action")
    if count is None:
        return _stated_atoms(reading, stated)
    fits = isinstance(count, int) and not isinstance(count, bool) and count > 0
    return reading.rows // int(str(count)) if fits and reading.rows % int(str(count)) == 0 else 0


def _open(reading: Reading, findings: Findings) -> Heads:
    """Record all ways to divide the rows."""
    atoms = divisors(reading.rows)[1:]
    others: dict[str, tuple[object, list[object]]] = {
        "distributional_dqn": (False, [True] if atoms else []),
        "n_action": (reading.rows, [reading.rows // count for count in atoms]),
        "n_atoms": (None, [None, *atoms]),
    }
    for name, (value, rest) in others.items():
        if findings.profile:
            findings.assume(name, value, [other for other in rest if other is not value])
        else:
            findings.constrain(name, value, rest, reading.last, "there is no support")
    for name in RANGE[1:]:
        if findings.profile:
            findings.assume(name, None)
        else:
            findings.unknown(name)
    return Heads(reading.rows, 0)


def _stated_atoms(reading: Reading, stated: Stated) -> int:
    """Return the atoms that the file states, if the rows divide into them, else 0."""
    count = stated.config.get("n_atoms")
    fits = isinstance(count, int) and not isinstance(count, bool) and count > 1
    return int(str(count)) if fits and reading.rows % int(str(count)) == 0 else 0


def _without_range(reading: Reading, stated: Stated, findings: Findings, atoms: int) -> Heads:
    """A distributional network whose `support` was dropped: only the file's words give its range."""
    stated.agree("distributional_dqn", True, reading.last)
    if not atoms:
        findings.unknown("n_atoms")
        findings.unknown("n_action")
        findings.ask(f"how many atoms has an action? there is no support, and {reading.last} does not say")
    else:
        stated.agree("n_atoms", atoms, reading.last)
        stated.agree("n_action", reading.rows // atoms, reading.last)
    ends = [stated.take(name) for name in RANGE[1:]]
    numbers = [number for end in ends if (number := real(end)) is not None]
    if len(numbers) < 2:
        for name, end in zip(RANGE[1:], ends, strict=True):
            if end is None:
                findings.unknown(name)
        findings.ask("over which range lie the atoms? the buffer support is lost, and no file says it")
        return Heads(0, 0)
    low, high = numbers
    steps = max(atoms - 1, 1)
    values = tuple(low + (high - low) * i / steps for i in range(atoms))
    return Heads(reading.rows // max(atoms, 1), atoms, values)
