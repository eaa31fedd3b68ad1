"""Slots: named, whole, and never replaced in silence."""

from pathlib import Path

import numpy as np
import pytest

import ckptkit
from ckptkit import runs
from ckptkit.errors import CkptkitError, IntegrityError, TargetExistsError, UsageError
from tests.corpus import CHECKOUT
from tests.runs.conftest import damage_weights

TETRIS = CHECKOUT / "fixtures/seed_systems/tetris/checkpoints"
SNAKE = CHECKOUT / "fixtures/seed_systems/snake/models"


@pytest.fixture
def slots(tmp_path: Path) -> runs.Slots:
    return runs.Slots(tmp_path / "slots")


def test_a_save_copies_the_model_and_what_belongs_to_it(slots: runs.Slots) -> None:
    path = slots.save("v1", TETRIS / "latest")
    assert path == slots.folder / "v1" / "model.zip"
    assert {one.name for one in path.parent.iterdir()} == {"model.zip", "metadata.json"}
    for one in path.parent.iterdir():
        assert one.read_bytes() == (TETRIS / "latest" / one.name).read_bytes()


def test_a_second_save_replaces_nothing_unless_told_to(slots: runs.Slots) -> None:
    slots.save("v1", TETRIS / "best")
    with pytest.raises(TargetExistsError):
        slots.save("v1", TETRIS / "latest")
    assert b"best_lines" in (slots.folder / "v1" / "metadata.json").read_bytes()
    slots.save("v1", TETRIS / "latest", replace=True)
    assert b"num_timesteps" in (slots.folder / "v1" / "metadata.json").read_bytes()
    assert [one.name for one in slots.folder.iterdir()] == ["v1"]


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../x", "a b", "é", "a.b", "x" * 101, "a\n", "/etc"])
def test_names_are_letters_digits_and_two_signs(slots: runs.Slots, name: str) -> None:
    for call in (slots.path, slots.delete, lambda name: slots.save(name, TETRIS / "best")):
        with pytest.raises(UsageError):
            call(name)
    assert not slots.folder.exists()


def test_slots_are_listed_with_and_without_metadata(slots: runs.Slots) -> None:
    assert slots.list() == ()
    slots.save("b", TETRIS / "slots/bare")
    slots.save("a", TETRIS / "best")
    (slots.folder / "empty").mkdir()
    assert [one.path.name for one in slots.list()] == ["a", "b"]
    assert [one.entry.system for one in slots.list()] == ["tetris", "tetris"]
    board = runs.leaderboard(slots.folder, "best_lines")
    assert [(one.path.parent.name, one.value) for one in board.chosen] == [("a", 17.0)]


def test_a_broken_slot_is_listed_and_a_broken_source_not_saved(slots: runs.Slots, run: Path) -> None:
    path = slots.save("a", run / "model_100.pt")
    damage_weights(run / "model_200.pt")
    with pytest.raises(IntegrityError):
        slots.save("b", run / "model_200.pt")
    path.write_bytes(path.read_bytes()[:400])
    (broken,) = slots.list()
    assert broken.entry.failure is not None
    slots.delete("a")
    assert not (slots.folder / "a").exists()


@pytest.mark.parametrize("source", ["PPO_value", "DQN_snake.zip"])
def test_other_layouts_have_slots_too(slots: runs.Slots, source: str) -> None:
    assert ckptkit.diff(slots.save("a", SNAKE / source), SNAKE / source).model.equal


def test_a_folder_of_several_is_asked_about(slots: runs.Slots) -> None:
    with pytest.raises(UsageError, match=r"holds [0-9]+ checkpoints and not one"):
        slots.save("a", SNAKE)


