"""What a policy is made from: the checkpoint's own words, defaults, and the graph in the making."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from ckptkit.errors import ArchitectureError
from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.inert import ClassRef
from ckptkit.model.real import real
from ckptkit.model.recovered import Field, Hints, Status
from ckptkit.recovery.builder import GraphBuilder
from ckptkit.recovery.sb3 import extractors, observations
from ckptkit.recovery.sb3.activations import Activation, chosen
from ckptkit.recovery.sb3.defaults import ACCEPTED, defaults
from ckptkit.recovery.sb3.left_out import KEYWORDS, left_out
from ckptkit.recovery.sb3.policies import default_extractor
from ckptkit.recovery.sb3.well_formed import well_formed

PROFILE = "stable-baselines3"
SHOWN = 120
"""Characters of a space that a question shows."""


@dataclass(slots=True)
class Policy:
    """One SB3 policy while its graph is written.

    Attributes:
        checkpoint: What was read.
        algorithm: Class name of the algorithm.
        builder: The graph so far.
        hints: What the user vouches for.
        config: Fields found so far.
        assumed: Fields that a profile supplied, one line each.
        parts: Float observations by key; "" where the space is no Dict.
        raw: Whether nothing says the action space, so that the heads are all that there is to give.
    """

    checkpoint: Checkpoint
    algorithm: str
    builder: GraphBuilder
    hints: Hints
    config: dict[str, Field] = field(default_factory=dict)
    assumed: list[str] = field(default_factory=list)
    parts: dict[str, str] = field(default_factory=dict)
    raw: bool = False
    _features: dict[str, str] = field(default_factory=dict)

    @property
    def kwargs(self) -> Mapping[str, object]:
        """The `policy_kwargs` of the file."""
        value = self.checkpoint.model_config.get("policy_kwargs")
        return value if isinstance(value, Mapping) else {}

    @property
    def policy_class(self) -> object:
        """The policy's class as the file names it."""
        return self.checkpoint.model_config.get("policy_class")

    def check_words(self) -> None:
        """Make sure that the file's own words are all there and none is unknown.

        Raises:
            ArchitectureError: They are lost, or hold a keyword that no release of the policy took.
        """
        if not isinstance(self.checkpoint.model_config.get("policy_kwargs"), Mapping):
            raise ArchitectureError("what were the policy_kwargs? the file does not say them")
        for key in self.kwargs:
            if self.algorithm not in ACCEPTED.get(key, ()):
                raise ArchitectureError(f"what does {key} do? no release of this policy takes that keyword")

    def lost(self, name: str) -> None:
        """Make sure that a keyword was not left out because it is no plain data.

        Raises:
            ArchitectureError: It was, so that its value is open.
        """
        for what in left_out(self.checkpoint, f"{KEYWORDS}.{name}"):
            raise ArchitectureError(f"what is {name}? {what}, and only running it would tell")
        for what in left_out(self.checkpoint, KEYWORDS, below=False):
            raise ArchitectureError(f"what is {name}? {what}")

    def space(self, key: str, *kinds: str) -> Mapping[str, object]:
        """Return the `observation` or `action` space.

        Args:
            key: Which one.
            kinds: Space types that the algorithm takes; any where left out.

        Returns:
            Nothing of the `action` space of a policy that is `raw`.

        Raises:
            ArchitectureError: The file does not say it, or no such algorithm takes it.
        """
        if self.raw and key == "action":
            return {}
        space = self.checkpoint.spaces.get(key)
        if not isinstance(space, Mapping) or "type" not in space:
            raise ArchitectureError(f"what is the {key} space? the file does not say it")
        if space["type"] == "unknown":
            raise ArchitectureError(f"what is the {key} space? it is a class of the user's own: {space}")
        if kinds and space["type"] not in kinds:
            question = f"is that its {key} space? {self.algorithm} has no policy for a {space['type']}"
            raise ArchitectureError(question)
        if not well_formed(space):
            raise ArchitectureError(f"what is the {key} space? no policy takes one like {str(space)[:SHOWN]}")
        return space

    def option(self, name: str) -> object:
        """Return a keyword argument of the policy, and record how sure it is.

        Raises:
            ArchitectureError: It is no plain data, or its default depends on a release not stated.
        """
        self.lost(name)
        if name in self.kwargs:
            self.config[name] = Field(self.kwargs[name], Status.PROVEN, (KEYWORDS,))
            return self.kwargs[name]
        version = self.checkpoint.training_info.get("sb3_version")
        cls = self.policy_class
        rows = defaults(
            name,
            self.algorithm,
            policy=cls.name if isinstance(cls, ClassRef) else "",
            extractor=default_extractor(cls, self.algorithm) or "",
            version=version,
        )
        values = [row.value for row in rows if row.value != rows[0].value]
        if not rows or values:
            raise ArchitectureError(f"what is {name}? the file does not say which release wrote it")
        evidence = (f"profile {PROFILE}", str(rows[0]))
        self.config[name] = Field(rows[0].value, Status.ASSUMED, evidence)
        line = f"{name} = {rows[0].value} (profile {PROFILE}: {rows[0].range})"
        if line not in self.assumed:
            self.assumed.append(line)
        return rows[0].value

    def number(self, name: str) -> float:
        """Return a keyword argument that is a finite number.

        Raises:
            ArchitectureError: It is something else.
        """
        value = self.option(name)
        number = real(value)
        if number is None or not math.isfinite(number):
            raise ArchitectureError(f"what is {name}? {value!r} is no finite number")
        return number

    def flag(self, name: str) -> bool:
        """Return a keyword argument that is true or false.

        Raises:
            ArchitectureError: It is something else.
        """
        value = self.option(name)
        if not isinstance(value, int) or value not in (0, 1):
            raise ArchitectureError(f"what is {name}? {value!r} is neither true nor false")
        return bool(value)

    def prove(self, name: str, value: object, *evidence: str) -> None:
        """Record what tensors tell.

        Raises:
            ArchitectureError: The file says another value.
        """
        said = self.kwargs.get(name, value)
        if said != value:
            message = f"which holds? policy_kwargs says {name} = {said}, and {', '.join(evidence)}"
            raise ArchitectureError(f"{message} say {value}")
        self.config[name] = Field(value, Status.PROVEN, evidence)

    def activation(self) -> Activation:
        """Return the activation between the layers of the policy's networks.

        Raises:
            ArchitectureError: It is none of the vocabulary.
        """
        value = self.option("activation_fn")
        if "activation_fn" in self.kwargs and not isinstance(value, ClassRef):
            raise ArchitectureError(f"what does the activation {value!r} compute? it is no class")
        found = chosen(value)
        said = self.config["activation_fn"]
        self.config["activation_fn"] = Field(found.type, said.status, said.evidence)
        return found

    def observe(self) -> None:
        """Add the graph inputs and what turns them into float features."""
        space = self.space("observation")
        divide = observations.has_image(space) and self.flag("normalize_images")
        self.parts = observations.prepare(self.builder, space, normalize_images=divide)

    def features(self, prefix: str) -> str:
        """Add the features extractor whose module is at `prefix`, once, and return its features.

        Raises:
            ArchitectureError: It is a class of the user's own that no profile knows.
        """
        prefix = self.builder.canonical(prefix)
        if prefix not in self._features:
            self._features[prefix] = extractors.build(self, prefix)
        return self._features[prefix]
