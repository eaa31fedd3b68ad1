"""The LSTMs of RecurrentPPO: one step from explicit states, which `episode_start` zeroes.

Source: sb3-contrib 1.6.2 and 2.9.2, `common/recurrent/policies.py`. The critic has an LSTM of its
own, shares the actor's, or has a Linear in its place.
"""

from collections.abc import Mapping

from ckptkit.errors import ArchitectureError
from ckptkit.recovery import recurrence
from ckptkit.recovery.sb3.policy import Policy

ACTOR, CRITIC, LINEAR = "lstm_actor", "lstm_critic", "critic"
HARMLESS = ("bias", "dropout", "device")
"""Keywords of `torch.nn.LSTM` that tensors tell, or that change nothing in one evaluated step."""


def build(policy: Policy, pi: str, vf: str) -> tuple[str, str, bool]:
    """Add the LSTMs.

    Returns:
        What policy and value network take, and whether the value needs no state of its own.

    Raises:
        ArchitectureError: The LSTMs are not as SB3 makes them.
    """
    builder = policy.builder
    _check_keywords(policy)
    kept = recurrence.kept(builder)
    actor = recurrence.lstm(builder, ACTOR, pi, kept, "state")
    weight = f"{ACTOR}.weight_hh_l0"
    policy.prove("lstm_hidden_size", builder.shape(weight, 2, "LSTM weight")[1], weight)
    policy.prove("n_lstm_layers", recurrence.layers(builder, ACTOR), ACTOR)
    own, linear = builder.has(f"{CRITIC}."), builder.has(f"{LINEAR}.")
    policy.prove("enable_critic_lstm", own, f"{CRITIC} is {'there' if own else 'missing'}")
    policy.prove("shared_lstm", not own and not linear, f"{LINEAR} is {'there' if linear else 'missing'}")
    if own:
        return actor, recurrence.lstm(builder, CRITIC, vf, kept, "critic_state"), False
    return actor, builder.linear(LINEAR, vf) if linear else actor, True


def next_states() -> dict[str, str]:
    """Return the outputs that hold the actor's states behind the step."""
    return recurrence.next_states(ACTOR)


def _check_keywords(policy: Policy) -> None:
    policy.lost("lstm_kwargs")
    given = policy.kwargs.get("lstm_kwargs")
    for name, value in given.items() if isinstance(given, Mapping) else ():
        if name not in HARMLESS and value:
            raise ArchitectureError(f"what does lstm_kwargs {name} = {value} do? ckptkit has no such LSTM")
