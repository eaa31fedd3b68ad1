"""A change of a network that the user asks for by name."""

import re
from dataclasses import dataclass
from typing import Self

from ckptkit.errors import UsageError

FORM = "input-channels=N or input-channels=N,lossy"
MOST_CHANNELS = 1 << 16


@dataclass(frozen=True, slots=True)
class InputChannels:
    """Another number of input channels: new ones are zero and the last ones go.

    Attributes:
        count: How many there shall be.
        lossy: Whether channels may go whose weights are not zero.
    """

    count: int
    lossy: bool = False

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return what `text` asks for.

        Raises:
            UsageError: It is not of the form.
        """
        found = re.fullmatch(r"input-channels=([1-9][0-9]{0,4})(,lossy)?", text, re.ASCII)
        if found is None or int(found[1]) > MOST_CHANNELS:
            raise UsageError(f"{text!r} is no adaptation", fix=f"give {FORM}")
        return cls(int(found[1]), bool(found[2]))
