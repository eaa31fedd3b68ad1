"""What a policy is made from: the checkpoint's own words, defaults, and the graph in the making."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ckptkit.errors import ArchitectureError
from ckptkit.layers import vocabulary
from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.inert import ClassRef
from ckptkit.model.recovered import Field, Status
from ckptkit.recovery.builder import GraphBuilder
from ckptkit.recovery.sb3 import blocks, observations
from ckptkit.recovery.sb3.blocks import Activation

PROFILE = "stable-baselines3"
RL_SNAKE = "rl-snake"


@dataclass(slots=True)
class Policy:
    """One SB3 policy while its graph is written.

    Attributes:
        checkpoint: What was read.
        builder: The graph so far.
        config: Fields found so far.
        assumed: Fields that a profile supplied, one line each.
        parts: Float observations by key; "" where the space is no Dict.
    """

    checkpoint: Checkpoint
    builder: GraphBuilder
    config: dict[str, Field] = field(default_factory=dict)
    assumed: list[str] = field(default_factory=list)
    parts: dict[str, str] = field(default_factory=dict)

    @property
    def kwargs(self) -> Mapping[str, object]:
        """The `policy_kwargs` of the file."""
        value = self.checkpoint.model_config.get("policy_kwargs")
        return value if isinstance(value, Mapping) else {}

    def space(self, key: str) -> Mapping[str, object]:
        """Return the `observation` or `action` space.

        Raises:
            ArchitectureError: The file does not say it.
        """
        space = self.checkpoint.spaces.get(key)
        if not isinstance(space, Mapping) or "type" not in space:
            raise ArchitectureError(f"the file does not say its {key} space")
        return space

    def option(self, name: str, default: object, *, source: str = "") -> object:
        """Return a keyword argument of the policy, and record how sure it is."""
        if name in self.kwargs:
            self.config[name] = Field(self.kwargs[name], Status.PROVEN, ("data:policy_kwargs",))
            return self.kwargs[name]
        evidence = (source or f"default of {PROFILE} in every release since 0.8",)
        self.config[name] = Field(default, Status.ASSUMED, evidence)
        self.assumed.append(f"{name} = {default} ({PROFILE} default)")
        return default

    def activation(self, default: str) -> Activation:
        """Return the activation between the layers of the policy's networks.

        Raises:
            ArchitectureError: It is none of the vocabulary.
        """
        chosen = self.option("activation_fn", default)
        name = chosen.name if isinstance(chosen, ClassRef) else str(chosen)
        module = chosen.module if isinstance(chosen, ClassRef) else "torch.nn"
        kind = vocabulary().get(name)
        if kind is None or not module.startswith("torch.nn") or kind.parameters(kind.defaults):
            raise ArchitectureError(f"activation {chosen} is none that ckptkit can build")
        self.config["activation_fn"] = Field(name, *self._sureness("activation_fn"))
        return Activation(name, {})

    def _sureness(self, name: str) -> tuple[Status, tuple[str, ...]]:
        found = self.config[name]
        return found.status, found.evidence

    def observe(self) -> None:
        """Add the graph inputs and what turns them into float features."""
        normalize = bool(self.option("normalize_images", True))
        self.parts = observations.prepare(self.builder, self.space("observation"), normalize_images=normalize)

    def features(self, prefix: str) -> str:
        """Add the features extractor whose module is at `prefix` and return its features.

        Raises:
            ArchitectureError: It is a class of the user's own that no profile knows.
        """
        self._known_extractor(prefix)
        builder = self.builder
        if "" not in self.parts:
            return blocks.combined(builder, prefix, self.parts)
        if builder.has(f"{prefix}.cnn."):
            return blocks.nature_cnn(builder, prefix, self.parts[""])
        flat = blocks.flatten(builder, self.parts[""])
        if builder.has(f"{prefix}.linear."):
            return blocks.sequential(builder, f"{prefix}.linear", flat, Activation("ReLU", {}), tail=True)
        return flat

    def _known_extractor(self, prefix: str) -> None:
        said = self.checkpoint.model_config.get("features_extractor")
        named = said.get("class") if isinstance(said, Mapping) else None
        if not isinstance(named, ClassRef):
            if self.builder.has(f"{prefix}.linear.") and not self.builder.has(f"{prefix}.cnn."):
                raise ArchitectureError(
                    f"{prefix} is no extractor of SB3's own, and the file names no class for it"
                )
            return
        if named.module == "stable_baselines3.common.torch_layers":
            self.config["features_extractor_class"] = Field(
                named.name, Status.PROVEN, ("data:policy_kwargs",)
            )
            return
        if named.name != "LinearQNet":
            raise ArchitectureError(f"the features extractor is a class of the user's own: {named}")
        self.config["features_extractor_class"] = Field(named.name, Status.ASSUMED, (f"profile {RL_SNAKE}",))
        line = f"features_extractor: Flatten, then Linear and ReLU for each layer (profile {RL_SNAKE})"
        if line not in self.assumed:
            self.assumed.append(line)
