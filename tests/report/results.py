"""Results to render: each field set to something that shows."""

from ckptkit.model.checkpoint import Dropped, Note
from ckptkit.model.finding import Finding, Severity, Verdict
from ckptkit.model.inert import ClassRef, CodeFact, GlobalUse
from ckptkit.model.results import Inspection, Receipt, Report, TensorRow, Validation, Written

INSPECTION = Inspection(
    path="my runs/ppo.zip",
    format="sb3-zip",
    format_version="1.3.1",
    container="zip",
    verdict=Verdict.CONTAINS_CODE,
    level=0,
    next_level="level 1 described: a manifest; convert it: ckptkit convert SRC --to deploy -o DST",
    bytes=142_123,
    content_digest="",
    tensors=(
        TensorRow("actor.weight", "F32", (64, 6), 1536),
        TensorRow("steps", "I64", (), 8),
        TensorRow("critic.weight", "F32", (64, 6), 1536, "actor.weight"),
    ),
    training_tensors=(TensorRow("training_state.exp_avg", "F32", (64, 6), 1536),),
    spaces={
        "observation": {
            "type": "Box",
            "shape": [6],
            "dtype": "float32",
            "low": float("-inf"),
            "high": float("inf"),
        },
        "action": {"type": "Discrete", "n": 3, "start": 0},
    },
    model_config={"net_arch": [64, 64], "activation_fn": ClassRef("torch.nn", "ELU")},
    training_info={"num_timesteps": 1_003_520, "best": float("-inf"), "gamma": 0.99, "shape": (4, 84)},
    code=(CodeFact("function", "linear", "data:lr_schedule", ("progress",), ("0.0003",)),),
    globals=(GlobalUse("posix", "system", "data:policy_kwargs", 17, False, "not on the allow-list"),),
    dropped=(Dropped("data:lr_schedule", "a function"),),
    notes=(Note("no-version", "states no version", "data"),),
)

DAMAGED = Finding(
    "CK301",
    Severity.ERROR,
    "tensor actor.2.weight differs from its digest: expected 9f2c41…, got 77ab03…",
    "models/slot2/model.safetensors",
    "actor.2.weight",
    "restore the file from its source (lineage: ppo.zip, sha256 1b3e…)",
)
UNLISTED = Finding("CK306", Severity.WARNING, "is not listed", "models/slot2/README.md")
SCHEMA = Finding("CK202", Severity.ERROR, "must be an integer", "models/slot2/ckpt.json", "/tensors/0/nbytes")
REPORT = Report(
    (
        Validation("models/slot1", 2, Verdict.DATA_ONLY, ()),
        Validation("models/slot2", 0, Verdict.DATA_ONLY, (SCHEMA, DAMAGED, UNLISTED), next_level="errors"),
        Validation(
            "models/slot3",
            -1,
            Verdict.UNSUPPORTED,
            (Finding("CK110", Severity.ERROR, "Git LFS pointer", "models/slot3"),),
            "content not present",
        ),
    ),
    skipped=("models/empty",),
)
CLEAN = Report((Validation("a", 2, Verdict.DATA_ONLY, ()), Validation("b", 2, Verdict.DATA_ONLY, ())))

RECEIPT = Receipt(
    source="ppo.zip",
    source_format="sb3-zip",
    target="out/ppo",
    to="deploy",
    files_read=1,
    written=Written(
        path="out/ppo",
        files=(("ckpt.json", 1234, "a" * 64), ("model.safetensors", 50_000, "d" * 64)),
        content_digest="b" * 64,
        bundle_digest="c" * 64,
        tensors=12,
        aliases=1,
        training_tensors=24,
    ),
    level=2,
    verdict=Verdict.CONTAINS_CODE,
    dropped=(Dropped("data:lr_schedule", "a function"), Dropped("data:ep_info_buffer", "an object")),
    notes=(Note("unused-hint", "nothing was assumed", "--assume rl-snake"),),
    code=(CodeFact("function", "linear", "data:lr_schedule"),),
)
