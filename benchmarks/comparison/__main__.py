"""`python -m benchmarks.comparison [-o docs/benchmarks.md]`: measure, and write the page and its pictures."""

import argparse
import os
import tempfile
from importlib.util import find_spec
from pathlib import Path

from benchmarks.comparison.document import page, said
from benchmarks.comparison.growth import curves, draw
from benchmarks.comparison.work import Plan, tables


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure ckptkit beside what people use today.")
    sizes = "of what is converted; 6000 is worth adding"
    parser.add_argument("--megabytes", type=int, nargs="+", default=[200, 1600], help=sizes)
    parser.add_argument("--tensors", type=int, default=50_000, help="of 4 KB each")
    parser.add_argument("--files", type=int, default=1000, help="agents that are looked at in one call")
    parser.add_argument("--bundles", type=int, default=1000, help="bundles that are validated in one call")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--no-growth", action="store_true", help="draw nothing")
    parser.add_argument("--folder", type=Path, help="where to work; a temporary folder by default")
    parser.add_argument("-o", "--output", type=Path, help="the page; pictures lie beside it")
    asked = parser.parse_args()
    if asked.output is not None and not asked.no_growth and find_spec("matplotlib") is None:
        parser.error("the curves need matplotlib: pip install -e '.[bench]'; or --no-growth")
    load = [os.getloadavg()[0]]
    with tempfile.TemporaryDirectory(dir=asked.folder) as name:
        folder = Path(name)
        os.environ["CKPTKIT_CACHE_DIR"] = str(folder / "cache")
        plan = Plan(folder, tuple(asked.megabytes), asked.tensors, asked.files, asked.bundles, asked.runs)
        found = list(tables(plan))
        grown = [] if asked.no_growth else curves(folder, max(1, asked.runs // 2))
    text = page(found, grown, asked.runs, [*load, os.getloadavg()[0]])
    if asked.output is None:
        said(text)
        return
    asked.output.write_text(text)
    for curve in grown:
        draw(curve, asked.output.parent)


if __name__ == "__main__":
    main()
