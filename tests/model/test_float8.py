"""Values of types that numpy lacks, with torch as the oracle."""

import numpy as np
import pytest
import torch

from ckptkit.model.dtype import BY_NAME
from ckptkit.model.float8 import decoded


@pytest.mark.parametrize("name", sorted(name for name in BY_NAME if name.startswith("F8_")))
def test_every_code_has_torchs_value(name: str) -> None:
    codes = torch.arange(256, dtype=torch.uint8)
    expected = codes.view(getattr(torch, BY_NAME[name].torch)).to(torch.float32).double().numpy()
    np.testing.assert_array_equal(decoded(bytes(range(256)), name), expected)


def test_every_bfloat16_has_torchs_value() -> None:
    codes = np.arange(1 << 16, dtype="<u2")
    expected = torch.from_numpy(codes.view("<i2")).view(torch.bfloat16).float().numpy()
    np.testing.assert_array_equal(decoded(codes.tobytes(), "BF16"), expected)
