"""Each rule fires on the fault that it is for, once, and says where it is."""

import copy
import io
import zipfile
from collections.abc import Callable
from dataclasses import replace

import pytest

from ckptkit import checks
from ckptkit.errors import CkptkitError
from ckptkit.model.bundle import HeaderEntry, MemberFacts
from ckptkit.model.checkpoint import Checkpoint, Note, SourceFile
from ckptkit.model.finding import Severity, Verdict
from ckptkit.model.inert import CodeFact, GlobalUse
from ckptkit.model.tensor import Storage, Tensor
from ckptkit.storage.source import MemorySource
from tests.checks import building
from tests.checks.building import (
    bytes_of,
    changed,
    deploy,
    tensor,
    torch_dict,
    with_bytes,
    with_file,
    with_manifest,
    with_row,
)

MODEL, TRAINING = "model.safetensors", "training.safetensors"
LEGACY = Checkpoint(path="ppo.zip", format="sb3-zip", container="zip")
HOSTILE = GlobalUse("posix", "system", "data:policy_kwargs", 17, False, "not on the allow-list")
FUNCTION = CodeFact("function", "linear", "data:lr_schedule")


def flipped(path: str, at: int) -> Checkpoint:
    data = bytearray(bytes_of(deploy(), path))
    data[at] ^= 1
    return with_bytes(deploy(), path, bytes(data))


def without(path: str, problem: str = "missing") -> Checkpoint:
    bundle = deploy().bundle
    assert bundle is not None
    return changed(deploy(), members={**bundle.members, path: MemberFacts(path, None, problem)})


def with_extra(path: str, data: bytes) -> Checkpoint:
    return with_bytes(deploy(), path, data)


def with_header(name: str, entry: HeaderEntry | None) -> Checkpoint:
    bundle = deploy().bundle
    assert bundle is not None
    facts = bundle.members[MODEL]
    entries = {**facts.entries} | ({name: entry} if entry else {})
    if entry is None:
        del entries[name]
    return changed(deploy(), members={**bundle.members, MODEL: replace(facts, entries=entries)})


def with_broken_header() -> Checkpoint:
    bundle = deploy().bundle
    assert bundle is not None
    facts = replace(bundle.members[MODEL], entries={}, problem="the header is not I-JSON")
    return changed(deploy(), members={**bundle.members, MODEL: facts})


def with_alias(**fields: object) -> Checkpoint:
    """Make `a.bias2` an alias of `a.bias` in everything but `fields`."""
    bundle = deploy().bundle
    assert bundle is not None
    assert bundle.manifest is not None
    rows = copy.deepcopy(bundle.manifest["tensors"])
    assert isinstance(rows, list)
    rows.insert(1, {**rows[0], "name": "a.bias2", "alias_of": "a.bias"} | fields)
    files = bundle.manifest["files"]
    assert isinstance(files, list)
    digest = building.manifest_of(rows, files)["content_digest"]
    return with_manifest(deploy(), tensors=rows, content_digest=digest)


def unshared_alias() -> Checkpoint:
    """Return a torch dict whose manifest calls two tensors one, while each has its storage."""
    dtype, shape, data = building.TENSORS["a.bias"]
    sound = torch_dict()
    assert sound.bundle is not None
    assert sound.bundle.manifest is not None
    rows = copy.deepcopy(sound.bundle.manifest["tensors"])
    assert isinstance(rows, list)
    rows.insert(1, {**rows[0], "name": "a.bias2", "alias_of": "a.bias"})
    digest = building.manifest_of(rows, [])["content_digest"]
    held = {**sound.tensors, "a.bias2": tensor(dtype, shape, data)}
    return replace(with_manifest(sound, tensors=rows, content_digest=digest), tensors=held)


def oversized_storage() -> Checkpoint:
    dtype, shape, data = building.TENSORS["a.bias"]
    made = tensor(dtype, shape, data)
    storage = Storage(MemorySource(data + b"hidden!!", "storage"))
    held = Tensor(made.dtype, made.shape, made.strides, 0, storage)
    return replace(torch_dict(), tensors={**torch_dict().tensors, "a.bias": held})


def with_flipped_weights() -> Checkpoint:
    """Return a legacy file, one bit of whose stored member is not what its CRC was made of."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("model/data/0", b"weights")
    data = packed.getvalue().replace(b"weights", b"veights")
    return replace(LEGACY, files=(SourceFile("ppo.zip", "weights", MemorySource(data, "ppo.zip")),))


def with_pointer(digest: str | None) -> Checkpoint:
    """Put a pointer in the place of the model's file; None for the digest that is recorded."""
    bundle = deploy().bundle
    assert bundle is not None
    recorded = building.sha(bytes_of(deploy(), MODEL))
    facts = MemberFacts(MODEL, None, "is a Git LFS pointer", pointer=recorded if digest is None else digest)
    return changed(deploy(), members={**bundle.members, MODEL: facts})


