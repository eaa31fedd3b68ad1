"""What a file says of MettaAgent beside its tensors: settings of pickled modules, and metadata."""

from collections.abc import Iterator, Mapping

from ckptkit.model.checkpoint import Checkpoint
from ckptkit.recovery.canonical import Canonical

PACKAGES = ("metta.", "mettagrid.", "cogames.")
TYPES = frozenset(["brain", "pytorch"])
"""Values of `model_type` in MettaAgent's dictionaries."""
PLAIN = frozenset(
    [
        "ReLU",
        "ReLU6",
        "Tanh",
        "Sigmoid",
        "LogSigmoid",
        "SiLU",
        "SELU",
        "Mish",
        "Hardswish",
        "Softsign",
        "Identity",
    ]
)
"""Activations of `torch.nn` without a number to choose."""
MODULES = ("torch.nn.modules.activation", "torch.nn.modules.linear")
NAMES = "action_names"
MOST_DEPTH = 4
MOST_NAMES = 1 << 12


class Described:
    """The settings of pickled modules, by canonical path.

    Attributes:
        modules: Settings by the file's own paths; empty where no module was pickled.
    """

    def __init__(self, checkpoint: Checkpoint, names: Canonical) -> None:
        self.modules = _mapping(checkpoint.model_config.get("modules"))
        self._prefix = names.prefix
        self._config = checkpoint.model_config

    def own(self, path: str) -> str:
        """Return the file's own path of a module without tensors of its own."""
        return f"{self._prefix}{path}"

    def kind(self, path: str) -> str:
        """Return the class of the module at `path`; empty where the file does not say."""
        return str(_mapping(self.modules.get(self.own(path))).get("class", ""))

    def settings(self, path: str) -> Mapping[str, object]:
        """Return the settings of the module at `path`; empty where the file does not say."""
        return _mapping(_mapping(self.modules.get(self.own(path))).get("attrs"))

    def children(self, path: str) -> list[str]:
        """Return the names directly below the module at `path`, or of the outermost with `path` empty."""
        start = f"{self.own(path)}." if path else self._prefix
        found = (name[len(start) :] for name in self.modules if name.startswith(start))
        return [name for name in found if name and "." not in name]

    def activation(self, path: str) -> str | None:
        """Return the layer type of the activation at `path`; None if no plain one is there."""
        module, _, name = self.kind(path).rpartition(".")
        return name if module in MODULES and name in PLAIN else None

    def agent(self, name: str) -> object:
        """Return what `agent_attributes`, or the pickled agent itself, says of a field."""
        places = (_mapping(self._config.get("agent_attributes")), self.modules.get(""))
        for place in (places[0], _mapping(_mapping(places[1]).get("attrs"))):
            if place.get(name) is not None:
                return place[name]
        return None


def names_system(checkpoint: Checkpoint) -> bool:
    """Whether the file names MettaAgent, by `model_type` or by the class of a module."""
    config = checkpoint.model_config
    classes = [str(_mapping(one).get("class", "")) for one in _mapping(config.get("modules")).values()]
    classes.append(str(config.get("class_path", "")))
    return config.get("model_type") in TYPES or any(name.startswith(PACKAGES) for name in classes)


def action_names(checkpoint: Checkpoint) -> dict[str, list[str]]:
    """Return each list of action names that the file has, by its place."""
    trees = (checkpoint.training_info, {k: v for k, v in checkpoint.model_config.items() if k != "modules"})
    return {place: names for tree in trees for place, names in _lists(tree, "", 0)}


def _lists(tree: object, path: str, depth: int) -> Iterator[tuple[str, list[str]]]:
    for key, value in _mapping(tree).items():
        place = f"{path}.{key}" if path else key
        if key == NAMES and isinstance(value, list | tuple) and 0 < len(value) <= MOST_NAMES:
            if all(isinstance(name, str) for name in value):
                yield place, [str(name) for name in value]
        elif depth < MOST_DEPTH:
            yield from _lists(value, place, depth + 1)


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}
