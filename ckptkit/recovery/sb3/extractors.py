"""Features extractors: SB3's own three, and the classes of users that a profile knows.

Source: stable-baselines3 2.9.2, `common/torch_layers.py`; the layers are the same since 0.8.0
(`CombinedExtractor` since 1.2).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ckptkit.errors import ArchitectureError
from ckptkit.model.inert import ClassRef
from ckptkit.model.recovered import Field, Status
from ckptkit.recovery.sb3 import blocks, by_value, rl_snake
from ckptkit.recovery.sb3.policies import COMBINED, EXTRACTORS, FLATTEN, NATURE, default_extractor

if TYPE_CHECKING:
    from ckptkit.recovery.sb3.policy import Policy

_KEYWORDS = {FLATTEN: "", NATURE: "features_dim", COMBINED: "cnn_output_dim"}
"""The one keyword of each that tensors tell; all but Flatten also take `normalized_image`."""


@dataclass(frozen=True, slots=True)
class Named:
    """The extractor as the file names it.

    Attributes:
        cls: Its class.
        by_value: Whether the file holds the class's code, so that its module proves nothing.
        kwargs: Its keyword arguments.
        source: Where the file says so; empty for the policy's default.
    """

    cls: ClassRef
    by_value: bool
    kwargs: Mapping[str, object]
    source: str

    @property
    def own(self) -> str:
        """Name of the class where it is one of SB3's own, else empty."""
        mine = self.cls.module == EXTRACTORS and self.cls.name in _KEYWORDS and not self.by_value
        return self.cls.name if mine else ""


def named(policy: "Policy") -> Named:
    """Return which extractor the policy has.

    Raises:
        ArchitectureError: The file does not say it.
    """
    said = policy.checkpoint.model_config.get("features_extractor")
    if isinstance(said, Mapping) and isinstance(said.get("class"), ClassRef):
        kwargs = said.get("kwargs")
        where = str(said.get("source", "data:policy_kwargs"))
        given = kwargs if isinstance(kwargs, Mapping) else {}
        return Named(said["class"], said.get("by") == "value", given, where)
    policy.lost("features_extractor_class")
    if said or "features_extractor_class" in policy.kwargs:
        raise ArchitectureError("which features extractor is it? the file does not name its class")
    kwargs = policy.kwargs.get("features_extractor_kwargs")
    default = default_extractor(policy.policy_class, policy.algorithm) or ""
    return Named(ClassRef(EXTRACTORS, default), False, kwargs if isinstance(kwargs, Mapping) else {}, "")


def build(policy: "Policy", prefix: str) -> str:
    """Add the extractor at `prefix` and return its features.

    Raises:
        ArchitectureError: It is a class of the user's own that no profile knows, or its tensors
            are not those of its class.
    """
    found = named(policy)
    code = by_value.reading(policy)
    if "forward" in code:
        return by_value.build(policy, prefix, found, code)
    if not found.own:
        if found.cls.name != rl_snake.CLASS:
            by_value.constrain(policy, found)
            raise ArchitectureError(_question(policy, found, str(code.get("unread", ""))))
        return rl_snake.build(policy, prefix, found)
    policy.lost("features_extractor_kwargs")
    evidence = (found.source,) if found.source else ("data:policy_class",)
    policy.config["features_extractor_class"] = Field(found.own, Status.PROVEN, evidence)
    unknown = set(found.kwargs) - {_KEYWORDS[found.own], "normalized_image"}
    if unknown:
        raise ArchitectureError(f"what does {min(unknown)} do? {found.own} takes no such keyword")
    return _BUILD[found.own](policy, prefix, found.kwargs)


def _question(policy: "Policy", found: Named, unread: str) -> str:
    what = f"what does the features extractor {found.cls} compute? it is a class of the user's own"
    if unread:
        what += f"; its code is not read: {unread}"
    code = [fact for fact in policy.checkpoint.code if fact.kind == "code" and fact.where == found.source]
    seen = [name for fact in code for name in fact.names if name in rl_snake.MODULES]
    if not seen:
        return what
    used = ", ".join(dict.fromkeys(seen))
    return f"{what}; its code names {used}, and not how often, in which order or with what arguments"


def _flatten(policy: "Policy", prefix: str, _: Mapping[str, object]) -> str:
    if policy.builder.has(f"{prefix}."):
        raise ArchitectureError(f"what uses the tensors of {prefix}? {FLATTEN} has none")
    if "" not in policy.parts:
        raise ArchitectureError(f"which features extractor is it? {FLATTEN} takes no Dict observations")
    return blocks.flatten(policy.builder, policy.parts[""])


def _nature(policy: "Policy", prefix: str, kwargs: Mapping[str, object]) -> str:
    if "" not in policy.parts:
        raise ArchitectureError(f"which features extractor is it? {NATURE} takes no Dict observations")
    _prove_width(policy, prefix, "features_dim", kwargs)
    return blocks.nature_cnn(policy.builder, prefix, policy.parts[""])


def _combined(policy: "Policy", prefix: str, kwargs: Mapping[str, object]) -> str:
    """Each part of the Dict through its own extractor, then side by side in the space's order."""
    if "" in policy.parts:
        raise ArchitectureError(f"which features extractor is it? {COMBINED} takes Dict observations only")
    builder, values = policy.builder, []
    for key, value in policy.parts.items():
        part = f"{prefix}.extractors.{key}"
        if builder.has(f"{part}."):
            _prove_width(policy, part, "cnn_output_dim", kwargs)
            values.append(blocks.nature_cnn(builder, part, value))
        else:
            values.append(blocks.flatten(builder, value))
    return builder.add("Concat", *values, name=f"{prefix}/concat", axis=1) if len(values) > 1 else values[0]


def _prove_width(policy: "Policy", path: str, name: str, kwargs: Mapping[str, object]) -> None:
    weight = f"{path}.linear.0.weight"
    width = policy.builder.shape(weight, 2, "Linear weight")[0]
    if kwargs.get(name, width) != width:
        message = f"which holds? the extractor's keywords say {name} = {kwargs[name]}"
        raise ArchitectureError(f"{message}, and {weight} says {width}")
    policy.config[name] = Field(width, Status.PROVEN, (weight,))


_BUILD = {FLATTEN: _flatten, NATURE: _nature, COMBINED: _combined}