CASES: list[tuple[str, Callable[[], Checkpoint], str]] = [
    ("CK102", lambda: replace(LEGACY, verdict=Verdict.UNSAFE, globals=(HOSTILE,)), "posix.system at byte 17"),
    ("CK102", lambda: replace(LEGACY, verdict=Verdict.UNSAFE), "no checkpoint needs"),
    ("CK103", lambda: replace(LEGACY, verdict=Verdict.CONTAINS_CODE, code=(FUNCTION,)), "linear"),
    ("CK103", lambda: replace(LEGACY, verdict=Verdict.CONTAINS_CODE), "carries code"),
    ("CK107", lambda: replace(LEGACY, notes=(Note("partial-sharing", "a and b overlap"),)), "overlap"),
    ("CK109", lambda: replace(LEGACY, notes=(Note("stray-sidecar", "does not fit"),)), "does not fit"),
    ("CK109", lambda: replace(LEGACY, notes=(Note("stray-statistics", "not applied"),)), "not applied"),
    ("CK110", lambda: with_pointer(None), "oid is the recorded digest"),
    ("CK110", lambda: with_pointer(""), "content is not present"),
    (
        "CK111",
        lambda: replace(LEGACY, verdict=Verdict.CONTAINS_CODE, code=(FUNCTION,), carries_code=True),
        "lr_schedule",
    ),
    ("CK112", lambda: replace(LEGACY, notes=(Note("odd-alignment", "32 bytes"),)), "32 bytes"),
    ("CK113", lambda: replace(LEGACY, notes=(Note("lost-data", "no member data"),)), "no member data"),
    ("CK117", lambda: replace(LEGACY, notes=(Note("custom-operator", "of 'own'"),)), "of 'own'"),
    ("CK116", lambda: replace(LEGACY, notes=(Note("unfinished", "of two agents"),)), "of two agents"),
    (
        "CK201",
        lambda: changed(deploy(), parse_problems=("line 1, column 3: duplicate key",)),
        "duplicate key",
    ),
    ("CK202", lambda: with_manifest(deploy(), preprocessing={}), ""),
    ("CK202", lambda: with_file(deploy(), 0, media_type="safetensors"), ""),
    ("CK203", lambda: with_manifest(deploy(), spec_version="3.1"), "3.1"),
    (
        "CK204",
        lambda: with_manifest(deploy(), critical=["x-lab.sparse"], extensions={"x-lab.sparse": {}}),
        "x-lab.sparse",
    ),
    ("CK205", lambda: with_manifest(deploy(), spec_version="2.7"), "2.7"),
    ("CK206", lambda: with_manifest(deploy(), modle_config={}), "unknown field"),
    ("CK208", lambda: with_lineage_path("../ppo.zip"), "leaves the bundle"),
    ("CK210", lambda: with_manifest(deploy(), training_state=None), "does not refer"),
    ("CK211", lambda: changed(torch_dict(), embedded={"model_config": {"net_arch": [64, 65]}}), "net_arch"),
    ("CK211", lambda: changed(torch_dict(), embedded={"training_info": {"steps": 3.0}}), "steps"),
    ("CK212", lambda: with_file(deploy(), 0, role="weights"), "0 files have the role 'model'"),
    (
        "CK213",
        lambda: with_manifest(
            deploy(), training_info={"mean": {"$ndarray": {"dtype": "<f8", "shape": [2], "data": "AAAA"}}}
        ),
        "training_info",
    ),
    ("CK301", lambda: flipped(MODEL, 70), "steps differs"),
    ("CK301", lambda: flipped(TRAINING, 70), "training_state.optimizer.exp_avg differs"),
    ("CK302", lambda: flipped(MODEL, 3), "differs from its digest"),
    ("CK303", lambda: without(MODEL), "missing"),
    ("CK303", lambda: without(TRAINING, "a symbolic link"), "a symbolic link"),
    ("CK303", lambda: with_pointer("00" * 32), "pointer to other content"),
    ("CK304", lambda: with_bytes(deploy(), MODEL, bytes_of(deploy(), MODEL) + b"\x00"), "longer"),
    ("CK305", lambda: with_manifest(deploy(), content_digest="0" * 64), "content_digest is 0000"),
    ("CK306", lambda: with_extra("README.md", b"# Hello"), "does not list"),
    ("CK307", lambda: with_row(torch_dict(), 0, nbytes=12), "nbytes is 12"),
    ("CK307", lambda: with_row(torch_dict(), 0, file="x.safetensors", offset=0), "do not belong"),
    ("CK308", lambda: with_alias(alias_of="nothing"), "is no tensor"),
    ("CK308", lambda: with_alias(alias_of="a.bias2"), "the tensor itself"),
    ("CK308", lambda: with_alias(shape=[1, 2]), "another shape"),
    ("CK309", lambda: changed(deploy(), actual_digest="cd" * 32), "expected"),
    ("CK309", lambda: changed(deploy(), recorded_digest=""), "missing"),
    ("CK309", lambda: changed(torch_dict(), recorded_digest=""), "ckpt.sha256"),
    ("CK310", lambda: with_header("a.bias", HeaderEntry("F32", (1, 2), 96, 8)), "shape [1, 2]"),
    ("CK310", lambda: with_header("a.bias", None), "does not hold it"),
    ("CK310", lambda: with_header("hidden", HeaderEntry("U8", (1,), 0, 1)), "does not list it"),
    ("CK310", with_broken_header, "not I-JSON"),
    ("CK310", unshared_alias, "storage of its own"),
    ("CK311", oversized_storage, "a.bias"),
    ("CK312", lambda: with_extra("policy.pth", b"\x80\x02}q\x00."), "a pickle"),
    ("CK312", lambda: with_extra("old.zip", b"PK\x03\x04" + bytes(30)), "a zip archive"),
    ("CK313", with_flipped_weights, "CRC"),
]
"""Rule, checkpoint with exactly one fault, and part of the message."""


