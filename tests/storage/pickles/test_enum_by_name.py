"""Python 3.11.2 pickles a member of an enumeration as `getattr(Class, "NAME")`."""

import pickle
from pathlib import Path

import pytest
from stable_baselines3.common.type_aliases import TrainFreq, TrainFrequencyUnit

import ckptkit


class ByName:
    def __init__(self, name: str) -> None:
        self.name = name

    def __reduce__(self) -> tuple[object, ...]:
        return getattr, (TrainFrequencyUnit, self.name)


@pytest.mark.parametrize("name", ["STEP", "EPISODE"])
def test_a_member_by_its_name_is_data(tmp_path: Path, name: str) -> None:
    path = tmp_path / "train_freq.pkl"
    path.write_bytes(pickle.dumps(TrainFreq(4, ByName(name))))
    (result,) = ckptkit.scan(path).results
    assert str(result.verdict) == "data-only"
