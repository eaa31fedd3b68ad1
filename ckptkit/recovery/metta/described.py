"""What a file says of MettaAgent beside its tensors: settings of pickled modules, and metadata."""

from collections.abc import Mapping

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
MOST_NAMES = 1 << 12


class Described:
    """The settings of pickled modules, by canonical path.

    Attributes:
        modules: Settings by the file's own paths; empty where no module was pickled.
    """

    def __init__(self, checkpoint: Checkpoint, names: Canonical) -> None:
        modules = _mapping(checkpoint.model_config.get("modules"))
        self.modules = {str(path): settings for path, settings in modules.items()}
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
    return str(config.get("model_type")) in TYPES or any(name.startswith(PACKAGES) for name in classes)


def action_names(checkpoint: Checkpoint) -> dict[str, list[str]]:
    """Return each list of action names that the file has, by its place."""
    found: dict[str, list[str]] = {}
    for tree in (checkpoint.training_info, checkpoint.model_config):
        trees = {"": tree} | {f"{key}.": value for key, value in tree.items() if isinstance(value, Mapping)}
        for place, entries in trees.items():
            names = entries.get(NAMES)
            listed = names if isinstance(names, list | tuple) and len(names) <= MOST_NAMES else ()
            if listed and all(isinstance(name, str) for name in listed):
                found[f"{place}{NAMES}"] = [str(name) for name in listed]
    return found


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}
