"""The handler of each opcode byte."""

from ckptkit.storage.pickles.machine import Machine
from ckptkit.storage.pickles.opcodes_call import CALL_OPCODES
from ckptkit.storage.pickles.opcodes_data import DATA_OPCODES, Opcode
from ckptkit.storage.pickles.opcodes_memo import MEMO_OPCODES
from ckptkit.storage.pickles.opcodes_stack import STACK_OPCODES
from ckptkit.storage.pickles.tensor_calls import PHRASE_OPCODES


def unknown(m: Machine, at: int) -> int:
    """Refuse a byte that is no opcode of protocols 0 to 5."""
    raise m.malformed(f"byte 0x{m.data[at - 1]:02x} is no opcode", at - 1)


def table(handlers: dict[bytes, Opcode]) -> list[Opcode]:
    """Return the handlers by number of opcode byte."""
    return [handlers.get(bytes([byte]), unknown) for byte in range(256)]


OPCODES = DATA_OPCODES | STACK_OPCODES | MEMO_OPCODES | CALL_OPCODES
"""The handler of each opcode alone."""
TABLE = table(OPCODES | PHRASE_OPCODES)
"""What streams are read with."""
