"""What Stable-Baselines3 did not write: the default of each keyword of its policies, by release.

A zip holds only the keywords that were given (`policy_kwargs`), so that the rest is the default of
the release that wrote it. Read in the signatures and bodies of stable-baselines3 0.8.0, 0.10.0, 1.0,
1.2.0, 1.5.0, 1.6.2, 1.7.0, 1.8.0, 2.0.0, 2.3.2, 2.9.2 and sb3-contrib 1.0, 1.2.0, 1.5.0, 1.6.2,
1.7.0, 2.4.0, 2.5.0, 2.9.2; `since` and `until` (exclusive) name the releases between which it changed.
Sizes and counts are listed for the record: tensors tell them, and tensors win.
"""

import re
from dataclasses import dataclass

VERSION = re.compile(r"(\d+)\.(\d+)")

ON_POLICY = ("PPO", "A2C", "TRPO", "MaskablePPO", "RecurrentPPO")
GAUSSIAN = ("PPO", "A2C", "TRPO", "RecurrentPPO")
VALUE = ("DQN", "QRDQN")
STOCHASTIC = ("SAC", "TQC", "CrossQ")
DETERMINISTIC = ("TD3", "DDPG")
OFF_POLICY = (*STOCHASTIC, *DETERMINISTIC)
NEURAL = (*ON_POLICY, *VALUE, *OFF_POLICY)
"""Algorithms that train by gradients."""
ALL = (*NEURAL, "ARS")

_POLICIES = "common/policies.py"
_LAYERS = "common/torch_layers.py"
_RECURRENT = "sb3_contrib/common/recurrent/policies.py"
_CROSSQ = "sb3_contrib/crossq/policies.py"
_ARS = "sb3_contrib/ars/policies.py"


@dataclass(frozen=True, slots=True)
class Default:
    """A keyword that was not given.

    Attributes:
        option: Its name.
        algorithms: Classes whose policies have it.
        value: Its default, a class by its name.
        source: File of the release that says so.
        since: First release (major.minor) with this default.
        until: First release with another; empty where it holds to 2.9.
        policy: Name of the only policy class that it holds for; empty for all.
        extractor: Name of the only extractor class that it holds for; empty for all others.
    """

    option: str
    algorithms: tuple[str, ...]
    value: object
    source: str
    since: str = "0.8"
    until: str = ""
    policy: str = ""
    extractor: str = ""

    @property
    def range(self) -> str:
        """The releases that it holds for, in words."""
        return f"default from {self.since} to {'before ' + self.until if self.until else '2.9'}"

    def __str__(self) -> str:
        return f"{self.range}: {self.source}"


