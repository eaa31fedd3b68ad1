"""Modules with a `weight`, perhaps a `bias`, and nothing else: products, convolutions, embeddings, norms."""

from ckptkit.recovery.generic.norms import affine_norms, vector_norms
from ckptkit.recovery.generic.reading import Context, Module, first, module
from ckptkit.recovery.image_sizes import divisors

WORDS = ("emb", "wte", "wpe", "token", "vocab", "lookup")
"""Parts of names that tables of vectors go by; they rank, and prove nothing."""
Shape = tuple[int, ...]


def plain(path: str, weight: Shape, bias: Shape | None, context: Context) -> list[Module]:
    """Return every module of torch with this weight and bias, the likeliest first.

    Args:
        path: Path of the module, which may look like that of an embedding.
        weight: Shape of `weight`.
        bias: Shape of `bias`; None where there is none.
        context: What stands around it.
    """
    if not weight:
        return []
    if len(weight) == 1:
        return vector_norms(weight[0], bias, context)
    found: list[Module] = []
    if len(weight) == 2:
        found += _products(weight, bias, context)
    elif len(weight) <= 5:
        found += convolutions(weight, bias, context)
    if len(weight) == 3 and bias in (None, weight[:1]):
        sizes = {"in1_features": weight[1], "in2_features": weight[2], "out_features": weight[0]}
        found.append(module("Bilinear", **sizes, bias=bias is not None))
    found += affine_norms(weight, bias)
    embedding = any(word in path.rpartition(".")[2].lower() for word in WORDS)
    return first(found, *(("Embedding", "Linear") if embedding else ("Linear", "Embedding")))


def _products(weight: Shape, bias: Shape | None, context: Context) -> list[Module]:
    rows, columns = weight
    if bias is None:
        table = {"num_embeddings": rows, "embedding_dim": columns}
        return [
            module("Linear", in_features=columns, out_features=rows, bias=False),
            module("Embedding", **table),
            module("EmbeddingBag", **table),
        ]
    found = []
    if bias == (rows,):
        found.append(module("Linear", in_features=columns, out_features=rows, bias=True))
    if bias == (columns,) and (rows != columns or context.transposed_products):
        found.append(module("Linear", in_features=rows, out_features=columns, bias=True, transposed=True))
    return found


def convolutions(weight: Shape, bias: Shape | None, context: Context) -> list[Module]:
    """Return every convolution, of any number of groups, whose weight and bias have these shapes."""
    axes, kernel = len(weight) - 2, list(weight[2:])
    forward, backward = [], []
    if bias is None or bias == weight[:1]:
        for groups in divisors(weight[0]):
            sizes = {"in_channels": weight[1] * groups, "out_channels": weight[0]}
            forward.append(_conv(f"Conv{axes}d", sizes, kernel, groups, bias is not None))
    for groups in divisors(weight[0]):
        sizes = {"in_channels": weight[0], "out_channels": weight[1] * groups}
        if bias is None or bias == (sizes["out_channels"],):
            backward.append(_conv(f"ConvTranspose{axes}d", sizes, kernel, groups, bias is not None))
    depthwise = weight[1] == 1 and context.width == weight[0] > 1 and context.rank > 2
    backwards = context.backwards or (weight[0] != weight[1] and context.width == weight[0])

    def rank(one: Module) -> tuple[bool, bool]:
        turned = one["type"] == f"ConvTranspose{axes}d"
        return (one["groups"] != (weight[0] if depthwise else 1), turned != backwards)

    return sorted([*forward, *backward], key=rank)


def _conv(kind: str, sizes: dict[str, int], kernel: list[int], groups: int, bias: bool) -> Module:
    return module(kind, **sizes, kernel_size=kernel, groups=groups, bias=bias)
