"""Each small parser gives back what was written, and takes or refuses anything else in its own words."""

import base64
import io
import json
import pickle
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ckptkit import api
from ckptkit.api.baselining import read_baseline
from ckptkit.api.configuring import settings as read_settings
from ckptkit.errors import CkptkitError, UsageError
from ckptkit.model.baseline import Accepted
from ckptkit.model.json_lines import lines
from ckptkit.model.settings import Settings
from ckptkit.storage import baseline_file
from ckptkit.storage.pointer import Pointer, parse
from ckptkit.storage.sb3.collected import Collected
from ckptkit.storage.sb3.data import fields
from ckptkit.storage.source import MemorySource
from ckptkit.storage.zip import ZipArchive

ONE_FILE = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
HEX = st.text("0123456789abcdef", min_size=64, max_size=64)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
SCALARS = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | TEXT
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


@given(
    oid=HEX,
    size=st.integers(0, 10**18 - 1),
    more=st.lists(st.integers(0, 9), max_size=3),
    end=st.sampled_from("\n\r"),
)
def test_any_lfs_pointer_is_read(oid: str, size: int, more: list[int], end: str) -> None:
    extra = [f"ext-{number}-x sha256:{oid}" for number in more]
    rows = ["version https://git-lfs.github.com/spec/v1", *extra, f"oid sha256:{oid}", f"size {size}", ""]
    text = ("\r\n" if end == "\r" else "\n").join(rows).encode()
    assert parse(text) == Pointer("git-lfs", "sha256", oid, size)


@given(
    text=st.binary(max_size=80),
    head=st.sampled_from((b"", b"version ", b"outs:\n", b"outs:\n- md5: ", b"\nouts:\n- ")),
)
def test_any_bytes_are_a_pointer_or_none(text: bytes, head: bytes) -> None:
    found = parse(head + text)
    assert found is None or found.kind in ("git-lfs", "dvc")
    assert found is None or found.size is None or 0 <= found.size < 10**18


NAMES = st.text("abcXYZ019._/- é層", min_size=1, max_size=20).filter(lambda name: name == name.strip())
OUTPUTS = st.fixed_dictionaries(
    {"md5": HEX.map(lambda text: text[:32]), "size": st.integers(0, 10**15), "path": NAMES},
    optional={"hash": st.just("md5"), "nfiles": st.integers(1, 9), "isexec": st.booleans(), "desc": TEXT},
)


@given(
    outputs=st.lists(OUTPUTS, min_size=1, max_size=3),
    more=st.dictionaries(st.sampled_from(("md5", "frozen", "wdir")), TEXT),
)
def test_a_dvc_file_means_what_yaml_makes_of_it(
    outputs: list[dict[str, object]], more: dict[str, str]
) -> None:
    """PyYAML writes what DVC writes; the first output counts."""
    text = yaml.safe_dump({**more, "outs": outputs}, sort_keys=False, allow_unicode=True)
    first = yaml.safe_load(text)["outs"][0]
    assert first == outputs[0]
    found = parse(text.encode())
    if len(text.encode()) > 1024:
        return
    assert found is not None
    assert (found.kind, found.size) == ("dvc", first["size"])
    assert (found.algorithm, found.digest) == ("md5", first["md5"])
    assert found.path == first["path"]


KEYS = st.sampled_from(
    [
        "level",
        "strict",
        "select",
        "ignore",
        "fail-on",
        "baseline",
        "lfs",
        "per-path-ignores",
        "max-bytes",
        "x",
        "a.b",
    ]
)
VALUES = st.sampled_from(["CK1", "error", "warning", "skip", "a.json", "**/*.pt", "nan"]) | TEXT
TABLES = st.dictionaries(
    KEYS,
    st.integers(-(2**40), 2**40)
    | st.booleans()
    | VALUES
    | st.lists(VALUES, max_size=3)
    | st.dictionaries(VALUES, st.lists(VALUES)),
    max_size=4,
)


def toml(value: object) -> str:
    match value:
        case bool() | int():
            return json.dumps(value)
        case str():
            return json.dumps(value).replace("\x7f", "\\u007f")
        case list():
            return f"[{', '.join(map(toml, value))}]"
        case dict():
            return "{" + ", ".join(f"{toml(key)} = {toml(item)}" for key, item in value.items()) + "}"
    raise TypeError


@ONE_FILE
@given(table=TABLES, shared=st.booleans())
def test_any_settings_are_taken_or_refused(tmp_path: Path, table: dict[str, object], shared: bool) -> None:
    path = tmp_path / ("pyproject.toml" if shared else "ckptkit.toml")
    text = ("[tool.ckptkit]\n" if shared else "") + "".join(
        f"{toml(k)} = {toml(v)}\n" for k, v in table.items()
    )
    path.write_text(text, encoding="utf-8")
    try:
        stated = tomllib.loads(text)
        found = read_settings(path)
    except (UsageError, tomllib.TOMLDecodeError):
        return
    assert (stated["tool"]["ckptkit"] if shared else stated).keys() == table.keys()
    assert (found.level, found.strict) == (table.get("level"), table.get("strict", False))
    assert isinstance(found, Settings)


