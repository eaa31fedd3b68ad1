"""Sizes that tensors tell, and whether the file's own `net_arch` agrees with them.

`net_arch` has had these forms: one list for all networks; a dict by network (`pi` with `vf` or
`qf`); before 1.8, for actor-critic policies, a list of shared layers that may end in such a dict.
Source: stable-baselines3 1.7.0 and 2.9.2, `common/torch_layers.py`, `MlpExtractor` and
`get_actor_critic_arch`.
"""

from collections.abc import Mapping

from ckptkit.errors import ArchitectureError
from ckptkit.model.recovered import Field, Status
from ckptkit.recovery.sb3 import blocks
from ckptkit.recovery.sb3.policy import Policy

Widths = list[int]


def plain(policy: Policy, path: str) -> None:
    """Record the `net_arch` of a policy with one network, at `path`."""
    found = blocks.widths(policy.builder, path, tail=False)
    said = _listed(policy.kwargs.get("net_arch"))
    if said is not None and said != found:
        raise _contradiction(policy, found)
    policy.config["net_arch"] = Field(found, Status.PROVEN, _weights(policy, path))


def actor_critic(policy: Policy) -> None:
    """Record the `net_arch` of a policy with a policy and a value network."""
    paths = [f"mlp_extractor.{name}" for name in ("shared_net", "policy_net", "value_net")]
    shared, pi, vf = (blocks.widths(policy.builder, path, tail=True) for path in paths)
    if not _agrees(policy.kwargs.get("net_arch"), shared, {"pi": pi, "vf": vf}):
        raise _contradiction(policy, [*shared, {"pi": pi, "vf": vf}])
    separate: dict[str, Widths] = {"pi": pi, "vf": vf}
    value = [*shared, separate] if shared else separate
    policy.config["net_arch"] = Field(value, Status.PROVEN, _weights(policy, *paths))


def actor_and_critics(policy: Policy, actor: str, critic: str, *, tail: bool) -> None:
    """Record the `net_arch` of a policy with an actor at `actor` and its first critic at `critic`."""
    pi = blocks.widths(policy.builder, actor, tail=tail)
    if not policy.builder.has(f"{critic}."):
        policy.config["net_arch"] = Field({"pi": pi}, Status.PROVEN, _weights(policy, actor))
        return
    separate = {"pi": pi, "qf": blocks.widths(policy.builder, critic, tail=False)}
    if not _agrees(policy.kwargs.get("net_arch"), [], separate):
        raise _contradiction(policy, separate)
    policy.config["net_arch"] = Field(separate, Status.PROVEN, _weights(policy, actor, critic))


def _agrees(said: object, shared: Widths, separate: Mapping[str, Widths]) -> bool:
    """Whether what the file says can have made the widths; what has no known form says nothing."""
    if isinstance(said, Mapping):
        said = [said]
    if not isinstance(said, list | tuple):
        return True
    *front, last = said or [None]
    if isinstance(last, Mapping):
        named = {key: _listed(last.get(key, [])) for key in separate}
        return None in named.values() or (_listed(front), named) in ((shared, dict(separate)), (None, None))
    listed = _listed(said)
    both = all(widths == listed for widths in separate.values()) and not shared
    return listed is None or both or (listed == shared and not any(separate.values()))


def _listed(said: object) -> Widths | None:
    """Return a list of widths; None for anything else."""
    if not isinstance(said, list | tuple) or not all(type(size) is int for size in said):
        return None
    return list(said)


def _contradiction(policy: Policy, found: object) -> ArchitectureError:
    said = policy.kwargs.get("net_arch")
    return ArchitectureError(
        f"which holds? policy_kwargs says net_arch = {said}, and the tensors say {found}"
    )


def _weights(policy: Policy, *paths: str) -> tuple[str, ...]:
    found = tuple(f"{path}.{index}.weight" for path in paths for index in policy.builder.indices(path))
    return found or ("no tensors of hidden layers",)
