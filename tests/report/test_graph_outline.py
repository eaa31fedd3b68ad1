"""How layers become blocks."""

import pytest

from ckptkit.errors import ArchitectureError
from ckptkit.model.architecture import Graph, Layer, ValueType
from ckptkit.report.graph_outline import Block, Kind, outline
from ckptkit.report.graph_routes import routes
from tests.report.graphs import IMAGES, RECURRENT, SQUASHED, linear, plain


def block(graph: Graph, name: str) -> Block:
    (found,) = [one for one in outline(graph).blocks if one.name == name]
    return found


def words(*layers: Layer, x: ValueType | None = None) -> list[str]:
    graph = Graph({"x": x or ValueType("F32", (None, 6))}, layers, {"y": layers[-1].name})
    return [one.words for one in outline(graph).blocks if one.words]


def test_a_sequential_is_one_block_with_its_sizes_activations_and_kernels() -> None:
    found = block(IMAGES, "extractor.cnn")
    assert found.words == "3×36×36 → 8×8×8 → 16×6×6 → 576 (Conv2d 8×8/4 3×3, ReLU)"
    assert found.parameters == (3 * 8 * 8 * 8 + 8) + (8 * 16 * 9 + 16)
    assert found.layers == tuple(f"extractor.cnn.{index}" for index in range(5))


def test_a_shared_module_says_by_whom_and_is_there_once() -> None:
    assert block(IMAGES, "extractor.cnn").shared_by == ("pi_extractor.cnn", "vf_extractor.cnn")
    assert block(IMAGES, "extractor.linear").shared_by == ("pi_extractor.linear",)


def test_each_block_knows_its_part() -> None:
    assert [(one.name, one.kind) for one in outline(IMAGES).blocks] == [
        ("obs", Kind.INPUT),
        ("obs/scaled", Kind.PREPROCESSING),
        ("extractor.cnn", Kind.NETWORK),
        ("extractor.linear", Kind.NETWORK),
        ("action_net", Kind.HEAD),
        ("action_net/argmax", Kind.POSTPROCESSING),
        ("value_net", Kind.HEAD),
        ("action", Kind.OUTPUT),
        ("logits", Kind.OUTPUT),
        ("value", Kind.OUTPUT),
    ]


def test_every_block_comes_after_those_it_takes_from() -> None:
    for graph in (IMAGES, RECURRENT, SQUASHED):
        for index, one in enumerate(outline(graph).blocks):
            assert all(take.block < index for take in one.takes)
            assert bool(one.takes) == (one.kind is not Kind.INPUT)


def test_every_layer_that_is_used_is_in_one_block() -> None:
    for graph in (IMAGES, RECURRENT, SQUASHED):
        found = outline(graph)
        named = [layer for one in (*found.blocks, *found.unused) for layer in one.layers]
        assert len(named) == len(set(named))
        parametric = {layer.name for layer in graph.layers if layer.type in {"Linear", "Conv2d", "LSTM"}}
        assert parametric <= set(named) <= {layer.name for layer in graph.layers}


def test_what_no_output_depends_on_is_folded_by_module() -> None:
    found = {one.name: one.words for one in outline(SQUASHED).unused}
    assert found == {
        "actor.log_std": "32 → 3",
        "critic": "2 networks, each 9 → 16 → 1 (ReLU)",
        "critic_target": "9 → 16 → 1 (ReLU)",
    }
    assert [one.name for one in outline(RECURRENT).unused] == ["critic_state.0", "value_net"]
    assert sum(one.parameters for one in outline(SQUASHED).unused) == 32 * 3 + 3 + 3 * (9 * 16 + 16 + 16 + 1)


def test_a_value_that_two_take_ends_its_block() -> None:
    assert block(SQUASHED, "actor.mu").words == "32 → 3"
    assert block(SQUASHED, "action/low").words == "Tanh, × [2,5,0.5], − 1"


def test_each_output_of_a_recurrent_layer_is_told_apart() -> None:
    found = outline(RECURRENT)
    lstm = next(index for index, one in enumerate(found.blocks) if one.name == "lstm")
    taken = {one.name: take.output for one in found.blocks for take in one.takes if take.block == lstm}
    assert taken == {"pi.net": 0, "next_state.0": 1, "next_state.1": 2}


def test_layers_with_names_of_their_own_keep_them() -> None:
    assert block(
        Graph(
            {"x": ValueType("F32", (None, 6))},
            (
                linear("net.hidden", "x", (6, 4)),
                plain("net.act", "Tanh", "net.hidden"),
                linear("net.out", "net.act", (4, 2)),
            ),
            {"y": "net.out"},
        ),
        "net.{hidden,out}",
    ).words == ("6 → 4 → 2 (Tanh)")


