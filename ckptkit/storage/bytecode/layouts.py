"""The fields of a code object among the arguments that a pickle would make it with.

Source: CPython 3.8 to 3.14, `types.CodeType`; `cloudpickle.cloudpickle._code_reduce` to 3.1; dill 0.3
and 0.4, `_dill.save_code`, which puts the line table in front. All have the bytecode, then constants,
names and variable names, then file and name; 3.11 added the qualified name and the exception table.
"""

from dataclasses import dataclass

COUNTS = 6
"""Integers before the bytecode: arguments, positional ones, keyword ones, locals, stack, flags."""
MAX_CODE_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class CodeParts:
    """One code object as its arguments describe it.

    Attributes:
        arguments: Positional parameters.
        keyword_only: Parameters that are given by name alone.
        flags: As `inspect` names them.
        code: The bytecode.
        constants: What `LOAD_CONST` indexes.
        names: Global and attribute names.
        variables: Parameters and local variables.
        cells: Locals that inner functions use.
        free: Variables of outer functions.
        modern: Whether the layout is that of Python 3.11 and newer.
    """

    arguments: int
    keyword_only: int
    flags: int
    code: bytes
    constants: tuple[object, ...]
    names: tuple[str, ...]
    variables: tuple[str, ...]
    cells: tuple[str, ...]
    free: tuple[str, ...]
    modern: bool


def bytecode_index(args: tuple[object, ...]) -> int:
    """Return the index of the bytecode: bytes behind the counts, with a tuple behind it; -1 without."""
    for i in range(4, len(args) - 3):
        if isinstance(args[i], bytes | str) and isinstance(args[i + 1], tuple):
            return i
    return -1


def code_parts(args: tuple[object, ...]) -> CodeParts | None:
    """Return the fields of a code object of Python 3.8 or newer; None where `args` are none.

    Args:
        args: Arguments of `CodeType`, `dill._dill._create_code` or their kin.
    """
    start = bytecode_index(args)
    if start < COUNTS or len(args) < start + 9:
        return None
    counts, code = args[start - COUNTS : start], args[start]
    modern = isinstance(args[start + 6], str)
    tuples = (*args[start + 2 : start + 4], *args[start + (8 if not modern else 10) :][:2])
    constants = args[start + 1]
    if not isinstance(code, bytes) or not 0 < len(code) <= MAX_CODE_BYTES or not isinstance(constants, tuple):
        return None
    if not all(type(count) is int for count in counts) or len(tuples) != 4:
        return None
    if not all(isinstance(one, tuple) and all(isinstance(name, str) for name in one) for one in tuples):
        return None
    numbers = [int(str(count)) for count in counts]
    names, variables, free, cells = (tuple(map(str, one)) for one in tuples if isinstance(one, tuple))
    if not 0 <= numbers[0] + max(numbers[2], 0) <= len(variables):
        return None
    return CodeParts(
        numbers[0], numbers[2], numbers[5], code, constants, names, variables, cells, free, modern
    )
