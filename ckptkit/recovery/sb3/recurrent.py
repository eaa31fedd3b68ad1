"""The LSTMs of RecurrentPPO: one step from explicit states, which `episode_start` zeroes.

Source: sb3-contrib 1.6.2 and 2.9.2, `common/recurrent/policies.py`. The critic has an LSTM of its
own, shares the actor's, or has a Linear in its place.
"""

from collections.abc import Mapping

from ckptkit.errors import ArchitectureError
from ckptkit.recovery.builder import GraphBuilder
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
    start = builder.input("episode_start", "BOOL", (None,))
    kept = builder.add("Sub", builder.add("Cast", start, dtype="F32"), name="state/negated", value=1.0)
    kept = builder.add("Mul", kept, name="state/kept", value=-1.0)
    kept = builder.add("Reshape", kept, name="state/mask", shape=[1])
    actor = _lstm(builder, ACTOR, pi, kept, "state")
    weight = f"{ACTOR}.weight_hh_l0"
    policy.prove("lstm_hidden_size", builder.shape(weight, 2, "LSTM weight")[1], weight)
    policy.prove("n_lstm_layers", _layers(builder, ACTOR), ACTOR)
    own, linear = builder.has(f"{CRITIC}."), builder.has(f"{LINEAR}.")
    policy.prove("enable_critic_lstm", own, f"{CRITIC} is {'there' if own else 'missing'}")
    policy.prove("shared_lstm", not own and not linear, f"{LINEAR} is {'there' if linear else 'missing'}")
    if own:
        return actor, _lstm(builder, CRITIC, vf, kept, "critic_state"), False
    return actor, builder.linear(LINEAR, vf) if linear else actor, True


def next_states() -> dict[str, str]:
    """Return the outputs that hold the actor's states behind the step."""
    return {"next_state.0": f"{ACTOR}:1", "next_state.1": f"{ACTOR}:2"}


def _check_keywords(policy: Policy) -> None:
    policy.lost("lstm_kwargs")
    given = policy.kwargs.get("lstm_kwargs")
    for name, value in given.items() if isinstance(given, Mapping) else ():
        if name not in HARMLESS and value:
            raise ArchitectureError(f"what does lstm_kwargs {name} = {value} do? ckptkit has no such LSTM")


def _layers(builder: GraphBuilder, path: str) -> int:
    return sum(f"{path}.weight_ih_l{i}" in builder.tensors for i in range(64))


def _lstm(builder: GraphBuilder, path: str, x: str, kept: str, state: str) -> str:
    rows, size = builder.shape(f"{path}.weight_ih_l0", 2, "LSTM weight")
    if rows % 4:
        raise ArchitectureError(f"what is {path}.weight_ih_l0? an LSTM has four gates, and it {rows} rows")
    layers = _layers(builder, path)
    states = []
    for i in range(2):
        value = builder.input(f"{state}.{i}", "F32", (layers, None, rows // 4))
        states.append(builder.add("Mul", value, kept, name=f"{state}.{i}/mul"))
    sizes = {"input_size": size, "hidden_size": rows // 4, "num_layers": layers}
    return builder.own("LSTM", path, x, *states, bias=f"{path}.bias_ih_l0" in builder.tensors, **sizes)
