"""Broken and hostile SB3 files: each a clear error of our own, or a verdict."""

import base64
import io
import json
import pickle
import struct
import zipfile

import pytest
import torch

from ckptkit.api import recover, validate
from ckptkit.errors import (
    CkptkitError,
    LimitExceededError,
    NotACheckpointError,
    UnknownVersionError,
    UnreadableCheckpointError,
)
from ckptkit.model.finding import Verdict
from ckptkit.model.tree import tensors_in
from ckptkit.readers import find
from ckptkit.storage.probe import Probe
from tests.readers.sb3_models import changed, members, ppo, read, write


class Payload:
    """Pickles as a call that no checkpoint needs and that would do nothing."""

    def __reduce__(self):
        return eval, ("0",)


@pytest.fixture
def good(tmp_path):
    path = tmp_path / "model.zip"
    ppo().save(path)
    return path


def cell(raw):
    return {":type:": "x", ":serialized:": raw if isinstance(raw, str) else base64.b64encode(raw).decode()}


def replaced(path, **content):
    """Rewrite members; `policy_pth` is `policy.pth`."""
    named = {name.replace("_pth", ".pth"): data for name, data in content.items()}
    return write(path, {**members(path), **named})


def test_forbidden_callable_in_a_cell(good, audited):
    checkpoint = read(changed(good, clip_range=cell(pickle.dumps(Payload()))))
    assert checkpoint.verdict is Verdict.UNSAFE
    (use,) = [use for use in checkpoint.globals if not use.allowed]
    assert (use.module, use.name, use.where) == ("builtins", "eval", "data:clip_range")


@pytest.mark.parametrize("field", ["observation_space", "policy_class", "policy_kwargs", "anything"])
def test_forbidden_callable_in_any_field(good, field):
    checkpoint = read(changed(good, **{field: cell(pickle.dumps([Payload()]))}))
    assert checkpoint.verdict is Verdict.UNSAFE


def test_forbidden_callable_in_a_nested_pth(good):
    import io

    import torch

    buffer = io.BytesIO()
    torch.save({"a": Payload()}, buffer)
    for name in ("policy_pth", "pytorch_variables_pth"):
        checkpoint = read(replaced(good, **{name: buffer.getvalue()}))
        assert checkpoint.verdict is Verdict.UNSAFE