def test_layers_of_no_module_stay_apart() -> None:
    assert words(linear("fc1", "x", (6, 4)), linear("fc2", "fc1", (4, 2))) == ["6 → 4", "4 → 2"]


def test_a_norm_adds_no_size_and_its_buffers_count_as_no_parameters() -> None:
    layers = (
        linear("net.0", "x", (6, 4)),
        Layer("net.1", "BatchNorm1d", ("net.0",), {"num_features": 4}),
        plain("net.2", "ReLU", "net.1"),
    )
    assert words(*layers) == ["6 → 4 (BatchNorm1d, ReLU)"]
    graph = Graph({"x": ValueType("F32", (None, 6))}, layers, {"y": "net.2"})
    assert outline(graph).parameters == 6 * 4 + 4 + 2 * 4


@pytest.mark.parametrize(
    ("layer", "said"),
    [
        (plain("a", "Cast", "x", dtype="I64"), "to I64"),
        (plain("a", "Add", "x", value=-1.5), "− 1.5"),
        (plain("a", "Add", "x", value=[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]), "+ [6 values]"),
        (plain("a", "Div", "x", value=[2.0]), "÷ 2"),
        (plain("a", "Maximum", "x", value=-1.0), "at least -1"),
        (plain("a", "Minimum", "x", value=1.0), "at most 1"),
        (plain("a", "Reshape", "x", shape=[2, 3]), "Reshape to 2×3"),
        (plain("a", "Mean", "x"), "Mean"),
        (plain("a", "LeakyReLU", "x", negative_slope=0.2), "LeakyReLU negative_slope=0.2"),
        (plain("a", "LeakyReLU", "x", negative_slope=0.01), "LeakyReLU"),
        (plain("a", "Mul", "x", "x"), "Mul"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.type,
)
def test_layers_without_parameters_in_words(layer: Layer, said: str) -> None:
    assert words(layer) == [said]


def test_a_malformed_graph_has_no_outline() -> None:
    graph = Graph({"x": ValueType("F32", (None, 6))}, (linear("a", "b", (6, 6)),), {"y": "a"})
    with pytest.raises(ArchitectureError, match="layer a"):
        outline(graph)


def test_an_input_may_look_like_the_output_of_a_layer() -> None:
    graph = Graph({"x:1": ValueType("F32", (None, 6))}, (linear("a", "x:1", (6, 2)),), {"y": "a", "z": "x:1"})
    assert [one.name for one in outline(graph).blocks] == ["x:1", "a", "y", "z"]


def test_the_ways_to_action_and_value_in_one_line() -> None:
    assert routes(outline(IMAGES)) == (
        "actor 3×36×36→8×8×8→16×6×6→576→64→5 (Conv2d, ReLU) · "
        "critic 3×36×36→8×8×8→16×6×6→576→64→1 (Conv2d, ReLU)"
    )
    assert routes(outline(SQUASHED)) == "actor 6→32→32→3 (ReLU) · critic 2 networks, each 9→16→1 (ReLU)"
    assert routes(outline(RECURRENT)) == "action 5→12→20→3 (LSTM, Tanh)"


def test_a_network_in_one_module_is_named_after_it() -> None:
    layers = (linear("q.net.0", "x", (6, 4)), plain("a", "ArgMax", "q.net.0"))
    graph = Graph({"x": ValueType("F32", (None, 6))}, layers, {"action": "a", "q_values": "q.net.0"})
    assert routes(outline(graph)) == "q 6→4"


def test_a_long_way_is_shortened_and_keeps_to_the_most_parameters() -> None:
    layers, x = [linear("in", "x", (6, 2))], "in"
    for index in range(12):
        layers += [linear(f"l{index}", x, (2, 2)), plain(f"s{index}", "Add", x, f"l{index}")]
        x = f"s{index}"
    graph = Graph({"x": ValueType("F32", (None, 6))}, tuple(layers), {"action": x})
    assert routes(outline(graph)) == "action 6→2→2→(8 more)→2→2→2"


def test_a_way_without_parameters_is_no_way() -> None:
    graph = Graph({"x": ValueType("F32", (None, 6))}, (plain("a", "Tanh", "x"),), {"y": "a"})
    assert routes(outline(graph)) == ""


def test_outputs_of_other_names_are_named() -> None:
    graph = Graph({"x": ValueType("F32", (None, 6))}, (linear("a", "x", (6, 2)),), {"q": "a", "r": "x"})
    assert routes(outline(graph)) == "q 6→2"
