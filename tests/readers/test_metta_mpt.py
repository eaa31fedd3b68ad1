"""The reader of Metta's .mpt files."""

import io
import zipfile

import pytest
import safetensors.torch
import torch

from ckptkit.errors import UnreadableCheckpointError
from ckptkit.readers.metta_mpt import READER
from ckptkit.storage.probe import Probe
from tests.corpus import corpus_files

TEXT = (
    "metta.agent.policies.vit.ViTConfig(action={'class_path': 'a.B', 'in_key': 'logits'}, "
    "components=[metta.x.MLPConfig(hidden=[256], std=1.0, out=None), {'d': -1e-3, 't': (1, 'é\\n')}], "
    "flag=False)"
)
TENSORS = {"net.weight": torch.randn(40, 40), "net.bias": torch.zeros(40), "steps": torch.tensor(3)}


def made(path, text=TEXT, method=zipfile.ZIP_DEFLATED, **more):
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("weights.safetensors", safetensors.torch.save(TENSORS))
        archive.writestr("modelarchitecture.txt", text)
        for name, data in more.items():
            archive.writestr(name, data)
    return Probe(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])
def test_reads_weights_and_architecture(tmp_path, method):
    probe = made(tmp_path / "m.mpt", method=method)
    assert READER.recognises(probe)
    checkpoint = READER.read(probe)
    assert (checkpoint.format, checkpoint.container) == ("metta-mpt", "zip")
    for name, tensor in TENSORS.items():
        assert checkpoint.tensors[name].tobytes() == tensor.reshape(-1).view(torch.uint8).numpy().tobytes()
    assert checkpoint.model_config == {
        "class_path": "metta.agent.policies.vit.ViTConfig",
        "action": {"class_path": "a.B", "in_key": "logits"},
        "components": [
            {"class_path": "metta.x.MLPConfig", "hidden": [256], "std": 1.0, "out": None},
            {"d": -0.001, "t": (1, "é\n")},
        ],
        "flag": False,
    }
    assert checkpoint.notes == ()


@pytest.mark.parametrize(
    "text", ["", "ViT", "__import__('os').system('x')", "f(1)", "f(a=1", "f(a=b)", "[" * 9999]
)
def test_what_is_no_configuration_is_kept_as_text(tmp_path, text):
    checkpoint = READER.read(made(tmp_path / "m.mpt", text))
    assert checkpoint.model_config == {"modelarchitecture": text}
    assert [note.kind for note in checkpoint.notes] == ["unparsed-architecture"]


def test_more_members_are_noted(tmp_path):
    checkpoint = READER.read(made(tmp_path / "m.mpt", extra=b"1"))
    assert [(note.kind, note.location) for note in checkpoint.notes] == [("unknown-member", "extra")]


def test_text_that_is_not_utf8(tmp_path):
    with pytest.raises(UnreadableCheckpointError, match=r"modelarchitecture\.txt: is not UTF-8"):
        READER.read(made(tmp_path / "m.mpt", b"\xff"))


def test_claims_only_zips_with_both_members(tmp_path):
    assert not READER.recognises(Probe(tmp_path))
    path = tmp_path / "w.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("weights.safetensors", b"")
    assert not READER.recognises(Probe(path))
    (tmp_path / "t").write_bytes(b"hello")
    assert not READER.recognises(Probe(tmp_path / "t"))


def test_a_corrupt_deflated_member_is_refused(tmp_path):
    probe = made(tmp_path / "m.mpt")
    member = probe.zip.members["weights.safetensors"]
    data = bytearray(probe.source.read(0, probe.source.size))
    data[member.offset + member.compressed_size // 2] ^= 4
    (tmp_path / "bad.mpt").write_bytes(data)
    with pytest.raises(UnreadableCheckpointError, match=r"weights\.safetensors: .*(corrupt|inflates)"):
        READER.read(Probe(tmp_path / "bad.mpt"))


@pytest.mark.corpus
@pytest.mark.parametrize("path", corpus_files("metta_real", suffixes=[".mpt"]), ids=lambda path: path.name)
def test_real_files(path):
    checkpoint = READER.read(Probe(path))
    with zipfile.ZipFile(path) as archive:
        expected = safetensors.torch.load(io.BytesIO(archive.read("weights.safetensors")).read())
    assert checkpoint.tensors.keys() == expected.keys()
    for name, tensor in expected.items():
        assert checkpoint.tensors[name].tobytes() == tensor.reshape(-1).view(torch.uint8).numpy().tobytes()
    assert "class_path" in checkpoint.model_config
    assert checkpoint.notes == ()
