"""The reader of bare safetensors files."""

import pytest
import safetensors.torch
import torch

from ckptkit.errors import UnreadableCheckpointError
from ckptkit.model.finding import Verdict
from ckptkit.readers.safetensors import READER
from ckptkit.storage.probe import Probe


def test_reads_tensors_and_metadata(tmp_path):
    path = tmp_path / "weights.bin"
    tensors = {
        "net.0.weight": torch.randn(3, 4),
        "net.0.bias": torch.randn(3).bfloat16(),
        "n": torch.tensor(7),
    }
    safetensors.torch.save_file(tensors, path, {"format": "pt", "steps": "9"})
    probe = Probe(path)
    assert READER.recognises(probe)
    checkpoint = READER.read(probe)
    assert (checkpoint.format, checkpoint.container) == ("safetensors", "safetensors")
    assert checkpoint.verdict is Verdict.DATA_ONLY
    assert checkpoint.training_info == {"metadata": {"format": "pt", "steps": "9"}}
    assert [(f.path, f.role) for f in checkpoint.files] == [("weights.bin", "weights")]
    assert checkpoint.tensors.keys() == tensors.keys()
    for name, tensor in tensors.items():
        found = checkpoint.tensors[name]
        assert found.shape == tuple(tensor.shape)
        assert found.tobytes() == tensor.reshape(-1).view(torch.uint8).numpy().tobytes()


def test_the_format_alone_is_no_training_info(tmp_path):
    path = tmp_path / "w.safetensors"
    safetensors.torch.save_file({"a": torch.ones(1)}, path, {"format": "pt"})
    assert READER.read(Probe(path)).training_info == {}


def test_claims_nothing_else(tmp_path):
    assert not READER.recognises(Probe(tmp_path))
    torch.save({"a": torch.ones(1)}, tmp_path / "a.safetensors")
    assert not READER.recognises(Probe(tmp_path / "a.safetensors"))


def test_a_truncated_file_is_claimed_and_said_to_be_so(tmp_path):
    path = tmp_path / "w.safetensors"
    safetensors.torch.save_file({"a": torch.ones(100)}, path)
    path.write_bytes(path.read_bytes()[:-1])
    assert READER.recognises(Probe(path))
    with pytest.raises(UnreadableCheckpointError, match="truncated"):
        READER.read(Probe(path))
