"""Write a graph layer by layer, taking sizes from the tensors that the layers own."""

import re
from collections.abc import Mapping
from typing import Any

from ckptkit.errors import ArchitectureError
from ckptkit.layers import FLOATS
from ckptkit.model.architecture import Graph, Layer, ValueType
from ckptkit.model.tensor import Tensor

INDEX = re.compile(r"([0-9]{1,9})\.")


class GraphBuilder:
    """A graph in the making.

    Attributes:
        tensors: The state dict.
        inputs: Graph inputs so far.
        outputs: Graph outputs so far; set by the caller.
    """

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        self.tensors = tensors
        self.inputs: dict[str, ValueType] = {}
        self.outputs: dict[str, str] = {}
        self._layers: dict[str, Layer] = {}
        self._owned: set[str] = set()
        self._owner: dict[str, str] = {}
        self._same: dict[tuple[object, ...], list[str]] = {}
        for name, tensor in tensors.items():
            self._same.setdefault(tensor.identity, []).append(name)

    @property
    def names(self) -> Mapping[str, Layer]:
        """Layers so far, by name."""
        return self._layers

    def input(self, name: str, dtype: str, shape: tuple[int | None, ...]) -> str:
        """Add a graph input and return its name."""
        self.inputs[name] = ValueType(dtype, shape)
        return name

    def add(self, kind: str, *inputs: str, name: str = "", **attrs: Any) -> str:
        """Add a layer without parameters and return its name.

        Args:
            kind: Layer type.
            inputs: Values that it takes.
            name: Unique name; made from the type and the first input where left out.
            attrs: Attributes of the layer type.

        Returns:
            The name; the same one again where the very same step has been added before.
        """
        name = name or f"{inputs[0]}/{kind.lower()}"
        layer = Layer(name, kind, inputs, attrs)
        if self._layers.get(name) == layer:
            return name
        if name in self._layers or name in self.inputs:
            name = f"{name}_{len(self._layers)}"
        self._layers[name] = Layer(name, kind, inputs, attrs)
        return name

    def own(self, kind: str, path: str, *inputs: str, **attrs: Any) -> str:
        """Add the layer whose parameters lie below `path`, and below its aliases.

        Returns:
            `path`, which is also what it returns where the layer has been added before.

        Raises:
            ArchitectureError: The same tensors are a layer already, which takes another input.
        """
        names = [name for name in self.tensors if name == path or name.startswith(f"{path}.")]
        before = self._owner.get(path)
        if before is not None:
            if self._layers[before] != Layer(before, kind, inputs, attrs, self._layers[before].aliases):
                raise ArchitectureError(
                    f"what does {path} take? it shares its tensors with {before}, which takes another value"
                )
            return before
        aliases = self._aliases(path, names)
        for place in (path, *aliases):
            self._owner[place] = path
            self._owned.update(f"{place}{name[len(path) :]}" for name in names)
        self._layers[path] = Layer(path, kind, inputs, attrs, aliases)
        return path

    def _aliases(self, path: str, names: list[str]) -> tuple[str, ...]:
        """Return the other module paths below which all of `names` are the same storage views."""
        found: set[str] | None = None
        for name in names:
            suffix = name[len(path) :]
            twins = {
                twin[: len(twin) - len(suffix)]
                for twin in self._same[self.tensors[name].identity]
                if twin.endswith(suffix) and twin != name
            }
            found = twins if found is None else found & twins
        return tuple(sorted((found or set()) - {path}))

    def canonical(self, path: str) -> str:
        """Return the module path whose layers own the tensors below `path` already, else `path`.

        Raises:
            ArchitectureError: Only some of them are owned by another module's layers.
        """
        below = [name for name in self.tensors if name.startswith(f"{path}.")]
        for place, owner in self._owner.items():
            if not place.startswith(f"{path}.") or place == owner:
                continue
            suffix = place[len(path) :]
            other = owner.removesuffix(suffix)
            if owner == other or any(not self._twins(path, other, name) for name in below):
                raise ArchitectureError(
                    f"what does {path} hold? it shares some of its tensors with {owner}, and not all"
                )
            return other
        return path

    def _twins(self, path: str, other: str, name: str) -> bool:
        twin = self.tensors.get(f"{other}{name[len(path) :]}")
        return twin is not None and twin.identity == self.tensors[name].identity

    def shape(self, name: str, axes: int | None = None, kind: str = "") -> tuple[int, ...]:
        """Return the shape of a tensor.

        Args:
            name: State-dict name.
            axes: How many axes it must have.
            kind: What it is then called.

        Raises:
            ArchitectureError: There is none of that name, or it has another number of axes.
        """
        tensor = self.tensors.get(name)
        if tensor is None:
            raise ArchitectureError(f"where is {name}? the network needs it, and the state dict lacks it")
        if axes is not None and len(tensor.shape) != axes:
            raise ArchitectureError(f"what is {name}? of shape {list(tensor.shape)} it is no {kind}")
        return tensor.shape

    def has(self, prefix: str) -> bool:
        """Whether any tensor's name starts with `prefix`."""
        return any(name.startswith(prefix) for name in self.tensors)

    def linear(self, path: str, x: str) -> str:
        """Add a Linear of the size that its weight has."""
        shape = self.shape(f"{path}.weight", 2, "Linear weight")
        bias = f"{path}.bias" in self.tensors
        return self.own("Linear", path, x, in_features=shape[1], out_features=shape[0], bias=bias)

    def conv(self, path: str, x: str, **geometry: Any) -> str:
        """Add a Conv2d of the size that its weight has; stride and padding come from `geometry`."""
        shape = self.shape(f"{path}.weight", 4, "Conv2d weight")
        bias = f"{path}.bias" in self.tensors
        sizes = {
            "in_channels": shape[1],
            "out_channels": shape[0],
            "kernel_size": list(shape[2:]),
            "bias": bias,
        }
        return self.own("Conv2d", path, x, **sizes, **geometry)

    def parameter(self, path: str, *, buffer: bool = False) -> str:
        """Add the tensor of that name by itself; of whatever floating type, its values are F32."""
        shape, stored = list(self.shape(path)), self.tensors[path].dtype.name
        dtype = "F32" if stored in FLOATS else stored
        return self.own("Parameter", path, shape=shape, dtype=dtype, buffer=buffer)

    def indices(self, path: str) -> list[int]:
        """Return the sorted indices of a Sequential at `path` that have parameters."""
        found = set()
        for name in self.tensors:
            if name.startswith(f"{path}."):
                match = INDEX.match(name, len(path) + 1)
                if match:
                    found.add(int(match.group(1)))
        return sorted(found)

    def unexplained(self) -> tuple[str, ...]:
        """Return the tensors that no layer owns."""
        return tuple(name for name in self.tensors if name not in self._owned)

    def graph(self) -> Graph:
        """Return the graph as it stands."""
        return Graph(dict(self.inputs), tuple(self._layers.values()), dict(self.outputs))
