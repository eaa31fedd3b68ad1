"""The pieces of work that are compared, each a table."""

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.comparison import inputs, programs
from benchmarks.comparison.measuring import Table, empty, in_turn
from benchmarks.comparison.programs import ours, peer, peer_python, python

SCHEMA = Path(__file__).resolve().parents[2] / "schemas" / "manifest-2.0.schema.json"
SMALL = 1024
LOOKED = frozenset({0, 1})
"""Exit statuses of a scanner that has looked: nothing found, or something."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured.

    Attributes:
        folder: Where files are made.
        megabytes: Sizes of the checkpoints that are converted.
        tensors: Tensors of the checkpoint that has many.
        files: Agents that are looked at in one call.
        bundles: Bundles that are validated in one call.
        runs: How often each program runs.
    """

    folder: Path
    megabytes: tuple[int, ...]
    tensors: int
    files: int
    bundles: int
    runs: int


def tables(plan: Plan) -> Iterator[Table]:
    """Measure everything, one table after the other."""
    for megabytes in plan.megabytes:
        source = inputs.torch_zip(plan.folder / f"few{megabytes}.pt", 8, megabytes * 1_000_000 // 32)
        yield _convert(plan, f"Convert {megabytes / 1000:g} GB, 8 tensors, to deploy", source)
    many = inputs.torch_zip(plan.folder / "many.pt", plan.tensors, SMALL)
    yield _convert(plan, f"Convert {plan.tensors:,} tensors of 4 KB to deploy", many)
    yield _look_at_many_tensors(plan, many)
    yield _hash(plan)
    yield _one_tensor(plan)
    yield from _agents(plan)
    yield from _validate(plan)
    yield _export(plan)
    yield _start_up(plan)


def _convert(plan: Plan, title: str, source: Path) -> Table:
    out = plan.folder / "out"
    file = out / "out.safetensors"
    commands = {
        "ckptkit convert": ours("convert", source, "--to", "deploy", "-o", out / "bundle"),
        "torch.load(mmap=True) + save_file": python(programs.SAVE_FILE, source, file, "mmap"),
        "torch.load + save_file": python(programs.SAVE_FILE, source, file, "read"),
        "copy": python(programs.COPY, source, file),
        "copy and fsync": python(programs.DURABLE, source, file),
    }
    note = (
        "ckptkit checks the source's CRCs, takes sha256 of the source, of each tensor and of the file, and "
        "returns when all is on disk; of the others only the last waits for the disk, "
        "and none takes a digest."
    )
    return in_turn(title, commands, plan.runs, note=note, before=empty(out))


def _look_at_many_tensors(plan: Plan, many: Path) -> Table:
    commands = {
        "ckptkit inspect": ours("inspect", many),
        "torch.load(mmap=True)": python(programs.TORCH_LOAD.replace("True)", "True, mmap=True)"), many),
        "picklescan": peer("picklescan", "-p", many),
        "modelscan": peer("modelscan", "-p", many),
    }
    return in_turn(f"Look into {plan.tensors:,} tensors of 4 KB", commands, plan.runs, good=LOOKED)


def _hash(plan: Plan) -> Table:
    megabytes = max(size for size in plan.megabytes if size <= 2000)
    source, bundle = plan.folder / f"few{megabytes}.pt", plan.folder / f"bundle{megabytes}"
    in_turn("(a bundle to hash)", {"ckptkit": ours("convert", source, "--to", "deploy", "-o", bundle)}, 1)
    weights = bundle / "model.safetensors"
    commands = {
        "ckptkit validate --level 2": ours("validate", "--level", "2", "--no-cache", bundle),
        "sha256, one thread": python(programs.SHA256, weights),
        "model_signing": peer_python(programs.SIGNING, bundle),
    }
    note = "ckptkit compares the digest of every tensor and of every file, the others compute those of files."
    return in_turn(f"Hash {megabytes / 1000:g} GB", commands, plan.runs, note=note)


def _one_tensor(plan: Plan) -> Table:
    source = plan.folder / f"few{max(plan.megabytes)}.pt"
    commands = {
        "ckptkit.read(…).tensors[…][:16]": python(programs.OUR_ARRAY, source, "layers.5.weight"),
        "torch.load(mmap=True)[…][:16]": python(programs.TORCH_ARRAY, source, "layers.5.weight"),
    }
    return in_turn("Sixteen numbers out of the largest of these files", commands, plan.runs)


def _agents(plan: Plan) -> Iterator[Table]:
    one = inputs.agent(plan.folder / "ppo.zip")
    many = inputs.copies(one, plan.folder / "agents", plan.files)
    with zipfile.ZipFile(one) as archive:
        policy = plan.folder / "policy.pt"
        policy.write_bytes(archive.read("policy.pth"))
    with zipfile.ZipFile(policy) as archive:
        data = plan.folder / "policy.pkl"
        data.write_bytes(archive.read(next(n for n in archive.namelist() if n.endswith("data.pkl"))))
    paths = sorted(many.rglob("*.zip"))
    commands = {
        f"ckptkit inspect, {plan.files} paths": ours("inspect", *paths),
        "ckptkit inspect, their folder": ours("inspect", many),
        "ckptkit scan, their folder": ours("scan", many),
        "Stable-Baselines3: PPO.load, one process": python(programs.SB3_LOAD, many, "PPO"),
    }
    yield in_turn(f"Look at {plan.files} agents in one call", commands, max(1, plan.runs // 2), good=LOOKED)
    commands = {
        "ckptkit scan": ours("scan", policy),
        "ckptkit inspect": ours("inspect", policy),
        "picklescan": peer("picklescan", "-p", policy),
        "modelscan": peer("modelscan", "-p", policy),
        "fickling (its data.pkl alone)": peer("fickling", "--check-safety", data),
    }
    note = (
        "The file is the `policy.pth` of an agent. In the agent itself picklescan and "
        "modelscan find no pickle."
    )
    yield in_turn("Scan one torch zip for what it names", commands, plan.runs, note=note, good=LOOKED)
    commands = {
        "ckptkit.load": python(programs.OUR_LOAD, one),
        "PPO.load": python(programs.SB3_LOAD, _alone(one), "PPO"),
        "torch.load of its policy.pth": python(programs.TORCH_LOAD, policy),
        "import torch": python("import torch"),
    }
    yield in_turn("Load one agent", commands, plan.runs)


def _alone(path: Path) -> Path:
    folder = path.with_suffix("")
    return folder if folder.exists() else inputs.copies(path, folder, 1)


def _validate(plan: Plan) -> Iterator[Table]:
    bundle = plan.folder / "ppo-bundle"
    made = ours("convert", plan.folder / "ppo.zip", "--to", "deploy", "-o", bundle)
    in_turn("(a bundle to validate)", {"ckptkit": made}, 1)
    schema = ("--base-uri", SCHEMA.as_uri(), "--schemafile", SCHEMA)
    commands = {
        "ckptkit validate --level 1": ours("validate", "--level", "1", bundle),
        "ckptkit validate --level 3": ours("validate", "--level", "3", bundle),
        "check-jsonschema": peer("check-jsonschema", *schema, bundle / "ckpt.json"),
    }
    note = "check-jsonschema looks at the manifest alone; level 3 compares every byte of every file as well."
    yield in_turn("Validate one bundle", commands, plan.runs, note=note)
    folder = inputs.copies(bundle, plan.folder / "bundles", plan.bundles)
    manifests = sorted(folder.rglob("ckpt.json"))
    commands = {
        "ckptkit validate --no-cache": ours("validate", "--no-cache", folder),
        "ckptkit validate, nothing has changed": ours("validate", folder),
        "check-jsonschema": peer("check-jsonschema", *schema, *manifests),
    }
    in_turn("(results to remember)", {"ckptkit": ours("validate", folder)}, 1)
    yield in_turn(f"Validate {plan.bundles:,} bundles", commands, max(1, plan.runs // 2))


def _export(plan: Plan) -> Table:
    agent, out = inputs.agent(plan.folder / "dqn.zip", "DQN"), plan.folder / "onnx"
    commands = {
        "ckptkit export onnx": ours("export", "onnx", agent, "-o", out / "ours.onnx"),
        "torch.onnx.export (dynamo)": python(programs.TORCH_EXPORT, out / "theirs.onnx", "on"),
        "torch.onnx.export (dynamo=False)": python(programs.TORCH_EXPORT, out / "theirs.onnx", "off"),
    }
    note = (
        "ckptkit reads the agent's zip, recovers the network and compares outputs; torch is given the module."
    )
    return in_turn("Export a DQN of Atari size to ONNX", commands, plan.runs, note=note, before=empty(out))


def _start_up(plan: Plan) -> Table:
    commands = {
        "ckptkit --help": ours("--help"),
        "ckptkit inspect (17 KB bundle)": ours("inspect", plan.folder / "ppo-bundle"),
        "python -c pass": python("pass"),
        "picklescan --help": peer("picklescan", "--help"),
        "fickling --help": peer("fickling", "--help"),
        "modelscan --help": peer("modelscan", "--help"),
        "model_signing --help": peer("model_signing", "--help"),
        "check-jsonschema --help": peer("check-jsonschema", "--help"),
        "import torch": python("import torch"),
        "import stable_baselines3": python("import stable_baselines3"),
    }
    return in_turn("Start", commands, plan.runs)
