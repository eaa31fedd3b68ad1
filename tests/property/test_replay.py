"""The seeds of the fuzzing, what once broke a reader, and seeded changes of both, without a fuzzer."""

from random import Random

import pytest

from ckptkit.errors import CkptkitError
from fuzz.make_corpus import CRASHERS, MOST_BYTES, seeds
from fuzz.mutation import CHANGES, mutated
from fuzz.targets import TARGETS

CHANGED = 400
"""Changed inputs for each target."""
LEAST_SEEDS = {"torch_legacy": 9, "sb3_data": 20, "onnx": 25, "graph": 30}


def answered(target: str, data: bytes) -> None:
    """Assert that a target takes an input or refuses it in words."""
    try:
        TARGETS[target](data)
    except CkptkitError as error:
        assert error.what
        assert "\n" not in str(error)


@pytest.mark.parametrize("target", TARGETS)
def test_every_seed_is_read_or_refused(target: str) -> None:
    given = seeds(target)
    assert len(given) >= LEAST_SEEDS.get(target, 80)
    for data in given.values():
        answered(target, data)


@pytest.mark.parametrize("target", TARGETS)
def test_every_change_of_a_seed_is_read_or_refused(target: str) -> None:
    given = seeds(target)
    for name, data in given.items():
        random = Random(name)
        for _ in range(-(-CHANGED // len(given))):
            answered(target, mutated(target, data, random))


@pytest.mark.parametrize("target", TARGETS)
def test_every_change_is_the_same_each_time(target: str) -> None:
    for name, data in list(seeds(target).items())[:5]:
        once, again = ([mutated(target, data, Random(f"{name}{n}")) for n in range(20)] for _ in range(2))
        assert once == again
        assert len({data, *once}) > 10


def test_there_is_a_change_for_every_target_and_no_crasher_of_another() -> None:
    assert CHANGES.keys() == TARGETS.keys()
    folders = {path.name for path in CRASHERS.iterdir()}
    assert folders <= TARGETS.keys()
    crashers = [path for path in CRASHERS.rglob("*") if path.is_file()]
    assert crashers
    assert all(path.stat().st_size <= MOST_BYTES for path in crashers)
