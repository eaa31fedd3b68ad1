"""Run a recovered network in ONNX Runtime and in torch, and compare with what is expected."""

from pathlib import Path

import numpy as np
import onnxruntime
import torch

from ckptkit.graph import onnx_model
from ckptkit.graph.torch_module import GraphModule
from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.recovered import Recovered

Arrays = dict[str, np.ndarray]


def session(found: Recovered, checkpoint: Checkpoint) -> onnxruntime.InferenceSession:
    """Return the recovered network in ONNX Runtime."""
    assert found.graph is not None, found.questions
    return opened(onnx_model.build(found.graph, checkpoint.tensors).SerializeToString())


def opened(model: Path | bytes) -> onnxruntime.InferenceSession:
    """Open a model in ONNX Runtime, on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def run_onnx(made: onnxruntime.InferenceSession, feed: Arrays) -> Arrays:
    """Run the model with those of the inputs that it takes."""
    wanted = {given.name for given in made.get_inputs()}
    names = [given.name for given in made.get_outputs()]
    assert wanted <= feed.keys()
    given = {name: value for name, value in feed.items() if name in wanted}
    return dict(zip(names, made.run(None, given), strict=True))


def run_torch(made: GraphModule, feed: Arrays) -> Arrays:
    """Run the module."""
    with torch.no_grad():
        outputs = made(**{name: torch.as_tensor(value) for name, value in feed.items()})
    return {name: value.numpy() for name, value in outputs.items()}


def compare(outputs: Arrays, wanted: Arrays) -> None:
    """Fail unless every wanted output is there: whole numbers equal, others within 1e-5."""
    assert wanted.keys() <= outputs.keys()
    for name, value in wanted.items():
        assert outputs[name].shape == value.shape, name
        if value.dtype.kind in "iub":
            np.testing.assert_array_equal(outputs[name], value, err_msg=name)
        else:
            np.testing.assert_allclose(outputs[name], value, rtol=1e-5, atol=1e-5, err_msg=name)
