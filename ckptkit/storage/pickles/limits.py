"""Bounds of the pickle machine; a stream beyond one of them is refused, never read in part."""

MAX_OPCODES = 6_000_000
"""Opcodes in one stream; a state dict needs about 32 a tensor."""
MAX_CONTAINERS = 1_500_000
"""Tuples, lists, dicts, sets and described objects that one stream may make."""
MAX_STACK = 1_000_000
"""Values on the stack."""
MAX_MEMO = 1_500_000
"""Memo entries."""
MAX_MARKS = 10_000
"""Marks that wait for their opcode at one time."""
MAX_INTEGER_BYTES = 1024
"""Bytes of one long integer; Python's own limit for printing one lies beyond."""
MAX_INTEGER_DIGITS = 2400
"""Decimal digits of one integer in a text opcode."""
MAX_NESTED_PICKLES = 4
"""How deep pickles inside pickles are followed."""
MAX_FACTS = 20_000
"""Code facts and names of globals that are kept."""
MAX_DEPTH = 100
"""Plain containers inside plain containers."""
MAX_UNROLLED = 10_000_000
"""Nodes of a plain tree when everything that it shares is written out."""
MAX_KEY_NODES = 200
"""Nodes of a tuple that is a dictionary key or a set element."""
MAX_SWAP_STEPS = 20_000_000
"""Memo entries looked through, in total, for arrays that turn out to hold objects."""
EXPANDED_BYTES = 1 << 30
"""A tensor that repeats elements (stride 0) may have this many bytes beyond its storage's."""
CHECK_EVERY = 4096
"""Opcodes between two looks at the bounds."""
