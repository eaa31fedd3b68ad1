"""Write the pictures in `docs/` from the checkpoint that the documents speak of.

Run it from anywhere after a change to a picture: `python docs/make_pictures.py`. A test compares
them with what `ckptkit inspect --graph` draws.
"""

import re
from dataclasses import replace
from pathlib import Path

from ckptkit import api, report

FOLDER = Path(__file__).parent
SOURCE = FOLDER.parent / "fixtures" / "sb3" / "old_gym" / "model.zip"
NAME = "ppo.zip"
FLOWCHART = re.compile(r"^```mermaid\n.*?^```$", re.DOTALL | re.MULTILINE)


def pictures() -> dict[str, str]:
    """Return the picture, and the page that holds the flowchart, by file name."""
    found = [replace(api.inspect(SOURCE), path=NAME)]
    (drawn,) = FLOWCHART.findall(report.graphs(found, "md"))
    page = (FOLDER / "architecture.md").read_text(encoding="utf-8")
    with_flowchart = FLOWCHART.sub(lambda _: drawn, page)
    return {"architecture.svg": report.graphs(found, "svg"), "architecture.md": with_flowchart}


def main() -> None:
    """Write them."""
    for name, text in pictures().items():
        (FOLDER / name).write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
