"""Which files beside a model are opened for its tensors."""

from pathlib import Path

import pytest

from ckptkit.errors import InaccessibleError, LimitExceededError, PointerError, UnreadableCheckpointError
from ckptkit.storage.onnx import beside
from ckptkit.storage.onnx.beside import Beside, Place

GOOD = ["model.data", "./model.data", "a/b/model.data", "weights 1", "onnx__MatMul_12", "größe", "..data"]
BAD = {
    "": "empty",
    "/etc/passwd": "absolute",
    ".//etc/passwd": "absolute",
    "../a": "leaves",
    "a/../b": "leaves",
    "a/..": "leaves",
    "a\\b": "backslash",
    "C:a": "drive",
    "a\0b": "control",
    "a\nb": "control",
    "a//b": "empty part",
    "a/": "empty part",
    "a/./b": "dot",
    "././a": "dot",
    ".": "dot",
}


@pytest.mark.parametrize("location", GOOD)
def test_plain_paths_are_taken(location: str) -> None:
    place = Place({"location": location, "offset": "4096", "length": "16"})
    assert (place.location, place.offset, place.length) == (location.removeprefix("./"), 4096, 16)


@pytest.mark.parametrize("location", BAD)
def test_all_others_are_refused_by_what_is_wrong(location: str) -> None:
    with pytest.raises(UnreadableCheckpointError, match=BAD[location]):
        Place({"location": location})


@pytest.mark.parametrize("key", ["offset", "length"])
@pytest.mark.parametrize("text", ["-1", "0x10", " 8", "8 ", "+8", "08", "1e3", "", "٣", "1_0", "9" * 20])
def test_only_natural_numbers_are_taken(key: str, text: str) -> None:
    with pytest.raises(UnreadableCheckpointError, match="natural"):
        Place({"location": "a", key: text})


def test_what_is_missing_has_its_default() -> None:
    place = Place({"location": "a"})
    assert (place.offset, place.length) == (0, None)


def test_a_file_is_opened_once(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a").write_bytes(b"abc")
    files = Beside(tmp_path / "model.onnx")
    assert files.open("sub/a") is files.open("sub/a")
    assert list(files.files) == ["sub/a"]


def test_links_folders_and_the_model_are_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a").write_bytes(b"abc")
    (tmp_path / "folder").symlink_to("real")
    (tmp_path / "link").symlink_to("real/a")
    (tmp_path / "lost").symlink_to("nowhere")
    (tmp_path / "twin").hardlink_to(tmp_path / "real" / "a")
    (tmp_path / "model.onnx").write_bytes(b"")
    files = Beside(tmp_path / "model.onnx")
    words = {
        "folder/a": "link",
        "link": "link",
        "lost": "link",
        "twin": "hard link",
        "real/a": "hard link",
        "model.onnx": "the model itself",
        "real": "regular file",
        "absent": "no such file",
    }
    for location, word in words.items():
        with pytest.raises(UnreadableCheckpointError, match=word):
            files.open(location)
    with pytest.raises(InaccessibleError):
        files.open("model.onnx/a")
    assert not files.files


def test_a_model_reached_by_a_link_is_read_where_the_link_is(tmp_path: Path) -> None:
    (tmp_path / "blobs").mkdir()
    (tmp_path / "a").write_bytes(b"abc")
    (tmp_path / "blobs" / "0f").write_bytes(b"")
    (tmp_path / "model.onnx").symlink_to("blobs/0f")
    assert Beside(tmp_path / "model.onnx").open("a").size == 3


def test_a_pointer_is_said_to_be_one(tmp_path: Path) -> None:
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize 32\n" % (b"0f" * 32)
    (tmp_path / "a").write_bytes(pointer)
    with pytest.raises(PointerError):
        Beside(tmp_path / "model.onnx").open("a")


def test_files_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beside, "MAX_FILES", 2)
    files = Beside(tmp_path / "model.onnx")
    for name in "abc":
        (tmp_path / name).write_bytes(b"")
    files.open("a")
    files.open("b")
    with pytest.raises(LimitExceededError):
        files.open("c")