def with_lineage_path(path: str) -> Checkpoint:
    lineage = copy.deepcopy(building.LINEAGE)
    lineage["files"][0]["path"] = path  # type: ignore[index]
    return with_manifest(deploy(), lineage=lineage)


@pytest.mark.parametrize(
    ("code", "make", "part"), CASES, ids=[f"{c}-{i}" for i, (c, _, _) in enumerate(CASES)]
)
def test_a_fault_gives_its_finding_and_no_other(code: str, make: Callable[[], Checkpoint], part: str) -> None:
    findings = checks.run(make(), 2)
    assert [finding.code for finding in findings] == [code], findings
    assert part in findings[0].message
    assert findings[0].severity is checks.find(code).severity
    assert findings[0].path.startswith(("out/ppo", "ppo.zip"))


@pytest.mark.parametrize("make", [deploy, torch_dict, lambda: LEGACY])
def test_what_has_no_fault_has_no_finding(make: Callable[[], Checkpoint]) -> None:
    assert checks.run(make(), 4, strict=True) == ()


def codes(checkpoint: Checkpoint, **options: bool) -> set[str]:
    return {finding.code for finding in checks.run(checkpoint, 2, **options)}


def test_faults_that_cannot_come_alone() -> None:
    assert codes(with_row(deploy(), 1, name="a.bias")) >= {"CK207"}
    assert codes(with_row(deploy(), 1, name="\ud800")) >= {"CK207"}
    assert codes(with_file(deploy(), 1, path="Model.safetensors")) >= {"CK209", "CK303"}
    assert codes(with_file(deploy(), 1, path="../../etc/passwd")) >= {"CK208"}
    assert codes(with_manifest(deploy(), critical=["x-a"])) >= {"CK204", "CK214"}
    assert codes(with_row(deploy(), 0, offset=10**9)) >= {"CK307"}
    assert codes(with_row(deploy(), 0, offset=97)) >= {"CK307"}
    assert codes(with_row(deploy(), 0, offset=64)) >= {"CK307"}
    assert codes(with_row(deploy(), 0, file=None, offset=None)) >= {"CK307"}
    assert codes(with_row(deploy(), 0, file=TRAINING)) >= {"CK212"}
    assert codes(with_bytes(deploy(), MODEL, bytes_of(deploy(), MODEL)[:-1])) >= {"CK304"}


def _subclasses(kind: type[CkptkitError]) -> list[type[CkptkitError]]:
    return [kind, *(deep for each in kind.__subclasses__() for deep in _subclasses(each))]


RAISED = {error.code for error in _subclasses(CkptkitError)}
UPCOMING = {"CK401"}
"""Codes of errors about architecture graphs; no bundle has a graph yet, so no rule judges one."""


def test_every_rule_fires_somewhere_or_is_raised() -> None:
    together = {"CK207", "CK209", "CK214"}
    # What a network must be has tests of its own (test_architecture.py, test_deployable.py).
    together |= {rule.code for rule in checks.rules() if rule.level >= 3 and rule.code not in RAISED}
    # So have values, figures and surroundings (test_plausibility.py); every rule fires in test_mutants.py.
    together |= {rule.code for rule in checks.rules() if rule.code >= "CK600"} | {"CK115"}
    assert {rule.code for rule in checks.rules()} - {code for code, _, _ in CASES} - RAISED == together
    assert len(checks.rules()) >= 35


