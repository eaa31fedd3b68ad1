"""States of the random generators that training draws from."""

import random
import sys
from collections.abc import Callable, Mapping
from typing import Any


def states() -> dict[str, object]:
    """Return the state of each global generator that this process uses."""
    import torch

    found: dict[str, object] = {"python": random.getstate(), "torch_cpu": torch.get_rng_state()}
    if "numpy" in sys.modules:
        import numpy as np

        found["numpy"] = np.random.get_state(legacy=False)
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        found["torch_cuda"] = torch.cuda.get_rng_state_all()
    return found


def restore(found: Mapping[str, Any]) -> tuple[str, ...]:
    """Put global generators into the states that `states` returned.

    Returns:
        Names of those that this machine lacks, or has in another number.
    """
    import torch

    def cuda(each: list[torch.Tensor]) -> None:
        if not torch.cuda.is_available() or len(each) != torch.cuda.device_count():
            raise LookupError
        torch.cuda.set_rng_state_all(each)

    setters: dict[str, Callable[[Any], None]] = {
        "python": random.setstate,
        "numpy": _set_numpy,
        "torch_cpu": torch.set_rng_state,
        "torch_cuda": cuda,
    }
    absent = [name for name in found if name not in setters]
    for name, state in found.items():
        if name in setters:
            try:
                setters[name](state)
            except LookupError:
                absent.append(name)
    return tuple(absent)


def _set_numpy(state: Any) -> None:
    import numpy as np

    np.random.set_state(state)
