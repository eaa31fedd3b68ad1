"""What is said of each module is what torch made it with, or that is among the alternatives."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torch import nn

from ckptkit.model.recovered import Recovered, Status
from tests.recovery.generic.nets import KINDS, recovered, truths

Weights = dict[str, torch.Tensor]


def verdicts(net: nn.Module, found: Recovered) -> Iterator[tuple[str, str]]:
    """Yield each module's path with `exact`, `within`, or what is wrong."""
    for path, said in truths(net).items():
        field = found.config[f"modules.{path}"]
        if field.status is Status.PROVEN:
            yield path, "exact" if field.value == said else f"{field.value} is proven, and it is {said}"
        else:
            among = said in (field.value, *field.alternatives)
            yield path, "within" if among else f"{said} is not among {field}"


def cast(weights: Weights) -> Weights:
    return {name: value.half() if value.is_floating_point() else value for name, value in weights.items()}


def without_buffers(weights: Weights) -> Weights:
    dropped = ("num_batches_tracked", "epsilon_input", "epsilon_output")
    return {name: value for name, value in weights.items() if not name.endswith(dropped)}


def without_statistics(weights: Weights) -> Weights:
    dropped = ("num_batches_tracked", "running_mean", "running_var")
    return {name: value for name, value in weights.items() if not name.endswith(dropped)}


VARIANTS: dict[str, Callable[[Weights], Weights]] = {
    "as it is": dict,
    "wrapped": lambda weights: {f"module._orig_mod.{name}": value for name, value in weights.items()},
    "reversed": lambda weights: dict(reversed(weights.items())),
    "cast": cast,
    "without buffers": without_buffers,
    "without statistics": without_statistics,
}


@pytest.mark.parametrize("variant", list(VARIANTS))
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_the_truth_is_proven_or_among_the_candidates(
    kind: Callable[[], Iterator[nn.Module]], variant: str, tmp_path: Path
) -> None:
    count = 0
    for net in kind():
        weights = VARIANTS[variant](dict(net.state_dict()))
        found = recovered(weights, tmp_path)
        wrong = [f"{path}: {said}" for path, said in verdicts(net, found) if said not in ("exact", "within")]
        assert not wrong
        named = [name for field in found.config.values() for name in field.evidence]
        assert set(weights) <= set(named)
        assert found.unexplained == ()
        count += 1
    assert count >= 6


@pytest.mark.parametrize(
    "kind", [kind for kind in KINDS if kind.__name__ != "convolutional"], ids=lambda kind: kind.__name__
)
def test_the_likeliest_candidate_is_the_truth_for_most_modules(
    kind: Callable[[], Iterator[nn.Module]], tmp_path: Path
) -> None:
    """The rank proves nothing; it is what a person reads first."""
    first, count = 0, 0
    for net in kind():
        found = recovered(net.state_dict(), tmp_path)
        for path, said in truths(net).items():
            value = found.config[f"modules.{path}"].value
            same = isinstance(value, dict) and value["type"] == said["type"]
            first, count = first + same, count + 1
    assert first >= 0.8 * count


def test_a_module_whose_tensors_disagree_is_unknown_and_named(tmp_path: Path) -> None:
    count = 0
    for kind in KINDS:
        net = next(kind())
        weights = dict(net.state_dict())
        for name, value in weights.items():
            if "bias" not in name or value.dim() != 1:
                continue
            found = recovered({**weights, name: torch.zeros(len(value) + 1)}, tmp_path)
            own = [field for path, field in found.config.items() if path.startswith("modules.")]
            (field,) = [field for field in own if name in field.evidence]
            assert field.status is not Status.PROVEN, name
            assert found.graph is None
            count += 1
    assert count >= 20


@pytest.mark.parametrize(
    ("leaves", "value"),
    [
        (
            {
                "weight_mu": (3, 4),
                "weight_sigma": (3, 4),
                "bias_mu": (3,),
                "bias_sigma": (3,),
                "weight_epsilon": (3, 4),
            },
            {"noise": "product"},
        ),
        (
            {"mu_w": (3, 4), "sigma_w": (3, 4), "mu_b": (3,), "sigma_b": (3,), "eps_p": (4,), "eps_q": (3,)},
            {"noise": "factors"},
        ),
        (
            {
                "weight": (3, 4),
                "bias": (3,),
                "sigma_weight": (3, 4),
                "sigma_bias": (3,),
                "epsilon_input": (1, 4),
                "epsilon_output": (3, 1),
            },
            {"noise": "factors"},
        ),
    ],
)
def test_noisy_layers_are_known_by_their_usual_spellings(
    leaves: dict[str, tuple[int, ...]], value: dict[str, object], tmp_path: Path
) -> None:
    found = recovered({f"head.{name}": torch.zeros(shape) for name, shape in leaves.items()}, tmp_path)
    field = found.config["modules.head"]
    assert field.status is Status.PROVEN
    assert field.value == {"type": "NoisyLinear", "in_features": 4, "out_features": 3, "bias": True} | value


@pytest.mark.parametrize(
    "wrap", [nn.utils.parametrizations.weight_norm, nn.utils.parametrizations.spectral_norm]
)
@pytest.mark.parametrize("make", [lambda: nn.Linear(3, 5), lambda: nn.Conv2d(3, 6, 3)])
def test_a_computed_weight_is_no_plain_one(
    wrap: Callable[[nn.Module], nn.Module], make: Callable[[], nn.Module], tmp_path: Path
) -> None:
    found = recovered(nn.ModuleDict({"a": wrap(make())}).state_dict(), tmp_path)
    field = found.config["modules.a"]
    assert all(
        one["parametrization"] == wrap.__name__.strip("_") for one in (field.value, *field.alternatives)
    )  # type: ignore[index]
    assert found.parts == ()


def test_a_matrix_stored_the_other_way_is_not_called_proven(tmp_path: Path) -> None:
    """transformers.Conv1D keeps (in, out); a square one beside such is either."""
    weights = {"fc.weight": torch.zeros(4, 8), "fc.bias": torch.zeros(8)}
    weights |= {"proj.weight": torch.zeros(4, 4), "proj.bias": torch.zeros(4)}
    found = recovered(weights, tmp_path)
    assert found.config["modules.fc"].status is Status.UNKNOWN
    assert found.config["modules.proj"].status is Status.CONSTRAINED
    assert found.unexplained == ("fc.weight", "fc.bias")
    assert found.graph is None


def test_what_belongs_to_no_module_is_a_parameter(tmp_path: Path) -> None:
    found = recovered(
        {"log_std": torch.zeros(3), "net.weight": torch.zeros(2, 4), "net.bias": torch.zeros(2)}, tmp_path
    )
    assert found.config["modules.log_std"].value == {"type": "Parameter", "shape": [3], "dtype": "F32"}


def test_a_module_with_a_strange_tensor_is_unknown(tmp_path: Path) -> None:
    weights = {f"a.{name}": value for name, value in nn.Linear(3, 4).state_dict().items()}
    found = recovered({**weights, "a.mask": torch.zeros(4, 3)}, tmp_path)
    assert found.config["modules.a"].status is Status.UNKNOWN
    assert found.config["modules.a"].alternatives == (
        {"type": "Linear", "in_features": 3, "out_features": 4, "bias": True},
    )
    assert found.unexplained == ("a.weight", "a.bias")


def test_integers_are_no_weights(tmp_path: Path) -> None:
    found = recovered({"a.weight": torch.zeros(3, 4, dtype=torch.int8)}, tmp_path)
    assert found.config["modules.a"].status is Status.UNKNOWN