def test_every_error_is_explained_by_a_rule() -> None:
    assert RAISED - {rule.code for rule in checks.rules()} <= UPCOMING


def test_a_path_that_escapes_is_reported_once_and_not_looked_for() -> None:
    for path in ("/etc/passwd", "a\\b", "C:model", "a\x00b", "", "a//b", "./a", "x/../../a"):
        found = checks.run(with_file(deploy(), 1, path=path), 2)
        here = [finding for finding in found if finding.location == "/files/1/path"]
        assert [finding.code for finding in here] == ["CK208"]
        assert "CK303" not in {finding.code for finding in found}


def test_strict_makes_an_error_of_an_unknown_field_alone() -> None:
    odd = with_manifest(deploy(), modle_config={}, **{"x-mine": 1}, spec_version="2.1")
    assert {(f.code, f.severity) for f in checks.run(odd, 2)} == {
        ("CK205", Severity.INFO),
        ("CK206", Severity.INFO),
    }
    assert {(f.code, f.severity) for f in checks.run(odd, 2, strict=True)} == {
        ("CK205", Severity.INFO),
        ("CK206", Severity.ERROR),
    }


def test_nothing_is_said_of_the_fields_of_another_major_version() -> None:
    odd = with_manifest(deploy(), spec_version="3.0", tensors="renamed", content_digest=7)
    assert codes(odd) == {"CK203"}


def test_a_lower_level_reads_no_tensor_bytes() -> None:
    class Unreadable(MemorySource):
        def read(self, offset: int, length: int) -> bytes:
            raise AssertionError("a byte was read")

    bundle = deploy().bundle
    assert bundle is not None
    members = {
        path: replace(facts, source=Unreadable(bytes_of(deploy(), path), path))
        for path, facts in bundle.members.items()
    }
    assert checks.run(changed(deploy(), members=members), 1) == ()


def test_damaged_tensors_and_headers_explain_the_digest_of_their_file() -> None:
    assert codes(flipped(MODEL, 70)) == {"CK301"}
    both = with_header("a.bias", HeaderEntry("F32", (1, 2), 96, 8))
    data = bytearray(bytes_of(both, MODEL))
    data[70] ^= 1
    bundle = both.bundle
    assert bundle is not None
    facts = replace(bundle.members[MODEL], source=MemorySource(bytes(data), MODEL))
    assert codes(changed(both, members={**bundle.members, MODEL: facts})) == {"CK301", "CK310"}


def test_every_damaged_tensor_is_named_in_one_run_and_in_order() -> None:
    data = bytes(64) + bytes(len(bytes_of(deploy(), MODEL)) - 64)
    found = [f for f in checks.run(with_bytes(deploy(), MODEL, data), 2) if f.code == "CK301"]
    assert [finding.location for finding in found] == ["a.bias", "a.weight", "steps"]
    assert all("ppo.zip" in finding.fix and "1b3e" in finding.fix for finding in found)


def test_the_order_does_not_depend_on_the_order_of_the_rules() -> None:
    found = checks.run(with_file(with_row(deploy(), 0, offset=97), 1, path="../x"), 2)
    assert list(found) == sorted(found, key=lambda f: (f.path, f.code, f.location, f.message))
    assert checks.settle(reversed(found)) == checks.settle(found + found)


def test_a_torch_dict_names_the_tensor_that_was_changed() -> None:
    dtype, shape, data = building.TENSORS["a.weight"]
    held = {**torch_dict().tensors, "a.weight": tensor(dtype, shape, bytes(len(data)))}
    (finding,) = checks.run(replace(torch_dict(), tensors=held), 2)
    assert (finding.code, finding.path, finding.location) == ("CK301", "out/ppo.pt", "a.weight")


def test_a_tensor_that_repeats_its_storage_is_not_hashed() -> None:
    """Four bytes must not ask for terabytes of work."""
    storage = Storage(MemorySource(bytes(4), "storage"))
    endless = Tensor(tensor("F32", (), bytes(4)).dtype, (2**50,), (0,), 0, storage)
    huge = with_row(torch_dict(), 0, shape=[2**50], nbytes=2**52)
    found = checks.run(replace(huge, tensors={**huge.tensors, "a.bias": endless}), 2)
    assert {finding.code for finding in found} == {"CK305", "CK311"}


def test_an_alias_that_shares_everything_is_sound() -> None:
    assert checks.run(with_alias(), 2) == ()
