"""What a call comes to: noted as an expression, or understood where it only counts or fills a list."""

from collections.abc import Collection, Sequence

from ckptkit.storage.bytecode.symbols import (
    MAX_ITEMS,
    Listed,
    Method,
    Rounds,
    Symbol,
    UnreadError,
    Value,
    made,
)

NONE = Symbol("const", None)
PACKAGES = ("torch", "numpy", "math")
"""Packages whose functions change nothing that the file's own code made."""
QUIET = frozenset(["builtins.float", "builtins.int", "builtins.len", "builtins.max", "builtins.min"])
BASES = (
    "stable_baselines3.common.torch_layers.BaseFeaturesExtractor",
    "torch.nn.Module",
    "torch.nn.modules.module.Module",
)
"""Classes whose constructor adds no layer."""
START = "__init__"


def call(callee: Value, args: Sequence[Value], names: tuple[str, ...], own: Collection[str] | None) -> Value:
    """Return the value of a call.

    Args:
        callee: What is called.
        args: Its arguments, those with keywords last.
        names: The keywords.
        own: Attributes of `self` that may be called; None for any.

    Raises:
        UnreadError: What the call does is not known for certain.
    """
    if isinstance(callee, Method):
        return _listed(callee, args, names)
    if not isinstance(callee, Symbol):
        raise UnreadError("something that is no function is called")
    if callee.kind == "global" and callee.value == "builtins.range":
        return _range(args, names)
    if callee.kind == "global" and callee.value == "builtins.super":
        return _super(args, names)
    if _starts_base(callee):
        return NONE
    if any(isinstance(arg, Symbol) and is_self(arg) for arg in args):
        raise UnreadError("self is handed on")
    if callee.kind == "global" and callee.value == "builtins.len" and not names:
        return _length(args)
    _check(callee, names, own)
    return made("call", None, (callee, *args), names)


def is_bare(symbol: Symbol) -> bool:
    """Whether a value may be dropped: it is no call, or one that sets weights, which the file holds."""
    return symbol.kind != "call" or dotted(symbol.parts[0]).startswith("torch.nn.init.")


def dotted(symbol: Symbol) -> str:
    """Return the full name of a global's attribute; empty of anything else."""
    if symbol.kind == "global":
        return str(symbol.value)
    if symbol.kind == "attr":
        base = dotted(symbol.parts[0])
        return f"{base}.{symbol.value}" if base else ""
    return ""


def is_self(symbol: Symbol) -> bool:
    """Whether a symbol is the object whose method is read."""
    return symbol.kind == "self"


def _check(callee: Symbol, names: tuple[str, ...], own: Collection[str] | None) -> None:
    """Refuse what may change a value that has a name already, so that the reading would be another."""
    last = str(callee.value).rpartition(".")[2]
    if callee.kind not in ("global", "attr") or last.startswith("__") or "out" in names:
        raise UnreadError("what is called is not known")
    if last.endswith("_"):
        raise UnreadError(f"{last} changes a value in place")
    if callee.kind == "attr" and is_self(callee.parts[0]):
        if own is not None and callee.value not in own:
            raise UnreadError(f"self.{callee.value} is called before it is set, or is a method of its own")
        return
    if dotted(callee):
        package = dotted(callee).partition(".")[0]
        if dotted(callee) in QUIET or package in (PACKAGES if own is not None else PACKAGES[:1]):
            return
        raise UnreadError(f"what {dotted(callee)} does is not known")
    _check_object(callee.parts[0])


def _check_object(symbol: Symbol) -> None:
    """Make sure that a method is one of a value, and of no module, which it might change."""
    while symbol.kind in ("attr", "item") and symbol.parts and not is_self(symbol.parts[0]):
        symbol = symbol.parts[0]
    if symbol.kind == "call" and not dotted(symbol.parts[0]).startswith("torch.nn.modules"):
        name = dotted(symbol.parts[0])
        if not name.startswith("torch.nn.") or name.startswith("torch.nn.functional."):
            return
    if symbol.kind not in ("param", "op"):
        raise UnreadError("a method of a module is called")


def _super(args: Sequence[Value], names: tuple[str, ...]) -> Symbol:
    kinds = [arg.kind if isinstance(arg, Symbol) else "" for arg in args]
    if names or kinds not in ([], ["class", "self"]):
        raise UnreadError("super is asked for another class")
    return Symbol("super")


def _starts_base(callee: Symbol) -> bool:
    if callee.kind != "attr" or callee.value != START:
        return False
    return callee.parts[0].kind == "super" or dotted(callee.parts[0]) in BASES


def _listed(method: Method, args: Sequence[Value], names: tuple[str, ...]) -> Symbol:
    if names or len(args) != 1:
        raise UnreadError(f"a list's {method.name} takes one value")
    if method.name == "append":
        grow(method.of, [args[0]])
    elif method.name == "extend":
        grow(method.of, rounds(args[0]).items)
    else:
        raise UnreadError(f"a list's {method.name} is not followed")
    return NONE


def grow(listed: Listed, items: Sequence[Value]) -> None:
    """Add items to a list, up to the bound."""
    if len(listed.items) + len(items) > MAX_ITEMS:
        raise UnreadError("a list is too long")
    listed.items.extend(items)


def rounds(value: Value) -> Rounds:
    """Return what a loop over a value goes through.

    Raises:
        UnreadError: It is not known.
    """
    if isinstance(value, Rounds):
        return Rounds(list(value.items))
    if isinstance(value, Listed):
        return Rounds(list(value.items))
    if isinstance(value, Symbol) and value.kind in ("tuple", "list"):
        return Rounds(list(value.parts))
    raise UnreadError("how often a loop runs is not in the file")


def _range(args: Sequence[Value], names: tuple[str, ...]) -> Rounds:
    counts = [integer(arg) for arg in args]
    known = [count for count in counts if count is not None]
    if names or not 1 <= len(counts) <= 3 or len(known) != len(counts) or known[2:] == [0]:
        raise UnreadError("how often a loop runs is not in the file")
    numbers = range(*known)
    if len(numbers) > MAX_ITEMS:
        raise UnreadError("a loop runs too often")
    return Rounds([Symbol("const", number) for number in numbers])


def _length(args: Sequence[Value]) -> Value:
    if len(args) == 1 and isinstance(args[0], Listed):
        return Symbol("const", len(args[0].items))
    if len(args) == 1 and isinstance(args[0], Symbol) and args[0].kind in ("tuple", "list"):
        return Symbol("const", len(args[0].parts))
    return made("call", None, (Symbol("global", "builtins.len"), *args))


def integer(value: Value | None) -> int | None:
    """Return the number that a constant is; None of anything else."""
    number = value.value if isinstance(value, Symbol) and value.kind == "const" else None
    return number if isinstance(number, int) and not isinstance(number, bool) else None
