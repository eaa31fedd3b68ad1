"""Every example in the specification holds."""

import hashlib
import json
import re

import pytest

from ckptkit import checks, schema
from ckptkit.digest import Leaf, content_digest, tensor_sha256
from ckptkit.model import ijson
from ckptkit.model.canonical import canonical
from ckptkit.model.dtype import BY_NAME
from ckptkit.model.manifest import bundle_digest, render
from ckptkit.model.tensor import Storage, Tensor, contiguous_strides
from ckptkit.schema.apply import validate_part
from ckptkit.storage.source import MemorySource
from tests.spec import prose

KINDS = ("manifest", "fragment", "invalid", "vectors")


def by_place(blocks: list[prose.Block]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("block", blocks, ids=lambda block: block.place)


def test_there_are_as_many_examples_as_were_written() -> None:
    assert len(prose.documents()) >= 18
    assert len(prose.json_blocks("manifest")) >= 1
    assert len([block for block in prose.json_blocks("fragment") if "invalid" not in block.tags]) >= 7
    assert len(prose.json_blocks("invalid")) >= 10
    assert len(prose.json_blocks("vectors")) == 1


@by_place(prose.blocks())
def test_every_block_says_what_it_is(block: prose.Block) -> None:
    assert block.info.split()[:1] == ["json"], "a block without a language, or not of JSON"
    assert any(kind in block.tags for kind in KINDS), "an untagged JSON block"


@by_place(prose.json_blocks("manifest"))
def test_manifests_are_valid(block: prose.Block) -> None:
    manifest = ijson.parse(block.text.encode())
    assert isinstance(manifest, dict)
    assert schema.validate_manifest(manifest, strict=True) == []
    leaves = [Leaf(t["name"], t["dtype"], tuple(t["shape"]), t["sha256"]) for t in manifest["tensors"]]
    assert manifest["content_digest"] == content_digest(leaves)
    assert render(manifest) == block.text.encode()


@by_place([block for block in prose.json_blocks("fragment") if "invalid" not in block.tags])
def test_fragments_are_valid(block: prose.Block) -> None:
    name, _, part = block.tags["fragment"].partition("#")
    assert validate_part(name, part, ijson.parse(block.text.encode())) == []


@by_place(prose.json_blocks("invalid"))
def test_invalid_examples_are_refused(block: prose.Block) -> None:
    assert checks.find(block.tags["invalid"])
    name, _, part = block.tags.get("fragment", "").partition("#")
    if not name:
        assert ijson.problems(block.text.encode())
        return
    problems = validate_part(name, part, ijson.parse(block.text.encode()))
    assert problems
    assert all(re.search(r"must|lacks|has|not allowed", problem.message) for problem in problems)


def vectors() -> dict[str, object]:
    (block,) = prose.json_blocks("vectors")
    found: dict[str, object] = json.loads(block.text)
    return found


def test_vectors_by_the_text_of_the_specification() -> None:
    """Compute them with nothing but the standard library, as an outsider would."""
    found = vectors()
    hashes = []
    for row in found["tensors"]:
        data = bytes.fromhex(row["data"])
        assert hashlib.sha256(data).hexdigest() == row["sha256"]
        leaf = json.dumps(
            [row["name"], row["dtype"], row["shape"], row["sha256"]],
            ensure_ascii=False,
            separators=(",", ":"),
        )
        leaf_hash = hashlib.sha256(b"\x00" + leaf.encode()).digest()
        assert leaf_hash.hex() == row["leaf_hash"]
        hashes.append((row["name"].encode(), leaf_hash))

    def root(part: list[bytes]) -> bytes:
        if len(part) == 1:
            return part[0]
        split = 1
        while split * 2 < len(part):
            split *= 2
        return hashlib.sha256(b"\x01" + root(part[:split]) + root(part[split:])).digest()

    assert root([digest for _, digest in sorted(hashes)]).hex() == found["content_digest"]
    assert found["content_digest_of_none"] == hashlib.sha256().hexdigest()


def test_vectors_by_the_package() -> None:
    found = vectors()
    leaves = []
    for row in found["tensors"]:
        data, shape, dtype = bytes.fromhex(row["data"]), tuple(row["shape"]), BY_NAME[row["dtype"]]
        storage = Storage(MemorySource(data, row["name"]))
        tensor = Tensor(dtype, shape, contiguous_strides(shape), 0, storage)
        assert tensor.nbytes == len(data)
        assert tensor_sha256(tensor) == row["sha256"]
        leaves.append(Leaf(row["name"], row["dtype"], shape, row["sha256"]))
    assert content_digest(reversed(leaves)) == found["content_digest"]
    assert content_digest(leaves[:1]) == found["content_digest_of_first"] == found["tensors"][0]["leaf_hash"]
    assert content_digest([]) == found["content_digest_of_none"]


def test_the_bundle_digest_of_the_example() -> None:
    (block,) = prose.json_blocks("manifest")
    stated = re.findall(
        r"example in .* is `([0-9a-f]{64})`", (prose.SPEC / "integrity.md").read_text("utf-8")
    )
    assert stated == [bundle_digest(json.loads(block.text))]


def test_canonical_vector() -> None:
    found = vectors()["canonical"]
    made = canonical(found["input"])
    assert made.decode() == found["text"]
    assert hashlib.sha256(made).hexdigest() == found["sha256"]