BROKEN = {
    "not JSON": ({"data": b"hello"}, "data"),
    "half JSON": ({"data": b'{"a": '}, "data"),
    "no object": ({"data": b"[1]"}, "no JSON object"),
    "not text": ({"data": b'{"a": "\xff"}'}, "UTF-8"),
    "duplicate key": ({"data": b'{"a": 1, "a": 2}'}, "duplicate key"),
    "duplicate inner key": ({"data": b'{"a": {"b": 1, "b": 2}}'}, "duplicate key"),
    "deep": ({"data": b'{"a": ' + b"[" * 5000 + b"]" * 5000 + b"}"}, "deep"),
    "bad base64": ({"data": json.dumps({"a": cell("gAR*")}).encode()}, "base64"),
    "unpadded base64": ({"data": json.dumps({"a": cell("gAR")}).encode()}, "base64"),
    "base64 of another type": ({"data": json.dumps({"a": {":serialized:": 1}}).encode()}, "no string"),
    "truncated cell": ({"data": json.dumps({"a": cell(pickle.dumps([1, 2])[:-3])}).encode()}, "data:a"),
    "bytes behind a cell": ({"data": json.dumps({"a": cell(pickle.dumps(1) + b"more")}).encode()}, "behind"),
    "empty cell": ({"data": json.dumps({"a": cell("")}).encode()}, "data:a"),
    "policy is text": ({"policy_pth": b"hello"}, "policy.pth"),
    "policy is empty": ({"policy_pth": b""}, "policy.pth"),
    "optimizer is text": ({"policy.optimizer_pth": b"hello"}, "policy.optimizer.pth"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_content(good, name):
    content, said = BROKEN[name]
    with pytest.raises(UnreadableCheckpointError) as caught:
        read(replaced(good, **content))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert str(good) in str(caught.value)


def test_broken_data_has_a_way_out_that_works(good, tmp_path):
    broken = replaced(good, data=b"hello")
    with pytest.raises(UnreadableCheckpointError) as caught:
        read(broken)
    assert "ckptkit recover policy.pth --assume stable-baselines3" in caught.value.fix
    (tmp_path / "policy.pth").write_bytes(members(broken)["policy.pth"])
    found = recover(tmp_path / "policy.pth", assume=["stable-baselines3"])
    assert found.family == "sb3-policy"
    assert found.graph is None or found.assumed


def test_too_many_bytes_or_fields_of_data(good, monkeypatch):
    monkeypatch.setattr("ckptkit.storage.sb3.data.MAX_FIELDS", 5)
    with pytest.raises(LimitExceededError, match="fields"):
        read(good)
    monkeypatch.setattr("ckptkit.storage.sb3.data.MAX_BYTES", 100)
    with pytest.raises(LimitExceededError):
        read(good)


@pytest.mark.parametrize("keep", [1, 100, 0.5, 0.9, -1])
def test_truncated_nested_pth(good, keep):
    raw = members(good)["policy.pth"]
    length = int(len(raw) * keep) if isinstance(keep, float) else keep
    with pytest.raises(CkptkitError, match=r"policy\.pth"):
        read(replaced(good, policy_pth=raw[:length]))


def test_policy_that_is_no_state_dict(good):
    import io

    import torch

    buffer = io.BytesIO()
    torch.save([1, 2], buffer)
    with pytest.raises(UnreadableCheckpointError, match="no state dict"):
        read(replaced(good, policy_pth=buffer.getvalue()))


def test_missing_policy(good):
    found = members(good)
    del found["policy.pth"]
    with pytest.raises(UnreadableCheckpointError, match=r"without policy\.pth"):
        read(write(good, found))


def test_stable_baselines_2_is_refused_by_name(tmp_path):
    found = {"data": b"{}", "parameter_list": b"[]", "parameters": b""}
    with pytest.raises(UnknownVersionError, match="Stable-Baselines 2 zip") as caught:
        read(write(tmp_path / "old.zip", found))
    assert caught.value.exit_code == 1


@pytest.mark.parametrize("version", ["3.0.0", "10.1", "two", "", "2", "2.1 \x00", "9" * 100])
def test_unknown_version_is_refused_by_name(good, version):
    with pytest.raises(UnknownVersionError) as caught:
        read(replaced(good, _stable_baselines3_version=version.encode()))
    assert repr(version.strip()[:40])[:-1] in str(caught.value)


@pytest.mark.parametrize("version", ["1.0rc0", "1.3.1a9", "2.0.0a5+local", "2.4.0\n", "0.8.0"])
def test_known_versions(good, version):
    checkpoint = read(replaced(good, _stable_baselines3_version=version.encode()))
    assert checkpoint.format_version == version.strip()
    assert not checkpoint.notes


def test_a_newer_minor_version_is_noted(good):
    checkpoint = read(replaced(good, _stable_baselines3_version=b"2.99.0"))
    assert [note.kind for note in checkpoint.notes] == ["newer-version"]


def test_a_missing_version_is_noted(good):
    found = members(good)
    del found["_stable_baselines3_version"]
    checkpoint = read(write(good, found))
    assert checkpoint.format_version is None
    assert [note.kind for note in checkpoint.notes] == ["no-version"]
    assert "0.9 or later" in checkpoint.notes[0].message


@pytest.mark.parametrize("found", [{"a.txt": b"x"}, {"data": b"x"}, {"sub/policy.pth": b"x"}, {"data": b""}])
def test_other_zips_are_not_claimed(tmp_path, found):
    with pytest.raises(NotACheckpointError):
        find(Probe(write(tmp_path / "some.zip", found)))


def every(checkpoint):
    """Return the bytes of all tensors, as a program takes them."""
    given = {**checkpoint.tensors, **tensors_in(checkpoint.training_state)}
    return {name: tensor.numpy().tobytes() for name, tensor in given.items()}


def test_a_flipped_byte_is_found_by_its_member(good):
    """By reading, by taking the tensors, or by `validate` where neither of them looks at the byte."""
    ppo(policy_kwargs={"net_arch": [64, 64]}).save(good)
    raw = good.read_bytes()
    sound = every(read(good))
    found = {"reading": 0, "tensors": 0, "validate": 0}
    with zipfile.ZipFile(good) as archive:
        infos = archive.infolist()
    for info in infos:
        name = info.filename
        start = info.header_offset + 30 + sum(struct.unpack_from("<HH", raw, info.header_offset + 26))
        for at in range(start, start + info.file_size, max(info.file_size // 40, 1)):
            good.write_bytes(raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :])
            try:
                checkpoint = read(good)
            except UnreadableCheckpointError as error:
                assert name in str(error)
                found["reading"] += 1
                continue
            try:
                assert every(checkpoint) == sound
            except UnreadableCheckpointError as error:
                assert name in str(error)
                found["tensors"] += 1
                continue
            codes = {finding.code for finding in validate(good).results[0].findings}
            assert "CK313" in codes
            found["validate"] += 1
    assert min(found.values()) > 5
    assert sum(found.values()) > 200


def test_a_flipped_byte_of_a_legacy_stream_is_found_where_it_is_read(good):
    """Such a `policy.pth`, of the oldest releases, has no checksums of its own."""
    stream = io.BytesIO()
    weights = torch.arange(1000.0)
    torch.save({"mlp.weight": weights}, stream, _use_new_zipfile_serialization=False)
    write(good, members(good) | {"policy.pth": stream.getvalue()})
    assert read(good).tensors["mlp.weight"].numpy()[999] == 999
    raw = good.read_bytes()
    at = raw.index(weights.numpy().tobytes()) + 2001
    good.write_bytes(raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :])
    with pytest.raises(UnreadableCheckpointError, match=r"policy\.pth.*CRC"):
        read(good)
