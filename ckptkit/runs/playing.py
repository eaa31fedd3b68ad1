"""Let a policy act in an environment, without a word of which library made either."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from ckptkit.errors import UsageError

MAX_STEPS = 100_000


class Policy(Protocol):
    """What `ckptkit.load` gives; a model of Stable-Baselines3 is one too."""

    def predict(self, observation: Any, *, state: Any, episode_start: Any, deterministic: bool) -> Any:
        """Return the action and the next state."""


class Environment(Protocol):
    """One environment of gymnasium or of the older gym, or anything with their two methods."""

    def reset(self) -> Any:
        """Return the first observation, or a pair of that and facts."""

    def step(self, action: Any) -> Any:
        """Return observation, reward, terminated, truncated and facts; or with one flag for both."""


@dataclass(frozen=True, slots=True)
class Move:
    """One step of one episode.

    Attributes:
        episode: Number of the episode, from 1.
        step: Number of the step in it, from 1.
        observation: What the policy saw.
        action: What it did.
        reward: What that brought.
        total: Sum of rewards of the episode so far.
        ended: `terminated`, `truncated`, `limit` (of steps here), or empty while it goes on.
        info: What the environment says of the step.
    """

    episode: int
    step: int
    observation: Any
    action: Any
    reward: float
    total: float
    ended: str = ""
    info: Mapping[str, Any] = field(default_factory=dict)


def play(
    policy: Policy,
    env: Environment,
    episodes: int = 1,
    *,
    max_steps: int = MAX_STEPS,
    deterministic: bool = True,
) -> Iterator[Move]:
    """Yield each step that a policy makes; nothing is learned and nothing is waited for.

    Whoever takes the steps sets the pace, draws, and may stop at any of them.

    Args:
        policy: What acts. Its state, if it has a memory, begins anew with each episode.
        env: Where it acts.
        episodes: How many to play.
        max_steps: Steps after which an episode ends here.
        deterministic: Take the most likely action; otherwise one is drawn.

    Raises:
        UsageError: No episode or no step is asked for; or the environment gives something else than the
            two forms of gym.
    """
    if episodes < 1 or max_steps < 1:
        raise UsageError("nothing to play", fix="one episode and one step at least")
    for episode in range(1, episodes + 1):
        yield from _episode(policy, env, episode, max_steps, deterministic=deterministic)


def _episode(
    policy: Policy, env: Environment, episode: int, max_steps: int, *, deterministic: bool
) -> Iterator[Move]:
    import numpy as np

    first = env.reset()
    observation = first[0] if isinstance(first, tuple) and len(first) == 2 else first
    state, total = None, 0.0
    for step in range(1, max_steps + 1):
        action, state = policy.predict(
            observation, state=state, episode_start=np.array([step == 1]), deterministic=deterministic
        )
        seen, reward, ended, info = _outcome(env.step(action))
        total += reward
        ended = ended or ("limit" if step == max_steps else "")
        yield Move(episode, step, observation, action, reward, total, ended, info)
        if ended:
            return
        observation = seen


def _outcome(result: Any) -> tuple[Any, float, str, Mapping[str, Any]]:
    if not isinstance(result, tuple) or len(result) not in {4, 5}:
        raise UsageError("the environment's step gives neither four nor five values")
    observation, reward, terminated, *truncated, info = result
    cut = bool(truncated and truncated[0]) or bool(not truncated and info.get("TimeLimit.truncated"))
    ended = "terminated" if terminated and not (cut and not truncated) else "truncated" if cut else ""
    return observation, float(reward), ended, info
