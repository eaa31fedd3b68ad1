"""What a code object says of itself, from the arguments that a pickle would make it with.

Source: `cloudpickle.cloudpickle._code_reduce` 0.5 to 3.1, `dill._dill._create_code` 0.2 to 0.4, and
the signatures of `types.CodeType` in CPython 2.7 and 3.6 to 3.14. All have the bytecode, then constants,
names and variable names, then the file's name and the code's name.
"""

from ckptkit.model.inert import CodeFact
from ckptkit.storage.bytecode.layouts import bytecode_index

MAX_NAMES = 200
MAX_TEXT = 120
_PLAIN = (type(None), bool, int, float, complex, str, bytes)


def code_fact(args: tuple[object, ...], where: str) -> CodeFact | None:
    """Return what the code object made from `args` uses; None where `args` make none.

    Args:
        args: Arguments of the code constructor, of any Python and pickler version.
        where: Where the code lies in the file.
    """
    start = bytecode_index(args)
    if start < 0:
        return None
    constants, names, variables, _file, name = (*args[start + 1 :], None, None, None, None, None)[:5]
    if not isinstance(constants, tuple) or not isinstance(names, tuple) or not isinstance(variables, tuple):
        return None
    qualified = args[start + 6] if len(args) > start + 6 else None
    label = qualified if isinstance(qualified, str) else name
    return CodeFact("code", _short(label), where, _names(names), _constants(constants))


def _names(names: tuple[object, ...]) -> tuple[str, ...]:
    return tuple(_short(name) for name in names[:MAX_NAMES])


def _constants(constants: tuple[object, ...]) -> tuple[str, ...]:
    return tuple(_text(value) for value in constants[:MAX_NAMES] if _is_plain(value))


def _text(value: object) -> str:
    """Return a constant as Python spells it, cut short before it is spelled."""
    if isinstance(value, str | bytes):
        return _short(repr(value[: MAX_TEXT + 1]))
    if isinstance(value, int) and value.bit_length() > 64:
        return f"an integer of {value.bit_length()} bits"
    if isinstance(value, tuple):
        return _short(f"({', '.join(_text(item) for item in value)})")
    if isinstance(value, frozenset):
        return _short(f"{{{', '.join(sorted(_text(item) for item in value))}}}")
    return repr(value)


def _is_plain(value: object) -> bool:
    """Whether a constant is plain data of bounded size, so that its text is short work."""
    if isinstance(value, tuple | frozenset):
        return len(value) <= 32 and all(isinstance(item, _PLAIN) for item in value)
    return isinstance(value, _PLAIN)


def _short(text: object) -> str:
    cut = text if isinstance(text, str) else "?"
    return cut if len(cut) <= MAX_TEXT else cut[: MAX_TEXT - 1] + "…"
