"""A module's graph from what its code was read to compute, and from its tensors.

The reading is that of `spec/legacy/code-objects.md`: expressions for the attributes that `__init__` sets,
and one for what `forward` returns. Every step is one of a known list; anything else is a question.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ckptkit.errors import ArchitectureError
from ckptkit.model.real import real
from ckptkit.recovery import torch_calls
from ckptkit.recovery.builder import GraphBuilder

OPERATORS = {"+": "Add", "-": "Sub", "*": "Mul", "/": "Div"}
FUNCTIONAL = ("torch", "torch.nn.functional")
MAX_DEPTH = 100


@dataclass(slots=True)
class Wiring:
    """One module while its graph is written.

    Attributes:
        builder: The graph so far.
        prefix: The module's path.
        attributes: Expressions of what `__init__` set, by name.
        takes: Name of the parameter of `forward`.
        x: The value that it stands for.
        layers: What was added, in order: type and path.
    """

    builder: GraphBuilder
    prefix: str
    attributes: Mapping[str, object]
    takes: str
    x: str
    layers: list[tuple[str, str]] = field(default_factory=list)
    depth: int = 0

    def value(self, expression: object) -> str:
        """Add what an expression of `forward` computes and return its name.

        Raises:
            ArchitectureError: It is not known what that is.
        """
        self.depth += 1
        try:
            return self._value(expression)
        finally:
            self.depth -= 1

    def _value(self, expression: object) -> str:
        if not isinstance(expression, Mapping) or self.depth > MAX_DEPTH:
            raise ArchitectureError("what does its forward compute? the reading of its code is malformed")
        if expression.get("param") == self.takes:
            return self.x
        if "call" in expression:
            return self._call(expression["call"], _list(expression, "args"), _mapping(expression, "keywords"))
        if "op" in expression:
            return self._operator(expression["op"], _list(expression, "args"))
        kind = next(iter(expression), "nothing")
        raise ArchitectureError(f"what does its forward compute? it uses {_shown(expression, kind)}")

    def _call(self, callee: object, args: Sequence[object], keywords: Mapping[str, object]) -> str:
        name = dotted(callee)
        if name:
            return self._function(name, args, keywords)
        if not isinstance(callee, Mapping) or "attr" not in callee:
            raise ArchitectureError("what does its forward call? its code does not say")
        of, attribute = callee.get("of"), str(callee["attr"])
        if isinstance(of, Mapping) and "self" in of:
            if len(args) != 1 or keywords:
                raise ArchitectureError(f"what does {attribute} take? a module here takes one value")
            return self.module(f"{self.prefix}.{attribute}", self._attribute(attribute), self.value(args[0]))
        return self._method(attribute, of, args, keywords)

    def _attribute(self, name: str) -> object:
        if name not in self.attributes:
            raise ArchitectureError(f"what is {name}? __init__ does not set it")
        return self.attributes[name]

    def module(self, path: str, expression: object, x: str, *, fresh: bool = False) -> str:
        """Add the module that an expression of `__init__` makes, applied to `x`.

        Raises:
            ArchitectureError: It is not known what that is, or its tensors are not there.
        """
        self.depth += 1
        if not isinstance(expression, Mapping) or self.depth > MAX_DEPTH:
            raise ArchitectureError(f"what is {path}? the reading of its code is malformed")
        of = expression.get("of")
        if "attr" in expression and isinstance(of, Mapping) and "self" in of:
            expression = _mapping({"is": self._attribute(str(expression["attr"]))}, "is")
        name = dotted(expression.get("call"))
        args, keywords = _list(expression, "args"), _mapping(expression, "keywords")
        if name in ("torch.nn.Sequential", "torch.nn.modules.container.Sequential") and not keywords:
            for index, part in enumerate(args):
                fresh = (
                    index > 0 and dotted(_called(args[index - 1])).rpartition(".")[2] in torch_calls.OWNERS
                )
                x = self.module(f"{path}.{index}", part, x, fresh=fresh)
        elif name:
            call = torch_calls.module_call(name, args, keywords)
            x = torch_calls.add(self.builder, path, x, call, fresh=fresh)
            self.layers.append((call.kind, path.removeprefix(f"{self.prefix}.")))
        else:
            raise ArchitectureError(f"what is {path}? its code makes it in a way that is not read")
        self.depth -= 1
        return x

    def _function(self, name: str, args: Sequence[object], keywords: Mapping[str, object]) -> str:
        module, _, word = name.rpartition(".")
        if module in FUNCTIONAL and word in torch_calls.FUNCTIONS and len(args) == 1 and not keywords:
            return self._activation(word, args[0])
        if name == "torch.flatten" and args:
            return self._flatten(args[0], args[1:], keywords)
        if name in ("torch.cat", "torch.concat") and args and isinstance(args[0], Mapping):
            axis = [*args[1:], *keywords.values()]
            parts = args[0].get("list", args[0].get("tuple"))
            if axis == [{"const": 1}] and isinstance(parts, list) and set(keywords) <= {"dim", "axis"}:
                return self.builder.add("Concat", *(self.value(part) for part in parts), axis=1)
        raise ArchitectureError(f"what does {name} compute? it is not called in a way that is read")

    def _method(self, name: str, of: object, args: Sequence[object], keywords: Mapping[str, object]) -> str:
        if name in torch_calls.FUNCTIONS and not args and not keywords:
            return self._activation(name, of)
        if name == "flatten":
            return self._flatten(of, args, keywords)
        if name in ("view", "reshape") and not keywords and list(args[1:]) == [{"const": -1}]:
            shape = {"item": [{"attr": "shape", "of": of}, {"const": 0}]}
            size = {"call": {"attr": "size", "of": of}, "args": [{"const": 0}], "keywords": {}}
            if args[0] in (shape, size):
                return self._flatten(of, [{"const": 1}], {})
        raise ArchitectureError(f"what does {name} compute? it is not called in a way that is read")

    def _activation(self, word: str, of: object) -> str:
        kind = torch_calls.FUNCTIONS[word]
        self.layers.append((kind, f"{word} in forward"))
        return self.builder.add(kind, self.value(of))

    def _flatten(self, of: object, args: Sequence[object], keywords: Mapping[str, object]) -> str:
        if [*args, *keywords.items()] not in ([{"const": 1}], [("start_dim", {"const": 1})]):
            raise ArchitectureError("which axes does its forward flatten? they are not all behind the batch")
        self.layers.append(("Flatten", "flatten in forward"))
        return self.builder.add("Flatten", self.value(of))

    def _operator(self, operator: object, args: Sequence[object]) -> str:
        kind = OPERATORS.get(str(operator))
        if kind is None or len(args) != 2:
            raise ArchitectureError(f"what does {operator} compute? no such operator is read")
        left, right = args
        number, swapped = _number(right), _number(left)
        if number is not None:
            return self.builder.add(kind, self.value(left), value=number)
        if swapped is not None and kind in ("Add", "Mul"):
            return self.builder.add(kind, self.value(right), value=swapped)
        return self.builder.add(kind, self.value(left), self.value(right))


def _number(expression: object) -> float | None:
    return real(expression.get("const")) if isinstance(expression, Mapping) else None


def dotted(expression: object) -> str:
    """Return the full name that an expression is; empty where it is none."""
    parts: list[str] = []
    while isinstance(expression, Mapping) and "attr" in expression:
        parts.append(str(expression["attr"]))
        expression = expression.get("of")
    root = expression.get("global") if isinstance(expression, Mapping) else None
    return ".".join([root, *reversed(parts)]) if isinstance(root, str) else ""


def _called(expression: object) -> object:
    return expression.get("call") if isinstance(expression, Mapping) else None


def _list(expression: Mapping[str, object], key: str) -> Sequence[object]:
    value = expression.get(key)
    return value if isinstance(value, list) else []


def _mapping(expression: Mapping[str, object], key: str) -> Mapping[str, object]:
    value = expression.get(key)
    return value if isinstance(value, Mapping) else {}


def _shown(expression: Mapping[str, object], kind: str) -> str:
    return f"{expression.get(kind)!s:.60}" if kind in ("attr", "global", "const", "param") else kind
