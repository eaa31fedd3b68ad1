"""RL-Snake's extractor LinearQNet: Flatten, then Linear and ReLU for each of `n_layers`.

A zip or sidecar names the class, mostly by reference, so that no code says what it computes. Its
documented default is taken as profile `rl-snake` where the file itself names the system (the class
path, or RL-Snake's own sidecars) or the user does. An earlier class had Linear, LayerNorm, ReLU and
Dropout for each layer. Where a file holds the class by value, the names in its code prove the
activation; what stands behind the last Linear is the profile's word even then.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ckptkit.errors import ArchitectureError
from ckptkit.model.inert import ClassRef
from ckptkit.model.recovered import Field, Status
from ckptkit.recovery.builder import GraphBuilder
from ckptkit.recovery.sb3 import blocks
from ckptkit.recovery.sb3.activations import NAMES, relu

if TYPE_CHECKING:
    from ckptkit.recovery.sb3.extractors import Named
    from ckptkit.recovery.sb3.policy import Policy

CLASS = "LinearQNet"
PROFILE = "rl-snake"
PACKAGE = "rl_snake"
SIDECARS = ("feature_extractor.dill", "feature_extractor_kwargs.json")
INSIDE = "data:policy_kwargs"

MODULES = NAMES | {
    "BatchNorm1d",
    "BatchNorm2d",
    "Conv1d",
    "Conv2d",
    "Dropout",
    "Embedding",
    "Flatten",
    "GRU",
    "LSTM",
    "LayerNorm",
    "Linear",
    "MaxPool2d",
    "ModuleList",
    "MultiheadAttention",
    "PReLU",
    "Sequential",
    "Softmax",
}
"""Names of `torch.nn` that code is looked through for."""

_PLAIN = frozenset(["Flatten", "Linear", "ReLU", "Sequential"])
_NORMED = _PLAIN | {"Dropout", "LayerNorm"}
_FORWARD = frozenset(["flatten", "linear"])


def build(policy: "Policy", prefix: str, found: "Named") -> str:
    """Add the extractor at `prefix` and return its features.

    Args:
        policy: The policy that has it.
        prefix: Its module path.
        found: The class and its keyword arguments, which must agree with the tensors.

    Raises:
        ArchitectureError: Nobody vouches for the profile, or file and tensors disagree.
    """
    normed = policy.builder.has(f"{prefix}.linear.1.")
    proven = _check_code(policy, found, normed)
    if not (proven or names_system(found.cls, found.source) or PROFILE in policy.hints.assume):
        question = f"is {found.cls} the LinearQNet of RL-Snake? the file does not name that system"
        raise ArchitectureError(f"{question}; --assume {PROFILE} takes it as such")
    if "" not in policy.parts:
        raise ArchitectureError(f"which features extractor is it? {CLASS} takes no Dict observations")
    x = blocks.flatten(policy.builder, policy.parts[""])
    x = layers(policy.builder, f"{prefix}.linear", x, normed=normed)
    told = _told(policy.builder, f"{prefix}.linear")
    _compare(found, told)
    policy.config |= told | _words(found, proven=proven, normed=normed)
    line = f"features_extractor = {layout(normed)} (profile {PROFILE})"
    if line not in policy.assumed:
        policy.assumed.append(line)
    return x


def names_system(cls: ClassRef, source: str) -> bool:
    """Whether a class's own path, or the file that names it, is RL-Snake's."""
    return PACKAGE in cls.module.split(".") or source in SIDECARS


def _check_code(policy: "Policy", found: "Named", normed: bool) -> bool:
    """Return whether the class's code is there and names what the profile says, and nothing else."""
    facts = [fact for fact in policy.checkpoint.code if fact.where in (found.source, INSIDE)]
    held = found.by_value or any(f.kind == "class" and f.name.endswith(CLASS) for f in facts)
    code = [fact for fact in facts if fact.kind == "code" and fact.names]
    if not held or not code:
        return False
    words = {word.strip("'\"") for fact in code for word in (*fact.names, *fact.constants)}
    used = words & MODULES
    forward = {name for fact in code if fact.name.endswith("forward") for name in fact.names}
    known = _NORMED if normed else _PLAIN
    if not (used <= known and {"Linear", "ReLU"} <= used and forward == _FORWARD):
        seen, does = ", ".join(sorted(used)) or "no layers", ", ".join(sorted(forward)) or "nothing"
        raise ArchitectureError(
            f"what does the features extractor {found.cls} compute? its code names {seen}, its forward "
            f"{does}: that is not RL-Snake's LinearQNet"
        )
    return True


