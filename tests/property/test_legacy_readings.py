"""Whatever file of the form before torch 1.6 we take, torch reads the same tensors out of it.

The files are seeded changes of real ones; nothing is written to disk.
"""

import io
from collections.abc import Iterator
from functools import cache
from random import Random

import pytest
import torch

from ckptkit.errors import CkptkitError
from ckptkit.storage.source import MemorySource
from ckptkit.storage.torch_legacy import from_legacy, is_legacy
from fuzz.make_corpus import seeds
from fuzz.mutation import mutated
from tests.property.torch_readings import described, same_tensors

BATCHES, FILES = 4, 2500


@cache
def given() -> tuple[bytes, ...]:
    """Return files to change: seeds of the fuzzing, and a small one of views that share a storage."""
    weight = torch.arange(6.0).reshape(2, 3)
    root = {
        "w": weight,
        "t": weight.t(),
        "part": weight[1],
        "b": torch.zeros(2, dtype=torch.bool),
        "x": [1, 2.5],
    }
    buffer = io.BytesIO()
    torch.save(root, buffer, _use_new_zipfile_serialization=False)
    small = buffer.getvalue()
    return (*[small] * 8, *seeds("torch_legacy").values())


def files(batch: int) -> Iterator[bytes]:
    for number in range(FILES):
        random = Random(batch * FILES + number)
        yield mutated("torch_legacy", random.choice(given()), random)


@pytest.mark.parametrize("batch", range(BATCHES))
def test_every_file_that_we_take_has_one_reading(batch: int) -> None:
    taken = same = made = 0
    for data in files(batch):
        made += 1
        if not is_legacy(data[:512]):
            continue
        try:
            ours = described(from_legacy(MemorySource(data, "x.pt")))
        except CkptkitError:
            continue
        taken += 1
        same += same_tensors(ours, data)
    assert made == FILES
    assert taken >= FILES // 20
    assert same >= FILES // 50
