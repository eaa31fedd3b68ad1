"""Each cell of the README's support table says what happens to a file of that layout."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

import ckptkit
from ckptkit.errors import CkptkitError
from tests.conftest import Call
from tests.corpus import CHECKOUT

RUN_A, RUN_B = "metta/train_dir/run_a/checkpoints", "metta/train_dir/run_b/checkpoints"
ASTEROIDS = "asteroids/checkpoints"
LAYOUTS: dict[tuple[str, str], list[str]] = {
    ("RL-Snake", "folder, extractor by reference"): ["snake/models/PPO_reference"],
    ("RL-Snake", "folder, extractor by value"): ["snake/models/PPO_value"],
    ("RL-Snake", "flat zip beside a stray sidecar"): [
        "snake/models/PPO_reference_flat.zip",
        "snake/models/PPO_value_flat.zip",
    ],
    ("RL-Snake", "flat zip of MlpPolicy"): ["snake/models/DQN_snake.zip"],
    ("Asteroids", "versioned dict 2.0"): [f"{ASTEROIDS}/2025-06-01_SpaceInvaders_try/dqn_20000.pth"],
    ("Asteroids", "named dict with its JSON"): ["asteroids/models/small.pth"],
    ("Asteroids", "bare state dict"): [
        f"{ASTEROIDS}/2025-06-01_SpaceInvaders_try/dqn_best.pth",
        f"{ASTEROIDS}/dqn_SpaceInvaders_5000.pth",
    ],
    ("Asteroids", "bare state dict, legacy torch stream"): [f"{ASTEROIDS}/asteroids-best.dat"],
    ("Asteroids", "CURL pre-training"): ["asteroids/pretrain/curl_encoder_3.pth"],
    ("MettaAgent", "version 1"): [f"{RUN_A}/model_0010.pt"],
    ("MettaAgent", "version 2, standard save"): [f"{RUN_A}/model_0020.pt"],
    ("MettaAgent", "version 2, training save"): [f"{RUN_A}/model_0030.pt"],
    ("MettaAgent", "version 2, full model"): [f"{RUN_A}/model_0040.pt"],
    ("MettaAgent", "`PolicyRecord`, three generations"): [f"{RUN_B}/model_000{n}.pt" for n in (1, 2, 3)],
    ("MettaAgent", "pickled module"): [f"{RUN_B}/model_0004.pt"],
    ("MettaAgent", "`.mpt`"): [f"{RUN_B}/run_b:v7.mpt"],
    ("MettaAgent", "`.pt.gz`, `.pt.zst`, `.pt.lz4`"): [
        f"{RUN_A}/model_0020.pt.{kind}" for kind in ("gz", "zst", "lz4")
    ],
    ("MettaAgent", "`trainer_state.pt`"): [f"{RUN_A}/trainer_state.pt"],
    ("MettaAgent", "another version"): [f"{RUN_A}/model_9999.pt"],
    ("Tetris", "`best`"): ["tetris/checkpoints/best/model.zip"],
    ("Tetris", "`latest`, `final`"): [f"tetris/checkpoints/{name}/model.zip" for name in ("latest", "final")],
    ("Tetris", "slot"): ["tetris/checkpoints/slots/my_best_run/model.zip"],
    ("Tetris", "slot without metadata"): ["tetris/checkpoints/slots/bare/model.zip"],
    ("Keisei", "eras 1 and 2"): [
        "keisei/models/run_a/ppo_shogi_ep1_ts4096.pth",
        "keisei/models/run_a/checkpoint_ts8192.pth",
    ],
    ("Keisei", "eras 3 to 5"): [
        f"keisei/models/run_a/checkpoint_ts{steps}.pth" for steps in (12288, 16384, 20480)
    ],
    ("Keisei", "of a compiled model (`_orig_mod.`)"): ["keisei/models/run_a/final_model.pth"],
    ("Keisei", "older network of one convolution"): ["keisei/models/run_old/checkpoint_ts64.pth"],
    ("Keisei", "`epoch_NNNNN.pt`"): [f"keisei/checkpoints/run_b/epoch_0000{n}.pt" for n in (1, 2)],
    ("Keisei", "league entry, `weights.pt`"): ["keisei/league/entries/000007/weights.pt"],
    ("Keisei", "league entry, `optimizer.pt`"): ["keisei/league/entries/000007/optimizer.pt"],
}
"""The files that stand for each row."""
PROFILES = {"RL-Snake": "rl-snake", "Asteroids": "asteroids", "MettaAgent": "metta", "Keisei": "keisei"}
COLUMNS = ("inspect", "validate", "convert", "load", "export", "recover")
WORD = re.compile("(yes|asks|\N{EN DASH})([¹²³⁴]?)")


@dataclass(frozen=True)
class Cell:
    """What the table says of one layout and one thing to do with it."""

    system: str
    layout: str
    column: str
    word: str
    note: str

    def __str__(self) -> str:
        return f"{self.system}-{self.layout}-{self.column}"


def cells() -> list[Cell]:
    text = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    (table,) = re.findall(r"^\| system \| layout \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", text, re.MULTILINE)
    found = []
    for row in table.splitlines():
        system, layout, *words = [word.strip() for word in row.strip("|").split("|")]
        assert len(words) == len(COLUMNS), row
        for column, said in zip(COLUMNS, words, strict=True):
            match = WORD.fullmatch(said)
            assert match, f"{row}: {said!r} is no word of the table"
            found.append(Cell(system, layout, column, match[1], match[2]))
    return found


CELLS = cells()


def test_every_layout_has_a_row_and_every_row_a_file(systems: Path) -> None:
    rows = [(cell.system, cell.layout) for cell in CELLS if cell.column == COLUMNS[0]]
    assert rows == sorted(rows, key=lambda row: [system for system, _ in rows].index(row[0]))
    assert set(rows) == set(LAYOUTS)
    assert len(rows) == len(LAYOUTS)
    missing = [path for paths in LAYOUTS.values() for path in paths if not (systems / path).exists()]
    assert not missing


def test_every_footnote_is_there_and_used() -> None:
    text = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    notes = set(re.findall(r"(?:^|\s)([¹²³⁴]) [A-Z]", text, re.MULTILINE))
    assert notes == {cell.note for cell in CELLS} - {""}
    assert all(cell.note for cell in CELLS if cell.word != "yes")


def _inspect(call: Call, path: Path, hints: list[str], folder: Path) -> str:
    run = call("inspect", path, *hints)
    assert run.out or run.status
    return "" if run.status == 0 else run.err


def _validate(call: Call, path: Path, hints: list[str], folder: Path) -> str:
    run = call("validate", path)
    return "" if run.status == 0 else run.err + run.out


def _convert(call: Call, path: Path, hints: list[str], folder: Path) -> str:
    target = folder / "bundle"
    run = call("convert", path, "--to", "deploy", "-o", target, *hints)
    if run.status:
        assert not target.exists()
        return run.err
    assert call("validate", target, "--level", "2").status == 0
    found = ckptkit.diff(path, target)
    assert found.model.equal
    assert found.training.equal
    return ""


def _load(call: Call, path: Path, hints: list[str], folder: Path) -> str:
    try:
        module = ckptkit.load(path, assume=hints[1:])
    except CkptkitError as error:
        return str(error)
    source = ckptkit.read(path).tensors
    assert set(module.state_dict()) == set(source)
    for name, value in module.state_dict().items():
        assert value.numpy().tobytes() == source[name].numpy().tobytes()
    return ""


def _export(call: Call, path: Path, hints: list[str], folder: Path) -> str:
    run = call("export", "onnx", path, "-o", folder / "policy.onnx", *hints)
    if run.status:
        assert list(folder.glob("*.onnx")) == []
        return run.err
    bundle = folder / "bundle"  # with outputs that torch gave, which ONNX Runtime must give too
    assert call("convert", path, "--to", "deploy", "-o", bundle, "--require-level", "4", *hints).status == 0
    assert call("validate", bundle, "--level", "4").status == 0
    return ""


def _recover(call: Call, path: Path, hints: list[str], folder: Path) -> str:
    run = call("recover", path, *hints, "--format", "json")
    if run.status:
        return run.err
    found = json.loads(run.out)
    questions = " ".join(str(one) for one in found["questions"])
    assert bool(found["graph"]) != bool(questions)
    return questions


DO: dict[str, Callable[[Call, Path, list[str], Path], str]] = {
    "inspect": _inspect,
    "validate": _validate,
    "convert": _convert,
    "load": _load,
    "export": _export,
    "recover": _recover,
}
"""Do one thing with a file: empty text where it works, else the reason that was given."""


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_cell(cell: Cell, systems: Path, ckptkit: Call, tmp_path: Path) -> None:
    for number, name in enumerate(LAYOUTS[cell.system, cell.layout]):
        folder = tmp_path / str(number)
        folder.mkdir()
        reason = DO[cell.column](ckptkit, systems / name, [], folder)
        if cell.word == "yes":
            assert reason == "", f"{name}: {reason}"
            continue
        assert reason.strip(), f"{name}: nothing says why not"
        hints = ["--assume", PROFILES[cell.system]]
        if cell.word == "asks":
            assert " ".join(hints) in reason
            assert DO[cell.column](ckptkit, systems / name, hints, folder) == ""
        else:
            assert DO[cell.column](ckptkit, systems / name, hints, folder).strip()
