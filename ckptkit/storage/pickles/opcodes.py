"""The handler of each opcode byte."""

from ckptkit.storage.pickles.machine import Machine
from ckptkit.storage.pickles.opcodes_call import CALL_OPCODES
from ckptkit.storage.pickles.opcodes_data import DATA_OPCODES, Opcode
from ckptkit.storage.pickles.opcodes_memo import MEMO_OPCODES
from ckptkit.storage.pickles.opcodes_stack import STACK_OPCODES


def unknown(m: Machine, at: int) -> int:
    """Refuse a byte that is no opcode of protocols 0 to 5."""
    raise m.malformed(f"byte 0x{m.data[at - 1]:02x} is no opcode", at - 1)


TABLE: list[Opcode] = [unknown] * 256
"""Handlers, by opcode byte."""
for _byte, _handler in (DATA_OPCODES | STACK_OPCODES | MEMO_OPCODES | CALL_OPCODES).items():
    TABLE[_byte[0]] = _handler
