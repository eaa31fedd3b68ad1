"""A file whose new bytes are known."""

from pathlib import Path

from ckptkit.errors import IntegrityError
from ckptkit.model.repaired import Mend
from ckptkit.storage.mending import Planned
from ckptkit.storage.output import create
from ckptkit.storage.source import FileSource


def plan_bytes(mend: Mend, data: bytes) -> Planned:
    """Return a mend that writes `data`."""

    def write(new: Path) -> None:
        with create(new) as output:
            output.write(data)
        found = FileSource(new)
        if found.read(0, found.size) != data:
            raise IntegrityError("does not read back as written", where=str(new))

    return Planned(mend, write)
