"""Results stand in the order of the things, however much is known and however many processes there are."""

import os
import signal
import time
from concurrent.futures import Future
from pathlib import Path

import pytest

from ckptkit.api import spreading
from ckptkit.api.spreading import Known, each
from ckptkit.errors import CkptkitError
from ckptkit.model.processors import processors

SOON = 100
"""Things that are done while one of them is slow."""


def doubled(number: int) -> int:
    return 2 * number


def where(_: int) -> int:
    return os.getpid()


@pytest.mark.parametrize("jobs", [0, 1, 2])
@pytest.mark.parametrize("known", [lambda n: False, lambda n: n % 3 == 0, lambda n: n != 1, lambda n: True])
def test_order_is_that_of_the_things(monkeypatch, jobs, known):
    monkeypatch.setattr(spreading, "TOGETHER", 4)
    monkeypatch.setattr(spreading, "AHEAD", 2)
    things = [Known(-n) if known(n) else n for n in range(150)]
    found = list(each(doubled, things, jobs))
    assert [result for _, result in found] == [-n if known(n) else 2 * n for n in range(150)]
    assert [thing for thing, _ in found] == [None if known(n) else n for n in range(150)]


def test_few_things_start_no_process():
    assert {pid for _, pid in each(where, [1] * spreading.FEW + [Known(os.getpid())] * 200, 0)} == {
        os.getpid()
    }


def test_many_things_do():
    pids = {pid for _, pid in each(where, range(spreading.FEW + 1), 0)}
    assert (os.getpid() not in pids) is (processors() > 1)


def test_nothing_gives_nothing():
    assert list(each(doubled, [], 2)) == []


def slow_or_not(place: tuple[str, int]) -> int:
    """Return the number; 0 does not before all others have been here."""
    folder, number = place
    if number:
        (Path(folder) / str(number)).touch()
        return number
    for _ in range(2000):
        if len(list(Path(folder).iterdir())) == SOON:
            return 0
        time.sleep(0.01)
    raise TimeoutError("the slow one held the others back")


def test_one_slow_thing_holds_no_other_back(tmp_path):
    things = [(str(tmp_path), number) for number in range(SOON + 1)]
    assert [result for _, result in each(slow_or_not, things, 2)] == list(range(SOON + 1))


def test_slow_things_go_one_by_one_and_quick_ones_together():
    taken = []
    for seconds in (0.0, 0.001, 0.004, 0.02, 9.0):
        group = spreading._Group([1])
        group.future = Future()
        group.future.set_result(([2], seconds))
        taken.append(spreading._together((group, 0), 3))
    assert taken == [16, 10, 2, 1, 1]


def killed(number: int) -> int:
    if number == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="the system has no such signal")
def test_a_process_that_is_killed_is_no_defect_of_ckptkit():
    with pytest.raises(CkptkitError, match="memory") as caught:
        list(each(killed, range(20), 2))
    assert caught.value.exit_code == 2
