"""A zoo of state dicts whose networks are known, and a scorecard of what `ckptkit recover` says of them.

    python -m benchmarks.recovery [--every N] [--kind WORD] [-o docs/recovery-scorecard.md]

`networks_*.py` build torch modules on the meta device over grids of hyper-parameters; only names, shapes,
element types, ties and the few buffers whose values matter are kept. The truth is what the constructor
was given and never what ckptkit says. `variants.py` changes what must change nothing, and what must be
noticed. The scoring process reads the result as JSON and never imports torch.
"""