def test_a_compressed_file_and_a_bundle_are_copied_as_they_are(slots: runs.Slots, run: Path) -> None:
    packed = CHECKOUT / "fixtures/seed_systems/metta/train_dir/run_a/checkpoints/model_0020.pt.gz"
    assert slots.save("packed", packed).read_bytes() == packed.read_bytes()
    ckptkit.convert(run / "best.pt", "deploy", run / "bundle")
    saved = slots.save("bundle", run / "bundle")
    assert ckptkit.validate(saved, level=2).results[0].findings == ()
    assert sorted(path.name for path in saved.iterdir()) == sorted(
        path.name for path in (run / "bundle").iterdir()
    )


def test_an_unknown_slot_names_those_there_are(slots: runs.Slots) -> None:
    slots.save("known", TETRIS / "best")
    with pytest.raises(UsageError, match="slots: known"):
        slots.path("other")
    with pytest.raises(UsageError, match="no such slot"):
        slots.delete("other")


def test_a_link_is_no_slot(slots: runs.Slots, tmp_path: Path) -> None:
    slots.save("real", TETRIS / "best")
    (slots.folder / "link").symlink_to(slots.folder / "real")
    with pytest.raises(UsageError):
        slots.delete("link")
    assert (slots.folder / "real").is_dir()
    assert [one.path.name for one in slots.list()] == ["real"]


def test_export_copies_or_converts_and_replaces_nothing(slots: runs.Slots, tmp_path: Path) -> None:
    saved = slots.save("a", TETRIS / "best")
    copy = slots.export("a", tmp_path / "shared.zip")
    assert copy.read_bytes() == saved.read_bytes()
    with pytest.raises(TargetExistsError):
        slots.export("a", tmp_path / "shared.zip")
    with pytest.raises(CkptkitError):
        slots.export("a", saved, force=True)
    assert slots.export("a", tmp_path / "bundle", "deploy").is_dir()


class Board:
    """A game that ends after `moves` steps and takes 40 actions; `old` has gym's four values."""

    def __init__(self, moves: int, *, old: bool = False, cut: bool = False) -> None:
        self.moves, self.old, self.cut, self.done = moves, old, cut, 0

    def reset(self) -> object:
        self.done = 0
        seen = np.zeros((40, 13), np.float32)
        return seen if self.old else (seen, {})

    def step(self, action: object) -> tuple[object, ...]:
        assert 0 <= int(np.asarray(action)) < 40
        self.done += 1
        over = self.done == self.moves
        seen = np.full((40, 13), self.done, np.float32)
        if self.old:
            return seen, 1.5, over, {"TimeLimit.truncated": self.cut} if over else {}
        return seen, 1.5, over and not self.cut, over and self.cut, {"lines": self.done}


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize("cut", [False, True])
def test_a_slot_plays_in_either_form_of_gym(slots: runs.Slots, old: bool, cut: bool) -> None:
    slots.save("a", TETRIS / "best")
    moves = list(slots.demo("a", Board(3, old=old, cut=cut), episodes=2))
    assert [(one.episode, one.step) for one in moves] == [(1, 1), (1, 2), (1, 3), (2, 1), (2, 2), (2, 3)]
    assert [one.ended for one in moves[:3]] == ["", "", "truncated" if cut else "terminated"]
    assert moves[2].total == 4.5
    assert [int(one.action) for one in moves[:3]] == [int(one.action) for one in moves[3:]]


def test_the_demo_acts_as_the_library_does(slots: runs.Slots) -> None:
    from stable_baselines3 import DQN

    slots.save("a", TETRIS / "best")
    model = DQN.load(slots.path("a"), buffer_size=1)
    ours = [int(one.action) for one in slots.demo("a", Board(4))]
    theirs = [int(one.action) for one in runs.play(model, Board(4))]
    assert ours == theirs


def test_an_episode_without_an_end_ends_at_the_limit() -> None:
    class Still:
        def predict(self, observation: object, **_: object) -> tuple[int, None]:
            return 0, None

    (*_, last) = runs.play(Still(), Board(10**9), max_steps=5)
    assert (last.step, last.ended) == (5, "limit")
    with pytest.raises(UsageError):
        list(runs.play(Still(), Board(1), 0))
