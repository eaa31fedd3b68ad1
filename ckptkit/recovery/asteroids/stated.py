"""The words of a `model_config` beside what the tensors say."""

import struct
from collections.abc import Mapping

from ckptkit.model.real import real
from ckptkit.recovery.evidence import Findings

PLACE = "model_config"


class Stated:
    """A `model_config` whose fields are taken one by one.

    Attributes:
        config: The fields; empty where the file has none.
    """

    def __init__(self, config: Mapping[str, object], findings: Findings) -> None:
        self.config = config
        self._findings = findings

    def take(self, name: str) -> object:
        """Return a field that only the file says, and record it; None where it says nothing."""
        value = self.config.get(name)
        if value is not None:
            self._findings.prove(name, value, place(name))
        return value

    def agree(self, name: str, value: object, *evidence: str) -> None:
        """Record what tensors prove, and ask where the file's own words differ."""
        said = self.config.get(name)
        if said is not None and not same(said, value):
            self._findings.ask(f"which holds? {place(name)} is {said}, and {', '.join(evidence)} say {value}")
        places = evidence if said is None else (*evidence, place(name))
        self._findings.prove(name, value, *places)


def place(name: str) -> str:
    """Return how evidence names a field of the file."""
    return f"{PLACE}.{name}"


def same(said: object, value: object) -> bool:
    """Whether a stated value is the one in the tensors, which are float32 where it is not a count."""
    if isinstance(said, bool) or isinstance(value, bool):
        return said is value
    if isinstance(said, int | float) and isinstance(value, int | float):
        number = real(said)
        return said == value or (number is not None and _single(number) == value)
    return said == value


def _single(number: float) -> float:
    try:
        return float(struct.unpack("<f", struct.pack("<f", number))[0])
    except OverflowError:
        return number
