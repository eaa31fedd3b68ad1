"""LSTM, GRU and RNN, of several steps or of one: gates from the rows of what acts on the state."""

from collections.abc import Mapping
from dataclasses import dataclass

from ckptkit.model.tensor import Tensor
from ckptkit.recovery.generic.reading import Module, module, usual

GATES = {4: "LSTM", 3: "GRU", 1: "RNN"}
REVERSE = "_reverse"
MOST_LAYERS = 256


def recurrent(leaves: Mapping[str, Tensor]) -> list[Module]:
    """Return the recurrent modules with exactly these tensors; an Elman network has two."""
    if not usual(leaves):
        return []
    if "weight_hh" in leaves:
        return _cell(leaves)
    found = _Stack(leaves).read() if "weight_hh_l0" in leaves else None
    if found is None:
        return []
    kind, attrs = found
    if kind == "RNN":
        return [module("RNN", **attrs, nonlinearity=name) for name in ("tanh", "relu")]
    return [module(kind, **attrs)]


def _cell(leaves: Mapping[str, Tensor]) -> list[Module]:
    shape = leaves["weight_hh"].shape
    kind = GATES.get(shape[0] // shape[1]) if len(shape) == 2 and shape[0] % shape[1] == 0 else None
    inner = leaves["weight_ih"].shape if "weight_ih" in leaves else ()
    if kind is None or len(inner) != 2:
        return []
    bias = "bias_ih" in leaves
    wanted = {"weight_ih": (shape[0], inner[1]), "weight_hh": shape}
    if bias:
        wanted |= {"bias_ih": shape[:1], "bias_hh": shape[:1]}
    if {name: tensor.shape for name, tensor in leaves.items()} != wanted:
        return []
    sizes = {"input_size": inner[1], "hidden_size": shape[1], "bias": bias}
    if kind == "RNN":
        return [module("RNNCell", **sizes, nonlinearity=name) for name in ("tanh", "relu")]
    return [module(f"{kind}Cell", **sizes)]


@dataclass(frozen=True, slots=True)
class _Stack:
    """The tensors of a module of several layers."""

    leaves: Mapping[str, Tensor]

    def read(self) -> tuple[str, dict[str, object]] | None:
        """Return type and attributes; None where the tensors are not those of such a module."""
        outer, inner = self.leaves["weight_hh_l0"].shape, self._shape("weight_ih_l0")
        projected = self._shape("weight_hr_l0")
        if len(outer) != 2 or len(inner) != 2 or (projected and len(projected) != 2):
            return None
        hidden = projected[1] if projected else outer[1]
        kind = GATES.get(outer[0] // hidden) if outer[0] % hidden == 0 else None
        layers = 0
        while f"weight_hh_l{layers}" in self.leaves and layers < MOST_LAYERS:
            layers += 1
        attrs: dict[str, object] = {
            "input_size": inner[1],
            "hidden_size": hidden,
            "num_layers": layers,
            "bias": "bias_ih_l0" in self.leaves,
            "bidirectional": f"weight_hh_l0{REVERSE}" in self.leaves,
        }
        if kind == "LSTM":
            attrs["proj_size"] = projected[0] if projected else 0
        fits = kind is not None and not (projected and (kind != "LSTM" or projected[0] >= hidden))
        return (str(kind), attrs) if fits and self._wanted(outer[0], attrs) == self._own() else None

    def _shape(self, name: str) -> tuple[int, ...]:
        return self.leaves[name].shape if name in self.leaves else ()

    def _own(self) -> dict[str, tuple[int, ...]]:
        return {name: tensor.shape for name, tensor in self.leaves.items()}

    @staticmethod
    def _wanted(rows: int, attrs: Mapping[str, object]) -> dict[str, tuple[int, ...]]:
        """Return the tensors that torch's module of these attributes has."""
        sizes = {name: int(str(attrs.get(name, 0))) for name in ("input_size", "hidden_size", "proj_size")}
        shown = sizes["proj_size"] or sizes["hidden_size"]
        ways = ("", REVERSE) if attrs["bidirectional"] else ("",)
        found: dict[str, tuple[int, ...]] = {}
        for layer in range(int(str(attrs["num_layers"]))):
            for way in ways:
                end = f"_l{layer}{way}"
                found[f"weight_ih{end}"] = (rows, shown * len(ways) if layer else sizes["input_size"])
                found[f"weight_hh{end}"] = (rows, shown)
                if attrs["bias"]:
                    found |= {f"bias_ih{end}": (rows,), f"bias_hh{end}": (rows,)}
                if sizes["proj_size"]:
                    found[f"weight_hr{end}"] = (sizes["proj_size"], sizes["hidden_size"])
        return found