DEFAULTS = (
    # What outputs depend on and no tensor tells.
    Default("activation_fn", ON_POLICY, "Tanh", _POLICIES),
    Default("activation_fn", (*VALUE, *OFF_POLICY, "ARS"), "ReLU", "<algorithm>/policies.py"),
    Default("normalize_images", ALL, True, _POLICIES),
    Default("squash_output", GAUSSIAN, False, _POLICIES),
    Default("squash_output", ("ARS",), True, _ARS, "1.4", policy="ARSPolicy"),
    Default("squash_output", ("ARS",), False, _ARS, "1.4", policy="ARSLinearPolicy"),
    Default("clip_mean", STOCHASTIC, 2.0, "sac/policies.py"),
    Default("batch_norm_eps", ("CrossQ",), 0.001, _CROSSQ, "2.4"),
    # What only training depends on and no tensor tells.
    Default("batch_norm_momentum", ("CrossQ",), 0.01, _CROSSQ, "2.4"),
    Default("renorm_warmup_steps", ("CrossQ",), 100_000, _CROSSQ, "2.4"),
    Default("use_expln", (*GAUSSIAN, *STOCHASTIC), False, _POLICIES),
    # What tensors tell.
    Default("net_arch", ON_POLICY, {"pi": [64, 64], "vf": [64, 64]}, _POLICIES),
    Default("net_arch", (*ON_POLICY, *VALUE), [], _POLICIES, extractor="NatureCNN"),
    Default("net_arch", (*VALUE, "ARS"), [64, 64], "dqn/policies.py"),
    Default("net_arch", ("SAC", "TQC"), [256, 256], "sac/policies.py"),
    Default("net_arch", ("SAC", "TQC"), [], "sac/policies.py", until="1.6", extractor="NatureCNN"),
    Default("net_arch", ("SAC", "TQC"), [256, 256], "sac/policies.py", "1.6", extractor="NatureCNN"),
    Default("net_arch", DETERMINISTIC, [400, 300], "td3/policies.py"),
    Default("net_arch", DETERMINISTIC, [], "td3/policies.py", until="1.6", extractor="NatureCNN"),
    Default("net_arch", DETERMINISTIC, [256, 256], "td3/policies.py", "1.6", extractor="NatureCNN"),
    Default("net_arch", ("CrossQ",), {"pi": [256, 256], "qf": [1024, 1024]}, _CROSSQ, "2.4"),
    Default("batch_norm", ("CrossQ",), True, _CROSSQ, "2.4"),
    Default("with_bias", ("ARS",), True, _ARS, "1.7", policy="ARSPolicy"),
    Default("with_bias", ("ARS",), False, _ARS, "1.4", policy="ARSLinearPolicy"),
    Default("full_std", GAUSSIAN, True, _POLICIES),
    Default("n_critics", OFF_POLICY, 2, _POLICIES),
    Default("n_quantiles", ("QRDQN",), 200, "sb3_contrib/qrdqn/policies.py"),
    Default("n_quantiles", ("TQC",), 25, "sb3_contrib/tqc/policies.py"),
    Default("share_features_extractor", ON_POLICY, True, _POLICIES, "1.7"),
    Default("share_features_extractor", OFF_POLICY, True, "sac/policies.py", "0.9", "1.6"),
    Default("share_features_extractor", OFF_POLICY, False, "sac/policies.py", "1.6"),
    Default("lstm_hidden_size", ("RecurrentPPO",), 256, _RECURRENT, "1.6"),
    Default("n_lstm_layers", ("RecurrentPPO",), 1, _RECURRENT, "1.6"),
    Default("shared_lstm", ("RecurrentPPO",), False, _RECURRENT, "1.6"),
    Default("enable_critic_lstm", ("RecurrentPPO",), True, _RECURRENT, "1.6"),
    Default("features_dim", ALL, 512, _LAYERS, extractor="NatureCNN"),
    Default("cnn_output_dim", ALL, 256, _LAYERS, "1.2", extractor="CombinedExtractor"),
)

ACCEPTED = {
    **dict.fromkeys(("activation_fn", "net_arch"), ALL),
    **dict.fromkeys(("features_extractor_class", "features_extractor_kwargs", "normalize_images"), NEURAL),
    **dict.fromkeys(("optimizer_class", "optimizer_kwargs", "device"), NEURAL),
    **dict.fromkeys(("use_sde", "log_std_init", "use_expln", "sde_net_arch"), (*GAUSSIAN, *STOCHASTIC)),
    "full_std": GAUSSIAN,
    "squash_output": (*GAUSSIAN, "ARS"),
    "ortho_init": ON_POLICY,
    "share_features_extractor": (*ON_POLICY, *OFF_POLICY),
    "n_critics": OFF_POLICY,
    "clip_mean": STOCHASTIC,
    "n_quantiles": ("QRDQN", "TQC"),
    "with_bias": ("ARS",),
    **dict.fromkeys(
        ("batch_norm", "batch_norm_eps", "batch_norm_momentum", "renorm_warmup_steps"), ("CrossQ",)
    ),
    **dict.fromkeys(
        ("lstm_hidden_size", "n_lstm_layers", "shared_lstm", "enable_critic_lstm", "lstm_kwargs"),
        ("RecurrentPPO",),
    ),
}
"""Every keyword that a policy took in some release, and the algorithms whose policies took it."""


def release(version: object) -> tuple[int, int] | None:
    """Return (major, minor) of a version as SB3 writes it (`1.3.1a9`); None where it is none."""
    found = VERSION.match(version) if isinstance(version, str) else None
    return (int(found.group(1)), int(found.group(2))) if found else None


def defaults(option: str, algorithm: str, *, policy: str, extractor: str, version: object) -> list[Default]:
    """Return the defaults that may hold: one, or more where the release is unknown and it matters.

    Args:
        option: Keyword of the policy.
        algorithm: Class name of the algorithm.
        policy: Class name of the policy.
        extractor: Class name of the features extractor.
        version: What the file says of its release. A pre-release counts as the release.
    """
    rows = [row for row in DEFAULTS if row.option == option and algorithm in row.algorithms]
    rows = [row for row in rows if row.policy in ("", policy)]
    rows = [row for row in rows if row.extractor == extractor] or [row for row in rows if not row.extractor]
    found = release(version)
    return [row for row in rows if found is None or _holds(row, found)] or rows


def _holds(row: Default, found: tuple[int, int]) -> bool:
    since, until = release(row.since), release(row.until)
    return (since is None or found >= since) and (until is None or found < until)
