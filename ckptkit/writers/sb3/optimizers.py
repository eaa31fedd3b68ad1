"""The other `.pth` members: optimizer state in the form that today's parameters have, and variables.

Releases before 2.4 kept the target network's parameters in DQN's optimizer too. Torch before 1.6
numbered parameters by their addresses. Sources: stable-baselines3 v2.9.2, `common/base_class.py`
(`load`); torch 2.13.0, `optim/optimizer.py` (`load_state_dict`).
"""

from collections.abc import Mapping

from ckptkit.errors import NotExportableError
from ckptkit.model.real import real
from ckptkit.writers.sb3.changes import Changes
from ckptkit.writers.sb3.weights import ACTOR_CRITIC, Weights

VARIABLES = "pytorch_variables"
_ENTROPY = "ent_coef_optimizer"
_ADAM = {
    "betas": (0.9, 0.999),
    "eps": 1e-08,
    "weight_decay": 0,
    "amsgrad": False,
    "maximize": False,
    "foreach": None,
    "capturable": False,
    "differentiable": False,
    "fused": None,
}


def learning_rates(training: Mapping[str, object]) -> tuple[float, ...]:
    """Return the learning rate of each group of each optimizer."""
    found = []
    for state in training.values():
        groups = state.get("param_groups") if isinstance(state, Mapping) else None
        for group in groups if isinstance(groups, list) else []:
            rate = real(group.get("lr")) if isinstance(group, Mapping) else None
            if rate is not None:
                found.append(rate)
    return tuple(found)


def members(
    algorithm: str,
    training: Mapping[str, object],
    weights: Weights,
    made: Mapping[str, object],
    changes: Changes,
) -> dict[str, object]:
    """Return the trees of the members, by name without the suffix, in the order of the zip.

    Args:
        algorithm: Name of the algorithm's class.
        training: The source's training state.
        weights: The state dict that is written.
        made: The fields of `data` that are written.
        changes: Gets what does not fit.

    Raises:
        NotExportableError: SB3 could not load without a state that the source lacks.
    """
    learned = str(made.get("ent_coef", "")).startswith("auto")
    wanted = _wanted(algorithm, learned)
    found: dict[str, object] = {name: _optimizer(name, training, weights, made, changes) for name in wanted}
    for name in training:
        if name not in (*wanted, VARIABLES, "data"):
            changes.drop(name, f"no state that today's {algorithm} has")
    _drop_computed(training.get("data"), changes)
    return {VARIABLES: _variables(algorithm, training.get(VARIABLES), learned, changes), **found}


def _wanted(algorithm: str, learned: bool) -> tuple[str, ...]:
    if algorithm == "ARS":
        return ()
    if algorithm in (*ACTOR_CRITIC, "DQN", "QRDQN"):
        return ("policy.optimizer",)
    both = ("actor.optimizer", "critic.optimizer")
    entropy = algorithm not in ("TD3", "DDPG") and learned
    return (*both, _ENTROPY) if entropy else both


def _drop_computed(held: object, changes: Changes) -> None:
    for name in held if isinstance(held, Mapping) else ():
        changes.drop(f"data:{name}", "tensors that SB3 computes again when it loads")


def _variables(algorithm: str, held: object, learned: bool, changes: Changes) -> dict[str, object]:
    """Return the entropy coefficient under its name, and nothing for other algorithms."""
    given = held if isinstance(held, Mapping) else {}
    name = "log_ent_coef" if learned else "ent_coef_tensor"
    keep = algorithm in ("SAC", "TQC", "CrossQ")
    made = {name: given[name]} if keep and given.get(name) is not None else {}
    for key, value in given.items():
        if key not in made and value is not None:
            changes.drop(f"{VARIABLES}:{key}", f"no variable of today's {algorithm}")
    return made


def _optimizer(
    name: str,
    training: Mapping[str, object],
    weights: Weights,
    made: Mapping[str, object],
    changes: Changes,
) -> dict[str, object]:
    held = training.get(name)
    groups = held.get("param_groups") if isinstance(held, Mapping) else None
    state = held.get("state") if isinstance(held, Mapping) else None
    if not isinstance(groups, list) or not isinstance(state, Mapping) or not _is_whole(groups):
        return _fresh(name, weights, made, changes)
    numbered = [key for group in groups for key in group["params"]]
    count = _count(name, len(numbered), weights)
    if weights.duplicated and len(groups) == 1:
        count = len(numbered) + weights.duplicated
        state = {}
        changes.drop(f"{name}.pth:state", "parameters were duplicated, so the optimizer starts anew")
    elif count < len(numbered):
        changes.change(f"{name}: the target network's parameters are no longer part of it")
    places = {key: place for place, key in enumerate(numbered) if place < count}
    return {
        "state": {places[key]: state[key] for key in numbered if key in places and key in state},
        "param_groups": _renumbered(groups, count),
    }


def _is_whole(groups: list[object]) -> bool:
    """Whether every group lists its parameters by number."""
    listed = [group.get("params") if isinstance(group, Mapping) else None for group in groups]
    return all(isinstance(keys, list) and all(isinstance(key, int) for key in keys) for keys in listed)


def _count(name: str, before: int, weights: Weights) -> int:
    """Return how many parameters today's optimizer has, given how many there were."""
    for net in ("q_net", "quantile_net"):
        online = weights.parameters(f"{net}.")
        if name == "policy.optimizer" and online and before == 2 * online:
            return online
    return before


def _renumbered(groups: list[Mapping[str, object]], count: int) -> list[dict[str, object]]:
    """Return the groups with parameters numbered from 0 on, `count` of them in all."""
    made, start = [], 0
    for number, group in enumerate(groups):
        params = group["params"]
        length = len(params) if isinstance(params, list) else 0
        end = count if number == len(groups) - 1 else min(start + length, count)
        made.append({**group, "params": list(range(start, end))})
        start = end
    return made


def _fresh(name: str, weights: Weights, made: Mapping[str, object], changes: Changes) -> dict[str, object]:
    """Return the state of an Adam that has not taken a step.

    Raises:
        NotExportableError: The optimizer is another one.
    """
    kwargs = made["policy_kwargs"]
    cls = kwargs.get("optimizer_class") if isinstance(kwargs, Mapping) else None
    options = kwargs.get("optimizer_kwargs") if isinstance(kwargs, Mapping) else None
    if cls is not None and getattr(cls, "name", "") != "Adam" and name != _ENTROPY:
        raise NotExportableError(
            f"the source holds no state of {name}, and {cls} is not one that starts without"
        )
    rate = made["learning_rate"]
    group = _ADAM | {"lr": rate if isinstance(rate, int | float) else 3e-4}
    if isinstance(options, Mapping) and name != _ENTROPY:
        group |= {str(key): value for key, value in options.items()}
    changes.change(f"{name}: not in the source, so the optimizer starts anew")
    return {"state": {}, "param_groups": [group | {"params": list(range(_parameters(name, weights)))}]}


def _parameters(name: str, weights: Weights) -> int:
    """Return how many parameters an optimizer has."""
    if name == _ENTROPY:
        return 1
    if name != "policy.optimizer":
        prefix = name.removesuffix("optimizer")
        extractor = f"{prefix}features_extractor."
        shared = prefix == "critic." and weights.shares("actor.features_extractor.", extractor)
        return weights.parameters(prefix) - (weights.parameters(extractor) if shared else 0)
    targets = ("q_net_target.", "quantile_net_target.")
    identities = set()
    for key, tensor in weights.tensors.items():
        if not key.startswith(targets) and weights.parameters(key):
            identities.add(tensor.identity)
    return len(identities)
