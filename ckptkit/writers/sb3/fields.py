"""The fields of `data` that today's SB3 writes, by algorithm, with the values that it starts from.

Sources: stable-baselines3 v2.9.2 and sb3-contrib v2.9.0: the attributes of a new model of each class
in the order in which `save` writes them, and the defaults of each `__init__`.
"""

from collections.abc import Mapping

VERSION = "2.9.2"
"""The release whose form is written."""

Fields = dict[str, object]

COMMON: Fields = {
    "verbose": 0,
    "num_timesteps": 0,
    "_total_timesteps": 0,
    "_num_timesteps_at_start": 0,
    "seed": None,
    "action_noise": None,
    "start_time": 0.0,
    "learning_rate": 3e-4,
    "tensorboard_log": None,
    "_last_obs": None,
    "_last_episode_starts": None,
    "_last_original_obs": None,
    "_episode_num": 0,
    "use_sde": False,
    "sde_sample_freq": -1,
    "_current_progress_remaining": 1.0,
    "_stats_window_size": 100,
    "ep_info_buffer": None,
    "ep_success_buffer": None,
    "_n_updates": 0,
    "n_envs": 1,
}
_ON_POLICY: Fields = {
    "n_steps": 2048,
    "gamma": 0.99,
    "gae_lambda": 0.95,
    "ent_coef": 0.0,
    "vf_coef": 0.5,
    "max_grad_norm": 0.5,
    "rollout_buffer_class": None,
    "rollout_buffer_kwargs": {},
    "normalize_advantage": True,
}
_PPO: Fields = _ON_POLICY | {
    "batch_size": 64,
    "n_epochs": 10,
    "clip_range": 0.2,
    "clip_range_vf": None,
    "target_kl": None,
}
_OFF_POLICY: Fields = {
    "buffer_size": 1_000_000,
    "batch_size": 256,
    "learning_starts": 100,
    "tau": 0.005,
    "gamma": 0.99,
    "gradient_steps": 1,
    "optimize_memory_usage": False,
    "replay_buffer_class": None,
    "replay_buffer_kwargs": {},
    "n_steps": 1,
    "train_freq": 1,
    "use_sde_at_warmup": False,
}
_DQN: Fields = _OFF_POLICY | {
    "learning_rate": 1e-4,
    "batch_size": 32,
    "tau": 1.0,
    "train_freq": 4,
    "exploration_initial_eps": 1.0,
    "exploration_final_eps": 0.05,
    "exploration_fraction": 0.1,
    "target_update_interval": 10000,
    "_n_calls": 0,
    "max_grad_norm": 10,
    "exploration_rate": 0.0,
}
_ENTROPY: Fields = _OFF_POLICY | {"target_entropy": "auto", "ent_coef": "auto"}
_TD3: Fields = _OFF_POLICY | {
    "learning_rate": 1e-3,
    "policy_delay": 2,
    "target_noise_clip": 0.5,
    "target_policy_noise": 0.2,
}

ALGORITHMS: Mapping[str, Fields] = {
    "PPO": _PPO,
    "MaskablePPO": _PPO,
    "RecurrentPPO": _PPO | {"n_steps": 128, "batch_size": 128},
    "A2C": _ON_POLICY
    | {"learning_rate": 7e-4, "n_steps": 5, "gae_lambda": 1.0, "normalize_advantage": False},
    "TRPO": _ON_POLICY
    | {
        "learning_rate": 1e-3,
        "vf_coef": 0.0,
        "max_grad_norm": 0.0,
        "batch_size": 128,
        "cg_max_steps": 15,
        "cg_damping": 0.1,
        "line_search_shrinking_factor": 0.8,
        "line_search_max_iter": 10,
        "target_kl": 0.01,
        "n_critic_updates": 10,
        "sub_sampling_factor": 1,
    },
    "DQN": _DQN,
    "QRDQN": _DQN
    | {
        "learning_rate": 5e-5,
        "exploration_final_eps": 0.01,
        "exploration_fraction": 0.005,
        "max_grad_norm": None,
        "n_quantiles": 200,
    },
    "SAC": _ENTROPY | {"target_update_interval": 1},
    "TQC": _ENTROPY | {"target_update_interval": 1, "top_quantiles_to_drop_per_net": 2},
    "CrossQ": _ENTROPY | {"learning_rate": 1e-3, "tau": 1.0, "policy_delay": 3},
    "TD3": _TD3,
    "DDPG": _TD3 | {"policy_delay": 1, "target_noise_clip": 0.0, "target_policy_noise": 0.1},
    "ARS": {
        "learning_rate": 0.02,
        "n_delta": 8,
        "pop_size": 16,
        "delta_std_schedule": 0.05,
        "n_eval_episodes": 1,
        "n_top": 8,
        "alive_bonus_offset": 0,
        "zero_policy": True,
        "processes": None,
        "old_count": 0,
    },
}
"""Fields of each algorithm beside the common ones; they win over these."""

COMPUTED = (
    "lr_schedule",
    "exploration_schedule",
    "batch_norm_stats",
    "batch_norm_stats_target",
    "actor_batch_norm_stats",
    "critic_batch_norm_stats",
    "actor_batch_norm_stats_target",
    "critic_batch_norm_stats_target",
    "weights",
    "n_params",
)
"""Fields that SB3 computes from others whenever it loads a model."""

_HER = "Hindsight replay needs an environment to load, and its buffer is not in the file"
REMOVED: Mapping[str, str] = {
    "actor": "an alias that releases before 2.0 wrote",
    "critic": "an alias that releases before 2.0 wrote",
    "ent_coef_optimizer": "an empty entry that old releases wrote",
    "log_ent_coef": "an empty entry that old releases wrote",
    "create_eval_env": "removed in SB3 2.0",
    "eval_env": "removed in SB3 2.0",
    "remove_time_limit_termination": "removed in SB3 1.1",
    "n_episodes_rollout": "became part of train_freq",
    "_vectorize_action_noise": "removed in SB3 1.4",
    "n_sampled_goal": _HER,
    "goal_selection_strategy": _HER,
    "online_sampling": _HER,
    "max_episode_length": _HER,
    "model_class": "the algorithm that HER wrapped before 1.1; it is the one that is written",
    "her_ratio": _HER,
    "_episode_storage": _HER,
}
"""Fields that today's SB3 has no use for, and why."""

RESERVED = (
    "policy",
    "device",
    "env",
    "replay_buffer",
    "rollout_buffer",
    "_vec_normalize_env",
    "_logger",
    "_custom_logger",
    "policy_class",
    "policy_kwargs",
    "observation_space",
    "action_space",
    "q_net",
    "q_net_target",
    "quantile_net",
    "quantile_net_target",
    "actor_target",
    "critic_target",
    "_last_lstm_states",
)
"""Names that `load` would take for something else than a hyper-parameter."""


def defaults(algorithm: str) -> dict[str, object]:
    """Return all fields of an algorithm with their defaults."""
    return {**COMMON, **ALGORITHMS[algorithm]}