@ONE_FILE
@given(
    text=st.binary(max_size=60),
    head=st.sampled_from((b"", b"level = ", b"[tool]\n", b"ignore = ['CK", b"[tool.ckptkit]\n")),
)
def test_any_bytes_are_settings_or_refused(tmp_path: Path, text: bytes, head: bytes) -> None:
    path = tmp_path / "ckptkit.toml"
    path.write_bytes(head + text)
    try:
        read_settings(path)
    except UsageError as error:
        assert error.where == str(path)


WORD = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12).filter(str.strip)
ENTRIES = st.builds(
    Accepted,
    fingerprint=HEX,
    code=st.sampled_from(("CK101", "CK302")),
    path=WORD,
    reason=WORD,
    location=TEXT,
    message=TEXT,
    expires=st.dates().map(str) | st.just(""),
)


@ONE_FILE
@given(entries=st.lists(ENTRIES, max_size=4))
def test_a_baseline_is_read_as_it_was_written(tmp_path: Path, entries: list[Accepted]) -> None:
    path = tmp_path / "baseline.json"
    baseline_file.save(path, entries)
    assert sorted(map(repr, read_baseline(path))) == sorted(map(repr, entries))


@ONE_FILE
@given(document=JSON | st.fixed_dictionaries({"$schema": TEXT, "findings": JSON}))
def test_any_json_is_a_baseline_or_refused(tmp_path: Path, document: object) -> None:
    path = tmp_path / "baseline.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    try:
        read_baseline(path)
    except CkptkitError as error:
        assert error.what


def written(value: object, pointer: str, start: int, depth: int = 0) -> Iterator[tuple[str, int, str]]:
    """Yield pointer, line and text of each value, one a line, as `json.dumps` with an indent has them."""
    yield pointer, start, ""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    line = start
    for key, item in items:
        inside = list(written(item, f"{pointer}/{str(key).replace('~', '~0').replace('/', '~1')}", line + 1))
        yield from inside
        line += json.dumps(item, indent=1).count("\n") + 1


@given(document=JSON, indent=st.integers(1, 4))
def test_every_value_of_a_json_text_has_its_line(document: object, indent: int) -> None:
    text = json.dumps(document, indent=indent)
    wanted = {pointer: line for pointer, line, _ in written(document, "", 1)}
    assert lines(text.encode(), wanted) == wanted


@given(text=st.binary(max_size=60) | st.text('{}[]",:\\a1 \n', max_size=60).map(str.encode), pointer=TEXT)
def test_any_bytes_have_lines(text: bytes, pointer: str) -> None:
    found = lines(text, ["", "/a", "/0/1", pointer])
    assert all(1 <= line <= text.count(b"\n") + 1 for line in found.values())


PLAIN = st.recursive(
    SCALARS | st.binary(max_size=8) | st.integers(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.tuples(inner, inner) | st.dictionaries(TEXT, inner, max_size=3)
    ),
    max_leaves=8,
)


@given(
    plain=st.dictionaries(TEXT, JSON, max_size=3),
    cells=st.dictionaries(TEXT, PLAIN, max_size=3),
    protocol=st.integers(0, 5),
)
def test_the_data_of_an_sb3_zip_is_read_as_it_was_written(
    plain: dict[str, object], cells: dict[str, object], protocol: int
) -> None:
    serialized = {
        name: {":type:": "x", ":serialized:": base64.b64encode(pickle.dumps(value, protocol)).decode()}
        for name, value in cells.items()
    }
    found = fields(json.dumps({**plain, **serialized}).encode(), "data", Collected())
    assert found == {**plain, **cells}


MEMBERS = st.dictionaries(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=12),
    st.binary(max_size=60),
    max_size=5,
)


@given(
    members=MEMBERS, method=st.sampled_from((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)), wide=st.booleans()
)
def test_a_zip_is_read_as_python_wrote_it_or_refused(
    members: dict[str, bytes], method: int, wide: bool
) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in members.items():
            with archive.open(zipfile.ZipInfo(name), "w", force_zip64=wide) as member:
                member.write(data)
    try:
        found = ZipArchive.open(MemorySource(buffer.getvalue(), "x.zip"))
    except CkptkitError:
        assert any(
            not name.isalnum() or len({n.casefold() for n in members}) < len(members) for name in members
        )
        return
    assert {name: found.read(name, 100) for name in found.members} == members


@pytest.mark.parametrize(
    "kept", [b'{"a": "' + b'\\"' * 200_000, b'"' + b"\\" * 400_001, b"[" * 2000, b'{"' * 3000]
)
def test_lines_of_broken_text_are_found_in_one_pass(kept: bytes) -> None:
    assert lines(kept, [""]) == {"": 1}


def test_a_bundle_of_any_manifest_is_checked(tmp_path: Path, bundle: Path) -> None:
    for text in (b"", b"[]", b"{}", b"null", b'{"files": {}}', b'{"tensors": [{}, 1, null]}', b"\xff"):
        (bundle / "ckpt.json").write_bytes(text)
        (result,) = api.validate(bundle).results
        assert result.findings
