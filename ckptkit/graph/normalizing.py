"""Fold the statistics of a VecNormalize in front of a graph.

Source: stable-baselines3 2.9.2, `common/vec_env/vec_normalize.py`, `_normalize_obs`: float64 arithmetic,
`clip((obs - mean) / sqrt(var + epsilon), -clip_obs, clip_obs)`, then float32.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from ckptkit.errors import UsageError
from ckptkit.model.architecture import Graph, Layer, ValueType
from ckptkit.model.inert import NdArray
from ckptkit.model.ndvalues import number, values

STEP = "VecNormalize"
_FIX = "put vecnormalize.pkl beside the model, or leave --normalize away"


def normalized(graph: Graph, preprocessing: Iterable[Mapping[str, object]]) -> Graph:
    """Return `graph` with a normaliser in front: it takes observations as the environment gives them.

    Args:
        graph: The network, which takes observations that are normalised already.
        preprocessing: The manifest's steps; one of them must be a `VecNormalize`.

    Raises:
        UsageError: There are no statistics of observations, or they do not fit the inputs.
    """
    step = _step(preprocessing)
    mean, var = step.get("mean"), step.get("var")
    parts = {"obs": (mean, var)}
    if isinstance(mean, Mapping) and isinstance(var, Mapping):
        keys = step.get("norm_obs_keys")
        names = keys if isinstance(keys, list | tuple) else list(mean)
        parts = {f"obs.{key}": (mean.get(key), var.get(key)) for key in names}
    layers: list[Layer] = []
    renamed = {}
    for name, (middle, spread) in parts.items():
        value = graph.inputs.get(name)
        if value is None:
            raise UsageError(f"the statistics are of {name}, which the network does not take", fix=_FIX)
        layers += _layers(name, value, _nested(middle, value), _spread(step, spread, value), _clip(step))
        renamed[name] = layers[-1].name
    rest = (replace(one, inputs=tuple(renamed.get(i, i) for i in one.inputs)) for one in graph.layers)
    return replace(graph, layers=(*layers, *rest))


def _step(preprocessing: Iterable[Mapping[str, object]]) -> Mapping[str, object]:
    step = next((step for step in preprocessing if step.get("type") == STEP), None)
    if step is None:
        raise UsageError("there are no normalisation statistics to fold in", fix=_FIX)
    if not step.get("norm_obs") or "mean" not in step:
        raise UsageError("its VecNormalize leaves observations as they are", fix="leave --normalize away")
    return step


def _layers(name: str, value: ValueType, mean: Any, spread: Any, clip: float) -> list[Layer]:
    path = f"normalize/{name}"
    steps: list[tuple[str, str, dict[str, object]]] = [
        ("double", "Cast", {"dtype": "F64"}),
        ("mean", "Sub", {"value": mean}),
        ("spread", "Div", {"value": spread}),
        ("high", "Minimum", {"value": clip}),
        ("low", "Maximum", {"value": -clip}),
        ("single", "Cast", {"dtype": "F32"}),
    ]
    made: list[Layer] = []
    for word, kind, attrs in steps[value.dtype == "F64" :]:
        taken = made[-1].name if made else name
        made.append(Layer(f"{path}/{word}", kind, (taken,), attrs))
    return made


def _clip(step: Mapping[str, object]) -> float:
    clip = number(step.get("clip_obs"))
    if clip is None or not math.isfinite(clip):
        raise UsageError("the statistics state no finite clip_obs", fix=_FIX)
    return float(clip)


def _nested(statistic: object, value: ValueType) -> Any:
    """Return a statistic as nested lists of the input's shape, or as one number."""
    import numpy as np

    sizes = tuple(size for size in value.shape if size is not None)
    if isinstance(statistic, NdArray):
        if statistic.shape not in (sizes, ()):
            raise UsageError(f"statistics of shape {list(statistic.shape)} do not fit {value}", fix=_FIX)
        return np.array(values(statistic), np.float64).reshape(statistic.shape).tolist()
    found = number(statistic)
    if found is None:
        raise UsageError("the statistics hold no numbers for an input that they name", fix=_FIX)
    return float(found)


def _spread(step: Mapping[str, object], variance: object, value: ValueType) -> Any:
    import numpy as np

    epsilon = number(step.get("epsilon"))
    return np.sqrt(np.array(_nested(variance, value), np.float64) + float(epsilon or 0.0)).tolist()