def layers(builder: GraphBuilder, path: str, x: str, *, normed: bool) -> str:
    """Add the Sequential at `path` to a flat `x`.

    Args:
        builder: Where to add.
        path: Its module path.
        x: Value that it takes.
        normed: Whether it is of the earlier class.

    Raises:
        ArchitectureError: Its layers are at other indices.
    """
    if not normed:
        return blocks.mlp(builder, path, x, relu, tail=True)
    found = builder.indices(path)
    if found != [index for i in range(len(found) // 2) for index in (4 * i, 4 * i + 1)]:
        raise ArchitectureError(f"what is {path}? no {CLASS} has layers at {found}")
    for index in found[::2]:
        x = _normed_layer(builder, path, index, x)
    return x


def _normed_layer(builder: GraphBuilder, path: str, index: int, x: str) -> str:
    """Linear, LayerNorm and ReLU; the Dropout behind them changes nothing in evaluation."""
    x = builder.linear(f"{path}.{index}", x)
    size = builder.shape(f"{path}.{index + 1}.weight", 1, "LayerNorm weight")
    x = builder.own("LayerNorm", f"{path}.{index + 1}", x, normalized_shape=list(size))
    return builder.add("ReLU", x, name=f"{path}.{index + 2}")


def layout(normed: bool) -> str:
    """Return in words what the profile says of the class, or of the earlier one."""
    order = "Linear, LayerNorm, ReLU, Dropout" if normed else "Linear, ReLU"
    return f"Flatten, then {order} for each layer"


def _told(builder: GraphBuilder, path: str) -> dict[str, Field]:
    """Return the keyword arguments as the tensors tell them.

    Raises:
        ArchitectureError: There are no tensors.
    """
    weights = [f"{path}.{index}.weight" for index in builder.indices(path)]
    weights = [name for name in weights if len(builder.shape(name)) == 2]
    if not weights:
        raise ArchitectureError(f"where is {path}? the network needs it, and the state dict lacks it")
    width = builder.shape(weights[-1])[0]
    return {
        "features_dim": Field(width, Status.PROVEN, (weights[-1],)),
        "n_layers": Field(len(weights), Status.PROVEN, tuple(weights)),
    }


def _compare(found: "Named", told: Mapping[str, Field]) -> None:
    for name, value in found.kwargs.items():
        if name not in told:
            raise ArchitectureError(f"what does {name} do? {CLASS} takes no such keyword")
        if value != told[name].value:
            evidence = ", ".join(told[name].evidence)
            message = f"which holds? {found.source} says {name} = {value}"
            raise ArchitectureError(f"{message}, and {evidence} say {told[name].value}")


def _words(found: "Named", *, proven: bool, normed: bool) -> dict[str, Field]:
    """Return the fields that no tensor tells."""
    profile = (f"profile {PROFILE}",)
    code = (f"the code of {found.cls} names no other activation",)
    sure = Field("ReLU", Status.PROVEN, code) if proven else Field("ReLU", Status.ASSUMED, profile)
    return {
        "features_extractor_class": Field(str(found.cls), Status.PROVEN, (found.source,)),
        "features_extractor_activation": sure,
        "features_extractor_layout": Field(layout(normed), Status.ASSUMED, profile),
    }
