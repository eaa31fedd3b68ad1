"""Names of the standard library that a pickle may name and that nothing calls."""

from ckptkit.storage.pickles.rules import words

BUILTINS = words(
    "NotImplemented Ellipsis bool dict float int list str tuple property classmethod staticmethod super "
    "abs all any divmod enumerate filter hash id isinstance issubclass iter len map max min next pow "
    "print repr reversed round sorted sum zip memoryview callable chr ord"
)
TYPING = words(
    "Any AnyStr Callable ClassVar Dict Final FrozenSet Generic Iterable Iterator List Literal Mapping "
    "NamedTuple NoReturn Optional Protocol Sequence Set Sized SupportsFloat Tuple Type TypeVar Union"
)
ABSTRACT = words(
    "Callable Collection Container Generator Hashable ItemsView Iterable Iterator KeysView Mapping "
    "MutableMapping MutableSequence MutableSet Sequence Set Sized ValuesView"
)
MATH = words(
    "acos acosh asin asinh atan atan2 atanh ceil comb copysign cos cosh degrees dist e erf exp expm1 "
    "fabs factorial floor fmod frexp fsum gcd hypot inf isclose isfinite isinf isnan isqrt ldexp log "
    "log10 log1p log2 modf nan pi pow prod radians sin sinh sqrt tan tanh tau trunc"
)
PATHS = ("PurePath", "PurePosixPath", "PureWindowsPath", "PosixPath", "WindowsPath", "Path")
TIMES = ("date", "datetime", "time", "timedelta", "timezone")

ERRORS = words(
    "ArithmeticError AssertionError AttributeError BaseException BufferError ConnectionError "
    "DeprecationWarning EOFError Exception FileExistsError FileNotFoundError FloatingPointError "
    "FutureWarning GeneratorExit IOError ImportError IndexError InterruptedError IsADirectoryError "
    "KeyError KeyboardInterrupt LookupError MemoryError ModuleNotFoundError NameError "
    "NotADirectoryError NotImplementedError OSError OverflowError PermissionError ProcessLookupError "
    "RecursionError ReferenceError RuntimeError RuntimeWarning StopAsyncIteration StopIteration "
    "SyntaxError SystemError SystemExit TimeoutError TypeError UnboundLocalError UnicodeDecodeError "
    "UnicodeEncodeError UnicodeError UserWarning ValueError Warning ZeroDivisionError"
)
