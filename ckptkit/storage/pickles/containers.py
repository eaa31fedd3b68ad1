"""Containers of the standard library as plain containers that remember what they were.

They are subclasses of `dict` and `list`, so that whoever only wants the data needs no case for them.
"""


class InertDict(dict[object, object]):
    """What `OrderedDict`, `defaultdict` and `Counter` become.

    Attributes:
        kind: Name of the class in `collections`.
        factory: A defaultdict's factory, never called.
        state: Attributes that BUILD set on it, such as torch's `_metadata`; None where it set none.
    """

    # Defaults of the class: a state dict has one `OrderedDict` per tensor, and all are of this kind.
    kind: str = "OrderedDict"
    factory: object = None
    state: dict[object, object] | None = None


class InertList(list[object]):
    """What `deque` becomes.

    Attributes:
        kind: Name of the class in `collections`.
        maxlen: The deque's bound; None where it has none.
    """

    kind: str = "deque"
    maxlen: int | None = None
