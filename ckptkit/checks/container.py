"""CK311: whether a torch dict is a container of the one form that leaves no byte uncovered."""

from ckptkit.checks import Rule
from ckptkit.model.finding import Severity

RULES = (
    Rule(
        "CK311",
        "container-form",
        Severity.ERROR,
        2,
        "The zip container of a v2 torch dict is not of the one form that the specification allows.",
        "Digests cover the tensors and the pickle. Names, order, padding, dates and flags of a zip lie "
        "outside "
        "of them; with one allowed form for each, no byte of the file can change unnoticed.",
        "Convert again; a file that `torch.save` wrote anew is no longer a verifiable bundle.",
        musts=(
            "TOR-006",
            "TOR-007",
        ),
    ),
)
