"""The default brain: convolutions over a grid, an LSTM, a critic, and scores of action embeddings."""

from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.recovered import Hints, Recovered
from ckptkit.recovery.evidence import Findings
from ckptkit.recovery.metta import network
from ckptkit.recovery.metta.actions import actions
from ckptkit.recovery.metta.described import Described, names_system
from ckptkit.recovery.metta.grid import grid, windows
from ckptkit.recovery.metta.reading import NORMALIZER, Reading
from ckptkit.recovery.metta.units import Unit

USUAL, CRITIC = "ReLU", "Tanh"
SILENT = ("_obs_", "obs_flattener")
"""Components without tensors whose work the graph does, or stands behind."""
CLASSES = {"obs_normalizer": "ObservationNormalizer", "_action_embeds_": "ActionEmbedding", "_core_": "LSTM"}
"""Classes of components that compute by themselves."""
BARE = "torch.nn.modules.module.Module"
"""A class that computes nothing, and so says nothing."""
FIRST, LAST = "0", "1"
ASK = (
    "which activations, strides and order has it? no file names the system that made it (give --assume "
    "metta to take that system's)"
)


def recover(name: str, reading: Reading, checkpoint: Checkpoint, hints: Hints) -> Recovered:
    """Return the architecture of a brain."""
    findings = Findings(name, reading.names, hints, named=names_system(checkpoint))
    described = Described(checkpoint, reading.names)
    _sizes(reading, described, findings)
    actions(reading, checkpoint, findings)
    found = windows(reading, described, findings)
    shape = grid(reading, found, described, findings)
    activations = {unit.name: _activation(unit, described, findings) for unit in reading.units}
    findings.supply("sources", "default")
    _components(reading, described, findings)
    if not findings.profile:
        findings.questions.insert(0, ASK)
    settled = network.Settled(shape, found, activations)
    return findings.result(reading.unexplained, lambda builder: network.draw(builder, reading, settled))


def _sizes(reading: Reading, described: Described, findings: Findings) -> None:
    source = reading.names.source
    findings.prove("channels", reading.channels, source[reading.convolutions[0].weight])
    _normalizer(reading, described, findings)
    for unit in reading.units:
        size = "out_features" if len(unit.shape) == 2 else "out_channels"
        findings.prove(f"{unit.name}.{size}", unit.shape[0], source[unit.weight])
        if len(unit.shape) == 4:
            findings.prove(f"{unit.name}.kernel_size", unit.shape[-1], source[unit.weight])
    core = reading.core
    for field, value in (("hidden_size", core.hidden), ("core_num_layers", core.layers)):
        said = described.agent(field)
        if said is not None and said != value:
            findings.ask(f"which holds? {field} is {said}, and {source[core.weight]} says {value}")
        findings.prove(field, value, source[core.weight])


def _normalizer(reading: Reading, described: Described, findings: Findings) -> None:
    """Record whether the grid is divided; a buffer that is missing may have been dropped with others."""
    field, missing = "obs_normalizer", f"there is no {NORMALIZER}"
    if reading.normalized:
        findings.prove(field, True, reading.own(NORMALIZER))
    elif described.children(""):
        findings.prove(field, False, missing, "the pickled module has no such component")
    elif findings.profile:
        findings.assume(field, False, [True])
    else:
        findings.constrain(field, False, [True], missing)


def _activation(unit: Unit, described: Described, findings: Findings) -> str | None:
    """Record what follows a unit, and return its layer type; None where nothing does, or it is open.

    A component is a Sequential of layer and activation, or the layer alone where its `nonlinearity` is null.
    """
    field = f"{unit.name}.nonlinearity"
    usual = CRITIC if unit.name.startswith("critic_") else USUAL
    if not unit.activated:
        findings.prove(field, None, findings.names.source[unit.weight])
        return None
    holder = unit.path.removesuffix(f".{FIRST}")
    if not described.kind(unit.path):
        findings.supply(field, f"nn.{usual}")
        return usual
    found = described.activation(f"{holder}.{LAST}")
    if found is None or described.children(holder) != [FIRST, LAST]:
        findings.unknown(field)
        own = described.own(holder)
        findings.ask(f"what does {own} compute? it is no layer with an activation that is known")
        return None
    findings.prove(field, f"nn.{found}", described.own(f"{holder}.{LAST}"))
    return found


def _components(reading: Reading, described: Described, findings: Findings) -> None:
    """Ask what components of a pickled agent do that are not those of the default brain."""
    known = {name.partition(".")[0] for name in reading.names.tensors} | set(SILENT)
    head = "MettaActorBig" if reading.head is not None and reading.head.big else "MettaActorSingleHead"
    classes = {**CLASSES, "_action_": head}
    for name in described.children(""):
        kind = described.kind(name)
        usual = classes.get(name, kind.rpartition(".")[2])
        if name not in known or (kind != BARE and kind.rpartition(".")[2] != usual):
            own = described.own(name)
            findings.ask(f"what does {own} ({kind}) do? no {findings.family} network has it")
