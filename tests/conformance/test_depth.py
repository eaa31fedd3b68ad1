"""The deepest tree that is written is read, described and verified in both encodings."""

from dataclasses import replace
from pathlib import Path

import pytest

from ckptkit import api
from ckptkit.model.checkpoint import Checkpoint, SourceFile
from ckptkit.model.plain import MAX_DEPTH, plain
from ckptkit.storage.source import MemorySource
from ckptkit.writers import find


def deep(wrap: str, levels: int) -> object:
    value: object = 1
    for _ in range(levels):
        value = {0: value} if wrap == "dict" else (value,) if wrap == "tuple" else {"a": value}
    return value


@pytest.mark.parametrize("wrap", ["dict", "tuple", "object"])
@pytest.mark.parametrize("to", ["deploy", "v2"])
def test_the_deepest_tree_reaches_level_2(wrap: str, to: str, tmp_path: Path) -> None:
    tree, dropped = plain({"deep": deep(wrap, MAX_DEPTH - 1)})
    assert dropped == []
    assert isinstance(tree, dict)
    checkpoint = Checkpoint(path="nowhere.pth", format="torch-checkpoint", container="torch-zip")
    checkpoint = replace(checkpoint, model_config=tree, training_info=tree, training_state=tree)
    files = (SourceFile("nowhere.pth", "weights", MemorySource(b"", "nowhere.pth")),)
    find(to).write(replace(checkpoint, files=files), tmp_path / "out", False)
    (result,) = api.validate(tmp_path / "out", level=2, strict=True).results
    assert result.findings == ()
    assert result.level == 2


def test_what_is_deeper_is_left_out_by_name() -> None:
    tree, dropped = plain({"deep": deep("dict", MAX_DEPTH)})
    assert tree is not None
    assert len(dropped) == 1
