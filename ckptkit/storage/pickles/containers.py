"""Containers of the standard library as plain containers that remember what they were.

They are subclasses of `dict` and `list`, so that whoever only wants the data needs no case for them.
"""


class InertDict(dict[object, object]):
    """What `OrderedDict`, `defaultdict` and `Counter` become.

    Attributes:
        kind: Name of the class in `collections`.
        factory: A defaultdict's factory, never called.
        state: Attributes that BUILD set on it, such as torch's `_metadata`.
    """

    __slots__ = ("factory", "kind", "state")

    def __init__(self, kind: str, factory: object = None) -> None:
        super().__init__()
        self.kind = kind
        self.factory = factory
        self.state: dict[object, object] | None = None


class InertList(list[object]):
    """What `deque` becomes.

    Attributes:
        kind: Name of the class in `collections`.
        maxlen: The deque's bound; None where it has none.
    """

    __slots__ = ("kind", "maxlen")

    def __init__(self, items: list[object], kind: str, maxlen: int | None = None) -> None:
        super().__init__(items)
        self.kind = kind
        self.maxlen = maxlen
