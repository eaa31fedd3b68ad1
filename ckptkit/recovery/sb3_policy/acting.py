"""Which actions a policy gives: what the heads prove, and what only the lost space would say."""

from ckptkit.recovery.evidence import Findings
from ckptkit.recovery.image_sizes import divisors
from ckptkit.recovery.sb3.defaults import DEFAULTS
from ckptkit.recovery.sb3_policy.drawing import Space, box, discrete
from ckptkit.recovery.sb3_policy.reading import Reading

FIELD = "action_space"
DISCRETE, UNIT = "discrete-actions", "unit-actions"
QUANTILES = next(
    int(str(row.value)) for row in DEFAULTS if row.option == "n_quantiles" and "QRDQN" in row.algorithms
)
ACTORS = ("SAC", "TQC", "CrossQ", "TD3")


def act(reading: Reading, findings: Findings) -> Space | None:
    """Record the fields of the action, and return its space; None where nothing says it."""
    head = reading.names.source[reading.head]
    if reading.algorithm == "DQN":
        findings.prove(FIELD, discrete(reading.rows), head)
        return discrete(reading.rows)
    if reading.algorithm == "QRDQN":
        return _quantiles(reading, findings, head)
    if reading.algorithm in ACTORS:
        return _numbers(reading, findings, (head,))
    if "log_std" in reading.names.tensors:
        return _numbers(reading, findings, (reading.names.source["log_std"], head))
    return (
        _search(reading, findings, head) if reading.algorithm == "ARS" else _choices(reading, findings, head)
    )


def _numbers(reading: Reading, findings: Findings, evidence: tuple[str, ...]) -> Space | None:
    """A Box: how many numbers is proven, their bounds are not."""
    findings.prove("action_size", reading.rows, *evidence)
    others = [{"type": "Box", "product": reading.rows}]
    findings.constrain(FIELD, {"type": "Box", "shape": [reading.rows]}, others, *evidence)
    if UNIT in findings.hints.assume:
        findings.assume("action_bounds", [-1.0, 1.0], (), f"profile {UNIT}")
        return box([reading.rows])
    findings.unknown("action_bounds")
    squashed = reading.algorithm in ACTORS
    _leave_out(
        findings,
        "no output action: nothing says the bounds of its Box, so that the outputs end at mean_actions"
        + (" (a Tanh and the bounds follow)" if squashed and reading.algorithm != "TD3" else "")
        + (" (from -1 to 1, before the bounds)" if reading.algorithm == "TD3" else "")
        + f"; --assume {UNIT} takes -1 and 1",
    )
    return None


def _leave_out(findings: Findings, line: str) -> None:
    """Say which output a graph lacks, where there can be a graph."""
    if findings.profile:
        findings.note(line)


def _choices(reading: Reading, findings: Findings, head: str) -> Space | None:
    """No standard deviation: one choice, or several, or bits."""
    n = reading.rows
    several = [{"type": "MultiBinary", "shape": [n]}, {"type": "MultiDiscrete", "sum": n}]
    if n % 2 == 0 and reading.algorithm == "PPO":  # MaskablePPO takes a bit as a choice of two
        several.append({"type": "MultiBinary", "shape": [n // 2]})
    word = next((name for name in (DISCRETE, "rl-snake") if name in findings.hints.assume), "")
    if word:
        findings.assume(FIELD, discrete(n), several, f"profile {word}")
        return discrete(n)
    findings.constrain(FIELD, discrete(n), several, head, "there is no log_std")
    _leave_out(
        findings,
        f"no output action: {n} logits are Discrete({n}), MultiBinary({n}) or a MultiDiscrete of {n} in all, "
        f"so that the outputs end at logits as action_net gives them; --assume {DISCRETE} takes the first",
    )
    return None


def _search(reading: Reading, findings: Findings, head: str) -> Space | None:
    """ARS has no standard deviation whatever its actions are."""
    n = reading.rows
    numbers = {"type": "Box", "shape": [n]}
    others = [numbers, {"type": "Box", "product": n}]
    if DISCRETE in findings.hints.assume:
        findings.assume(FIELD, discrete(n), others, f"profile {DISCRETE}")
        return discrete(n)
    if UNIT in findings.hints.assume:
        findings.assume(FIELD, numbers, [discrete(n), *others[1:]], f"profile {UNIT}")
        findings.assume("action_bounds", [-1.0, 1.0], (), f"profile {UNIT}")
        return box([n])
    findings.constrain(FIELD, None, [discrete(n), *others], head)
    findings.ask(
        f"are the {n} numbers of {head} one choice, or an action of {n} numbers? (give --assume {DISCRETE} "
        f"or --assume {UNIT})"
    )
    return discrete(n)


def _quantiles(reading: Reading, findings: Findings, head: str) -> Space:
    """Rows are quantiles times actions."""
    rows = reading.rows
    actions = [discrete(rows // n) for n in divisors(rows)]
    fits = rows % QUANTILES == 0
    if findings.profile and fits:
        chosen = discrete(rows // QUANTILES)
        findings.assume("n_quantiles", QUANTILES, [n for n in divisors(rows) if n != QUANTILES])
        findings.assume(FIELD, chosen, [one for one in actions if one != chosen])
        return chosen
    findings.constrain("n_quantiles", None, divisors(rows), head)
    findings.constrain(FIELD, None, actions, head)
    way = (
        f"give --assume stable-baselines3 to take its default of {QUANTILES} quantiles"
        if fits
        else f"{QUANTILES}, the default, does not divide them; no flag says it, the zip with its `data` does"
    )
    findings.ask(f"how many actions does {head} have? its {rows} rows are actions times quantiles ({way})")
    return discrete(rows)
