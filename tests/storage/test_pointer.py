"""Pointer files in the place of a checkpoint."""

import pytest

from ckptkit.errors import NotACheckpointError, PointerError
from ckptkit.storage.pointer import Pointer, beside, parse
from ckptkit.storage.probe import Probe

OID = "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393"
LFS = f"version https://git-lfs.github.com/spec/v1\noid sha256:{OID}\nsize 12345\n"
DVC = """outs:
- md5: a304afb96060aad90176268345e10355
  size: 37891850
  hash: md5
  path: model.pth
"""


@pytest.mark.parametrize(
    ("text", "pointer"),
    [
        (LFS, Pointer("git-lfs", "sha256", OID, 12345)),
        (LFS.replace("\n", "\r\n"), Pointer("git-lfs", "sha256", OID, 12345)),
        (LFS.replace("oid", f"ext-0-x sha256:{OID}\noid"), Pointer("git-lfs", "sha256", OID, 12345)),
        (LFS.replace("git-lfs.github", "hawser.github"), Pointer("git-lfs", "sha256", OID, 12345)),
        (LFS.replace(OID, "zz").replace("12345", "-1"), Pointer("git-lfs", "", "", None)),
        (LFS.replace("12345", "9" * 50), Pointer("git-lfs", "sha256", OID, None)),
        (DVC, Pointer("dvc", "md5", "a304afb96060aad90176268345e10355", 37891850, "model.pth")),
        ("md5: 11\nframe: x\n" + DVC, parse(DVC.encode())),
        ("outs:\n- md5: aa.dir\n  path: 'runs'\n- md5: b\n", Pointer("dvc", "md5", "aa", None, "runs")),
        ('outs:\n- etag: "ab"\n  path: m.pt\n', Pointer("dvc", "etag", "ab", None, "m.pt")),
        ("outs:\n- path: m.pt\n", Pointer("dvc", "", "", None, "m.pt")),
    ],
)
def test_pointers(text, pointer):
    assert parse(text.encode()) == pointer


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"version 3\n",
        b"version https://example.org/spec/v1\n",
        b"outs:\n",
        b"outs: [a]\n",
        b"\xff\xfe",
        LFS[8:].encode(),
    ],
)
def test_what_is_no_pointer(text):
    assert parse(text) is None


def test_a_probe_says_what_is_missing_and_how_to_get_it(tmp_path):
    path = tmp_path / "model.pth"
    path.write_text(LFS)
    with pytest.raises(PointerError, match=r"Git LFS pointer.*12345 bytes, sha256 4d7a.*\(git lfs pull\)"):
        _ = Probe(path).head
    path.unlink()
    with pytest.raises(NotACheckpointError):
        Probe(path)
    note = tmp_path / "model.pth.dvc"
    note.write_text(DVC)
    with pytest.raises(PointerError, match=r"DVC pointer of model\.pth.*\(dvc pull\)"):
        Probe(path)
    with pytest.raises(PointerError, match="DVC pointer"):
        _ = Probe(note).head


def test_nothing_beside(tmp_path):
    assert beside(tmp_path / "x.pt") is None
    (tmp_path / "y.pt.dvc").mkdir()
    assert beside(tmp_path / "y.pt") is None
    (tmp_path / "z.pt.dvc").write_text("hello")
    assert beside(tmp_path / "z.pt") is None
