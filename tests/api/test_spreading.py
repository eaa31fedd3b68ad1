"""Results stand in the order of the things, however much is known and however many processes there are."""

import os

import pytest

from ckptkit.api import spreading
from ckptkit.api.spreading import Known, each


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
    assert (os.getpid() not in pids) is ((os.cpu_count() or 1) > 1)


def test_nothing_gives_nothing():
    assert list(each(doubled, [], 2)) == []
