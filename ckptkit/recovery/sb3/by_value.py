"""An extractor whose class is in the file by value: what its code was read to compute.

Where the reading is single (`spec/legacy/code-objects.md`), layers, geometry and activations are proven
by the code. Where there is none, the names that the code uses constrain the activation, and a question
says why.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ckptkit.errors import ArchitectureError
from ckptkit.model.recovered import Field, Status
from ckptkit.recovery.code_wiring import Wiring
from ckptkit.recovery.sb3.activations import NAMES

if TYPE_CHECKING:
    from ckptkit.recovery.sb3.extractors import Named
    from ckptkit.recovery.sb3.policy import Policy

SHOWN = 12


def reading(policy: "Policy") -> Mapping[str, object]:
    """Return what the class's code was read to compute; empty where the file does not hold it."""
    said = policy.checkpoint.model_config.get("features_extractor")
    if not isinstance(said, Mapping) or said.get("by") != "value":
        return {}
    code = said.get("code")
    return code if isinstance(code, Mapping) else {}


def build(policy: "Policy", prefix: str, found: "Named", code: Mapping[str, object]) -> str:
    """Add the extractor at `prefix` and return its features.

    Raises:
        ArchitectureError: Its code leaves something open, or does not fit the tensors.
    """
    if "" not in policy.parts:
        raise ArchitectureError(
            f"what does {found.cls} do with the parts of a Dict? its code is not read for it"
        )
    attributes = code.get("attributes")
    takes = str(code.get("takes"))
    wiring = Wiring(
        policy.builder,
        prefix,
        attributes if isinstance(attributes, Mapping) else {},
        takes,
        policy.parts[""],
    )
    try:
        x = wiring.value(code.get("forward"))
    except ArchitectureError as error:
        constrain(policy, found)
        raise ArchitectureError(f"{error.what} ({found.source}, the code of {found.cls})") from error
    _record(policy, found, wiring)
    parameters = code.get("parameters")
    for name, value in parameters.items() if isinstance(parameters, Mapping) else ():
        place = (
            found.source
            if name in found.kwargs
            else f"{found.source} (default in the code of {found.cls.name})"
        )
        policy.config.setdefault(str(name), Field(value, Status.PROVEN, (place,)))
    return x


def _record(policy: "Policy", found: "Named", wiring: Wiring) -> None:
    start, forward = (f"{found.source} (code of {found.cls.name}.{name})" for name in ("__init__", "forward"))
    policy.config["features_extractor_class"] = Field(str(found.cls), Status.PROVEN, (found.source,))
    layers = [f"{kind} {path}" for kind, path in wiring.layers]
    policy.config["features_extractor_layers"] = Field(layers, Status.PROVEN, (start, forward))
    used = list(dict.fromkeys(kind for kind, _ in wiring.layers if kind in NAMES))
    if len(used) == 1:
        policy.config["features_extractor_activation"] = Field(used[0], Status.PROVEN, (start, forward))
    linear = [f"{wiring.prefix}.{path}.weight" for kind, path in wiring.layers if kind == "Linear"]
    if linear:
        width = policy.builder.shape(linear[-1])[0]
        policy.config["features_dim"] = Field(width, Status.PROVEN, (linear[-1],))


def constrain(policy: "Policy", found: "Named") -> None:
    """Record the activations that the class's code names, where its order stays open."""
    policy.config["features_extractor_class"] = Field(str(found.cls), Status.PROVEN, (found.source,))
    code = [one for one in policy.checkpoint.code if one.kind == "code" and one.where == found.source]
    names = dict.fromkeys(name for one in code for name in one.names)
    used = [name for name in names if name in NAMES or name in ("relu", "tanh", "sigmoid", "elu")]
    if used:
        evidence = tuple(dict.fromkeys(f"{found.source} (names in the code of {one.name})" for one in code))
        first = used[0] if len(used) == 1 else None
        others: tuple[object, ...] = () if first else tuple(used)
        status = Status.CONSTRAINED
        policy.config["features_extractor_activation"] = Field(
            first, status, evidence[:SHOWN], (*others, None)
        )
