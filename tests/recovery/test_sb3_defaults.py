"""The table of defaults against the signatures of the installed release, and its ranges."""

import importlib
import inspect

import pytest

from ckptkit.recovery.sb3.activations import NAMES
from ckptkit.recovery.sb3.defaults import ACCEPTED, ALL, DEFAULTS, Default, defaults, release
from ckptkit.recovery.sb3.policies import POLICIES
from tests.recovery.sb3_cases import ACTIVATIONS

INSTALLED = "2.9.2"
NOT_IN_SIGNATURES = ("net_arch", "features_dim", "cnn_output_dim", "full_std")
GONE = {"device": "1.0", "sde_net_arch": "1.7"}
"""Keywords that no release takes any more, and the first without them."""
LATER = {"ARSLinearPolicy": {"activation_fn", "net_arch"}}
"""Keywords that only the other policies of an algorithm take."""


def signature(path: str) -> dict[str, inspect.Parameter]:
    module, _, name = path.rpartition(".")
    return dict(inspect.signature(getattr(importlib.import_module(module), name)).parameters)


def current(option: str, path: str, algorithm: str) -> list[Default]:
    name, extractor = path.rpartition(".")[2], POLICIES[path][1]
    return defaults(option, algorithm, policy=name, extractor=extractor, version=INSTALLED)


PAIRS = [(path, algorithm) for path, (algorithms, _) in POLICIES.items() for algorithm in algorithms]


def test_every_algorithm_has_its_policies() -> None:
    assert {algorithm for _, algorithm in PAIRS} == set(ALL)
    assert len(ALL) == 13
    assert len(PAIRS) >= 30


@pytest.mark.parametrize(("path", "algorithm"), PAIRS)
def test_the_installed_release_has_the_defaults_of_the_table(path: str, algorithm: str) -> None:
    checked = 0
    for name, parameter in signature(path).items():
        rows = current(name, path, algorithm)
        if not rows or name in NOT_IN_SIGNATURES:
            continue
        assert len(rows) == 1, (name, rows)
        found = parameter.default
        assert rows[0].value == getattr(found, "__name__", found), name
        checked += 1
    assert checked >= 2 or path.endswith("ARSLinearPolicy")


@pytest.mark.parametrize(("path", "algorithm"), PAIRS)
def test_the_table_knows_every_keyword_of_the_installed_release(path: str, algorithm: str) -> None:
    given = {"observation_space", "action_space", "lr_schedule"}
    taken = signature(path).keys() - given
    assert not {name for name in taken if algorithm not in ACCEPTED.get(name, ())}
    accepted = {name for name, algorithms in ACCEPTED.items() if algorithm in algorithms}
    more = LATER.get(path.rpartition(".")[2], set())
    assert accepted - taken - GONE.keys() <= more


def test_the_default_extractors_are_those_of_the_installed_release() -> None:
    for path, (_, extractor) in POLICIES.items():
        found = signature(path).get("features_extractor_class")
        assert found is None or found.default.__name__ == extractor


def test_ranges_of_one_option_do_not_overlap() -> None:
    for row in DEFAULTS:
        for algorithm in row.algorithms:
            for version in ("0.8.0", "0.10.0", "1.0rc0", "1.2.1a1", "1.6.2", "1.7.0", INSTALLED):
                found = defaults(
                    row.option, algorithm, policy=row.policy, extractor=row.extractor, version=version
                )
                same = {(one.since, one.until) for one in found}
                assert len(found) == 1 or (release(version) or (0, 0)) < (release(row.since) or (0, 0)), same


def test_a_default_that_changed_is_open_without_a_release() -> None:
    asked = {"policy": "SACPolicy", "extractor": "FlattenExtractor"}
    rows = defaults("share_features_extractor", "SAC", version=None, **asked)
    assert [row.value for row in rows] == [True, False]
    assert defaults("share_features_extractor", "SAC", version="1.5.1a8", **asked)[0].value is True
    assert defaults("share_features_extractor", "SAC", version="2.9.2", **asked)[0].value is False


@pytest.mark.parametrize(
    ("version", "found"),
    [("1.3.1a9", (1, 3)), ("0.10.0", (0, 10)), ("1.0rc0", (1, 0)), ("", None), (None, None), ("main", None)],
)
def test_releases_are_read_as_sb3_writes_them(version: object, found: object) -> None:
    assert release(version) == found


def test_every_activation_is_compared_with_sb3() -> None:
    assert {cls.__name__ for cls in ACTIVATIONS} == NAMES
