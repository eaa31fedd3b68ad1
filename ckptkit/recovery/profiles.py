"""Profiles: what a system's own code is known to do, and no file of it says.

A profile applies where the file itself names the system, or the user does (`--assume`). All that it
supplies is marked as assumed, with its name.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from ckptkit.errors import UsageError


@dataclass(frozen=True, slots=True)
class Profile:
    """Documented defaults of one system.

    Attributes:
        id: The word for `--assume`.
        summary: What it supplies, one line.
    """

    id: str
    summary: str


PROFILES = (
    Profile(
        "asteroids",
        "Asteroids DQN: strides of half the kernel, no padding, ReLU behind each convolution and hidden "
        "layer; without `support` not distributional; the smallest square image that fits",
    ),
    Profile(
        "keisei",
        "Keisei Shogi: a 9x9 board, convolutions that keep its size, ReLU, a sigmoid gate in "
        "squeeze-and-excitation, no activation behind the value",
    ),
    Profile("metta", "MettaAgent; no family takes it up yet, and convert says that it made no difference"),
    Profile("rl-snake", "RL-Snake's LinearQNet: Flatten, then Linear and ReLU for each layer"),
)


def names() -> tuple[str, ...]:
    """Return the names of all profiles, sorted."""
    return tuple(sorted(profile.id for profile in PROFILES))


def check(assumed: Iterable[str]) -> None:
    """Refuse names that no profile has.

    Raises:
        UsageError: One is unknown; the message lists those that there are.
    """
    for name in assumed:
        if name not in names():
            raise UsageError(f"{name!r} is not the name of a profile", fix=f"known: {', '.join(names())}")
