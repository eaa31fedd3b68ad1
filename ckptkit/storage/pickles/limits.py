"""Bounds of the pickle machine; a stream beyond one of them is refused, never read in part."""

MAX_OPCODES = 6_000_000
"""Opcodes in one stream; a state dict needs about 32 a tensor."""
MADE_FREE = 24 << 20
MADE_PER_BYTE = 2
MADE_PER_STORAGE = 1024
"""Bytes of memory that values may take, by estimate: so many for any stream, so many for each byte of it,
and so many for each storage that it refers to. A stream inside another has half of what is free."""
WALKED_BYTES = 200
WALKED_FREE = 1000
"""Bytes that looking at one container of the finished tree takes out of what is left; and how many containers
may always be looked at."""
MAX_STACK = 1_000_000
"""Values on the stack."""
MAX_MEMO = 1_600_000
"""Memo entries; a key beyond is one that no pickler gives."""
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
UNROLLED_PER_BYTE = 8
UNROLLED_FREE = 1_000_000
"""Size of a plain tree when everything that it shares is written out (a node counts one, and one more for
each 16 bytes of text, bytes or array): so much for each byte of the stream, and so much for any."""
MAX_KEY_NODES = 200
"""Nodes of a tuple that is a dictionary key or a set element."""
MAX_NAME = 1000
"""Characters of a global's module and name."""
MAX_CODE_OBJECTS = 20_000
"""Code objects whose names and constants are listed."""
SPEND_PER_BYTE = 8
SPEND_FREE = 1 << 20
"""Work on copies of values: so much for each byte of the stream, and so much for any."""
LOOK_PER_BYTE = 2
"""Bytes read again as pickles or torch files inside the stream, for each byte of it."""
EXPANDED_BYTES = 1 << 30
"""A tensor that repeats elements (stride 0) may have this many bytes beyond its storage's."""
CHECK_EVERY = 4096
"""Opcodes between two looks at the bounds."""
