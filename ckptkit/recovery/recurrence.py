"""One step of a recurrent policy: explicit states, which `episode_start` sets to zero before it."""

from ckptkit.errors import ArchitectureError
from ckptkit.recovery.builder import GraphBuilder

MOST_LAYERS = 64


def kept(builder: GraphBuilder) -> str:
    """Add the input `episode_start`, and return the value that is 0 where it is true, else 1."""
    start = builder.input("episode_start", "BOOL", (None,))
    factor = builder.add("Sub", builder.add("Cast", start, dtype="F32"), name="state/negated", value=1.0)
    factor = builder.add("Mul", factor, name="state/kept", value=-1.0)
    return builder.add("Reshape", factor, name="state/mask", shape=[1])


def layers(builder: GraphBuilder, path: str) -> int:
    """Return how many layers the LSTM at `path` has."""
    return sum(f"{path}.weight_ih_l{i}" in builder.tensors for i in range(MOST_LAYERS))


def lstm(builder: GraphBuilder, path: str, x: str, factor: str, state: str) -> str:
    """Add an LSTM and the inputs of its states, and return its output.

    Args:
        builder: The graph so far.
        path: Module path of the LSTM.
        x: What it takes.
        factor: What `kept` gave.
        state: Prefix of its two inputs (`state` for `state.0` and `state.1`).

    Raises:
        ArchitectureError: Its tensors are no LSTM's.
    """
    rows, size = builder.shape(f"{path}.weight_ih_l0", 2, "LSTM weight")
    if rows % 4:
        raise ArchitectureError(f"what is {path}.weight_ih_l0? an LSTM has four gates, and it {rows} rows")
    count = layers(builder, path)
    states = []
    for i in range(2):
        value = builder.input(f"{state}.{i}", "F32", (count, None, rows // 4))
        states.append(builder.add("Mul", value, factor, name=f"{state}.{i}/mul"))
    sizes = {"input_size": size, "hidden_size": rows // 4, "num_layers": count}
    return builder.own("LSTM", path, x, *states, bias=f"{path}.bias_ih_l0" in builder.tensors, **sizes)


def next_states(path: str) -> dict[str, str]:
    """Return the outputs that hold the states of the LSTM at `path` behind the step."""
    return {"next_state.0": f"{path}:1", "next_state.1": f"{path}:2"}
