"""Whatever ONNX file of a bundle we let pass, onnx reads the bundle's own tensors with it, and nothing else.

The models are seeded changes of a sound one, made in memory.
"""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random

import onnx
import pytest
from onnx import AttributeProto, TensorProto, external_data_helper, helper, numpy_helper

from ckptkit import api
from ckptkit.checks import onnx_file
from ckptkit.checks.deployable import check
from ckptkit.model.checkpoint import Checkpoint
from fuzz.targets import FIXTURES

MODELS = 5000
BUNDLE = FIXTURES / "conformance" / "network" / "bundle"
LOCATIONS = (
    "../model.safetensors",
    "/etc/passwd",
    "model.safetensors/",
    "./model.safetensors",
    "",
    "model.onnx",
)


@cache
def sound() -> tuple[Checkpoint, bytes]:
    return api.read(BUNDLE), (BUNDLE / "model.onnx").read_bytes()


def external(random: Random, model: onnx.ModelProto) -> TensorProto:
    """Return a tensor with its data in a file: the model's own, or a copy elsewhere in it."""
    held = [one for one in model.graph.initializer if one.data_location == TensorProto.EXTERNAL]
    tensor = random.choice(held) if held else model.graph.initializer.add()
    return tensor if random.random() < 0.5 else _PLACES[random.randrange(len(_PLACES))](model, tensor)


def in_attribute(model: onnx.ModelProto, tensor: TensorProto) -> TensorProto:
    model.graph.node.append(helper.make_node("Constant", [], ["more"], value=tensor))
    return model.graph.node[-1].attribute[0].t


def in_list(model: onnx.ModelProto, tensor: TensorProto) -> TensorProto:
    attribute = helper.make_attribute("values", [tensor])
    attribute.t.CopyFrom(TensorProto(name="decoy"))
    model.graph.node[0].attribute.append(attribute)
    return model.graph.node[0].attribute[-1].tensors[0]


def in_subgraph(model: onnx.ModelProto, tensor: TensorProto) -> TensorProto:
    graph = helper.make_graph([], "inner", [], [], [tensor])
    model.graph.node[0].attribute.append(helper.make_attribute("body", graph))
    return model.graph.node[0].attribute[-1].g.initializer[0]


def in_function(model: onnx.ModelProto, tensor: TensorProto) -> TensorProto:
    node = helper.make_node("Constant", [], ["y"], value=tensor)
    model.functions.append(helper.make_function("own", "F", [], ["y"], [node], []))
    return model.functions[-1].node[0].attribute[0].t


def in_sparse(model: onnx.ModelProto, tensor: TensorProto) -> TensorProto:
    sparse = model.graph.sparse_initializer.add(dims=[2])
    sparse.values.CopyFrom(tensor)
    return sparse.values


def in_sparse_attribute(model: onnx.ModelProto, tensor: TensorProto) -> TensorProto:
    attribute = AttributeProto(name="sparse_value", type=AttributeProto.SPARSE_TENSOR)
    attribute.sparse_tensor.values.CopyFrom(tensor)
    model.graph.node[0].attribute.append(attribute)
    return model.graph.node[0].attribute[-1].sparse_tensor.values


_PLACES: list[Callable[[onnx.ModelProto, TensorProto], TensorProto]] = [
    in_attribute, in_list, in_subgraph, in_function, in_sparse, in_sparse_attribute,
]  # fmt: skip


def change(random: Random, model: onnx.ModelProto) -> None:
    tensor = external(random, model)
    if random.random() < 0.5:
        misplace(random, tensor)
        return
    match random.randrange(4):
        case 0:
            tensor.name = random.choice([one.name for one in model.graph.initializer])
        case 1:
            tensor.dims.reverse() if len(tensor.dims) > 1 else tensor.dims.append(1)
        case 2:
            tensor.raw_data = b"\0" * 4
        case _:
            tensor.data_type = random.choice((TensorProto.INT32, TensorProto.FLOAT, TensorProto.BFLOAT16))


def misplace(random: Random, tensor: TensorProto) -> None:
    entries = tensor.external_data
    match random.randrange(4):
        case 0:
            entry = entries[random.randrange(len(entries))]
            entry.value = random.choice((*LOCATIONS, "0", "-1", "8", "99999999999", "0x8", " 8", entry.value))
        case 1:
            del entries[random.randrange(len(entries))]
        case 2:
            entries.add(key=random.choice(("location", "offset", "length")), value=random.choice(LOCATIONS))
        case _:
            shuffled = list(entries)
            random.shuffle(shuffled)
            del entries[:]
            entries.extend(shuffled)


def passes(model: onnx.ModelProto) -> bool:
    return not list(onnx_file._external(sound()[0], model))


def assert_reads_the_bundle(model: onnx.ModelProto) -> int:
    """Assert that each tensor with its data in a file has the values of that name; return how many."""
    tensors, count = sound()[0].tensors, 0
    for tensor in external_data_helper._get_all_tensors(model):
        if external_data_helper.uses_external_data(tensor):
            array = numpy_helper.to_array(tensor, base_dir=str(BUNDLE))
            wanted = tensors[tensor.name]
            assert (array.shape, array.tobytes()) == (wanted.shape, wanted.tobytes())
            count += 1
    return count


def test_every_model_that_passes_reads_the_tensors_of_its_bundle() -> None:
    passed = refused = read = 0
    for number in range(MODELS):
        random, model = Random(number), onnx.load_model_from_string(sound()[1])
        for _ in range(random.randint(1, 2)):
            change(random, model)
        if passes(model):
            passed += 1
            read += assert_reads_the_bundle(model)
        else:
            refused += 1
    assert passed + refused == MODELS
    assert passed >= MODELS // 20
    assert read >= MODELS // 20


@pytest.mark.parametrize("place", _PLACES, ids=lambda place: place.__name__)
def test_a_tensor_outside_is_found_wherever_it_is(place: Callable[..., TensorProto]) -> None:
    model = onnx.load_model_from_string(sound()[1])
    assert passes(model)
    held = next(one for one in model.graph.initializer if one.data_location == TensorProto.EXTERNAL)
    tensor = place(model, held)
    tensor.name = "elsewhere"
    tensor.external_data[0].value = "../secret"
    ((name, message),) = onnx_file._external(sound()[0], model)
    assert name == "elsewhere"
    assert "'../secret'" in message


def test_a_weights_file_that_is_a_link_is_not_run(tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    for path in BUNDLE.iterdir():
        (bundle / path.name).write_bytes(path.read_bytes())
    weights = (bundle / "model.safetensors").rename(tmp_path / "outside.safetensors")
    (bundle / "model.safetensors").symlink_to(weights)
    (result,) = api.validate(bundle, level=4).results
    assert any("link" in finding.message for finding in result.findings)
    assert not any(finding.code.startswith("CK5") for finding in check(api.read(bundle)))
    assert result.level < 4
