"""What the readers of Stable-Baselines3 files share: members, `data`, sidecars, statistics."""
