"""Training mode: gradients reach every parameter, noise and running statistics move as they should."""

import pytest
import torch

from ckptkit.layers import vocabulary
from tests.layers import networks
from tests.layers.cases import CASES

pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections:UserWarning")
TRAINED = sorted(set(CASES) - {"ArgMax", "Cast", "OneHot", "Round"})


def made(name: str, **attrs: object) -> torch.nn.Module:
    module: torch.nn.Module = vocabulary()[name].torch(networks.full(name, attrs))
    return module


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", TRAINED)
def test_gradients_flow(name: str, seed: int) -> None:
    case = CASES[name](networks.seeded(name, seed))
    layer = made(name, **case.attrs)
    networks.randomise(layer, seed)
    inputs = [x.requires_grad_(x.is_floating_point()) for x in networks.feed(case, 4, seed)]
    found = layer.value if name == "Parameter" else networks.outputs(layer, inputs)[0]
    if not found.requires_grad:
        assert name in ("Parameter", "Add", "Sub", "Mul", "Maximum", "Minimum")
        assert not found.is_floating_point() or layer.buffer
        return
    found.square().sum().backward()
    if name == "Dropout":
        assert (found == 0).any()
    for x in inputs:
        assert x.grad is not None or not x.requires_grad or name in ("LSTM", "GRU", "RNN")
    if isinstance(layer, torch.nn.Module) and name != "BatchRenorm1d":
        assert all(p.grad is not None for p in layer.parameters())


def test_noisy_linear_samples_while_training_only() -> None:
    torch.manual_seed(0)
    layer = made("NoisyLinear", in_features=6, out_features=4)
    x = torch.randn(3, 6)
    assert not torch.equal(layer(x), layer(x))
    layer.eval()
    assert torch.equal(layer(x), layer(x))
    assert torch.equal(layer(x), torch.nn.functional.linear(x, layer.weight_mu, layer.bias_mu))


def test_noisy_linear_has_the_factorised_noise_of_the_paper() -> None:
    torch.manual_seed(1)
    layer = made("NoisyLinear", in_features=5, out_features=3, std_init=0.4)
    bound = 5**-0.5
    assert torch.allclose(layer.weight_sigma, torch.tensor(0.4 * bound))
    assert float(layer.weight_mu.detach().abs().max()) <= bound
    x = torch.randn(2, 5)
    y = layer(x)
    noise = torch.outer(layer.epsilon_output, layer.epsilon_input)
    weight = layer.weight_mu + layer.weight_sigma * noise
    bias = layer.bias_mu + layer.bias_sigma * layer.epsilon_output
    assert torch.allclose(y, x @ weight.T + bias)
    product = made("NoisyLinear", in_features=5, out_features=3, noise="product")
    y = product(x)
    weight = product.weight_mu + product.weight_sigma * product.weight_epsilon
    assert torch.allclose(y, x @ weight.T + product.bias_mu + product.bias_sigma * product.bias_epsilon)
    assert torch.linalg.matrix_rank(product.weight_epsilon) == 1
    # f(e) = sign(e) sqrt|e| of a normal e: its square's mean is that of |e|.
    drawn = []
    for _ in range(4000):
        layer(x)
        drawn.append(layer.epsilon_input.clone())
    squares = torch.cat(drawn).square()
    assert abs(float(squares.mean()) - (2 / torch.pi) ** 0.5) < 0.02


def test_batch_norm_updates_its_statistics_while_training_only() -> None:
    for name, shape in (
        ("BatchNorm1d", (8, 3)),
        ("BatchNorm2d", (8, 3, 2, 2)),
        ("BatchNorm3d", (8, 3, 2, 1, 2)),
    ):
        layer = made(name, num_features=3)
        x = torch.randn(shape) + 2
        layer.eval()(x)
        assert int(layer.num_batches_tracked) == 0
        layer.train()(x)
        axes = [axis for axis in range(x.ndim) if axis != 1]
        assert torch.allclose(layer.running_mean, 0.1 * x.mean(axes))
        assert int(layer.num_batches_tracked) == 1


@pytest.mark.parametrize("affine", [True, False])
def test_batch_renorm_is_that_of_sb3_contrib(affine: bool) -> None:
    from sb3_contrib.common.torch_layers import BatchRenorm1d

    torch.manual_seed(2)
    attrs = {"eps": 0.002, "momentum": 0.05, "affine": affine, "warmup_steps": 4}
    ours, theirs = made("BatchRenorm1d", num_features=5, **attrs), BatchRenorm1d(5, **attrs)
    networks.randomise(theirs, 3)
    ours.load_state_dict(theirs.state_dict(), strict=True)
    for step in range(12):
        x = torch.randn(6, 5) * (1 + step) + step
        left, right = x.clone().requires_grad_(), x.clone().requires_grad_()
        a, b = ours(left), theirs(right)
        assert torch.equal(a, b)
        a.square().sum().backward()
        b.square().sum().backward()
        assert torch.equal(left.grad, right.grad)
        for key, value in theirs.state_dict().items():
            assert torch.equal(ours.state_dict()[key], value), key
    assert torch.equal(ours.eval()(x), theirs.eval()(x))


def test_dropout_scales_what_it_keeps() -> None:
    torch.manual_seed(0)
    layer = made("Dropout", p=0.25)
    y = layer(torch.ones(10_000))
    assert y.unique().tolist() == pytest.approx([0, 1 / 0.75])
    assert abs(float((y == 0).float().mean()) - 0.25) < 0.02


def test_embedding_keeps_its_padding_row() -> None:
    layer = made("Embedding", num_embeddings=4, embedding_dim=2, padding_idx=1)
    layer(torch.tensor([0, 1, 1, 3])).sum().backward()
    assert layer.weight.grad[1].tolist() == [0, 0]
    assert layer.weight.grad[0].tolist() == [1, 1]
