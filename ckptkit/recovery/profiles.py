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


ACTIVATIONS = {
    "elu": "ELU",
    "gelu": "GELU",
    "leaky-relu": "LeakyReLU",
    "relu": "ReLU",
    "sigmoid": "Sigmoid",
    "silu": "SiLU",
    "tanh": "Tanh",
}
"""Profile of a plain chain to the layer type that it puts between each two modules."""

PROFILES = (
    *(
        Profile(
            name,
            f"for a network of no family: a plain chain of convolutions and Linear layers in order of the "
            f"file, {kind} between each two of them, none behind the last, a flatten behind convolutions",
        )
        for name, kind in ACTIVATIONS.items()
    ),
    Profile("c51", "for a plain chain with `support`: rows are actions times atoms, a softmax over each"),
    Profile("dueling", "for a plain chain with two heads: Q = V + A - mean of A"),
    Profile(
        "unpadded",
        "for a plain chain: convolutions without padding, pooling, dilation and groups, not transposed, "
        "whose strides are at most their kernels and never grow from one to the next",
    ),
    Profile(
        "asteroids",
        "Asteroids DQN: strides of half the kernel, no padding, ReLU behind each convolution and hidden "
        "layer; without `support` not distributional; the smallest square image that fits",
    ),
    Profile(
        "discrete-actions",
        "an action is one choice of as many as the last layer of the policy has numbers (Discrete)",
    ),
    Profile(
        "keisei",
        "Keisei Shogi: a 9x9 board, convolutions that keep its size, ReLU, a sigmoid gate in "
        "squeeze-and-excitation, no activation behind the value",
    ),
    Profile(
        "metta",
        "MettaAgent: strides 3 and 1 for kernels 5 and 3, a grid of 11x11, ReLU, Tanh in the critic, "
        "components in the default order; plain policies divide observations by 255",
    ),
    Profile(
        "rl-snake",
        "RL-Snake: LinearQNet is Flatten, then Linear and ReLU for each layer (Linear, LayerNorm, ReLU and "
        "Dropout in the earlier one); the policy behind it as in `stable-baselines3`, its action one choice",
    ),
    Profile(
        "stable-baselines3",
        "Stable-Baselines3 policies without their `data`: its documented defaults (Tanh for PPO, A2C, TRPO "
        "and their kin, ReLU for all others; images of bytes divided by 255; 200 quantiles for QRDQN; no "
        "squash_output but for ARS), observations that are plain numbers",
    ),
    Profile(
        "tetris",
        "the Tetris trainer: a Stable-Baselines3 DQN as in `stable-baselines3`, with observations of 40,13",
    ),
    Profile("unit-actions", "an action is a Box of numbers from -1 to 1"),
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
