"""No manifest, however wrong, makes a check fail in any other way than by a finding."""

import copy
from collections.abc import Iterator

from hypothesis import given, settings
from hypothesis import strategies as st

from ckptkit import checks
from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.finding import Finding
from tests.checks.building import changed, deploy, torch_dict

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12)
    | st.sampled_from(
        [
            "a.bias",
            "a.weight",
            "model.safetensors",
            "../x",
            "/",
            "F32",
            "C64",
            "training",
            "2.0",
            "3.0",
            "\ud800",
        ]
    )
)
KEYS = st.sampled_from(
    ["name", "path", "$tensor", "$float", "$dict", "$ndarray", "alias_of", "shape", "x-a", "role", "offset"]
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)


def places(value: object, path: tuple[object, ...] = ()) -> Iterator[tuple[object, ...]]:
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from places(item, (*path, key))


def replaced(manifest: object, path: tuple[object, ...], value: object) -> object:
    made = copy.deepcopy(manifest)
    if not path:
        return value
    at = made
    for key in path[:-1]:
        at = at[key]  # type: ignore[index]
    at[path[-1]] = value  # type: ignore[index]
    return made


def broken(data: st.DataObject, sound: Checkpoint) -> Checkpoint:
    assert sound.bundle is not None
    manifest: object = sound.bundle.manifest
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(list(places(manifest))))
        manifest = replaced(manifest, path, data.draw(JSON))
    return changed(sound, manifest=manifest if isinstance(manifest, dict) else None)


@settings(deadline=None, max_examples=150)
@given(data=st.data())
def test_any_manifest_gives_findings_that_can_be_reported(data: st.DataObject) -> None:
    sound = data.draw(st.sampled_from([deploy(), torch_dict()]))
    found = checks.run(broken(data, sound), 2, strict=True)
    known = {rule.code for rule in checks.rules()}
    for finding in found:
        assert isinstance(finding, Finding)
        assert finding.code in known
        assert finding.message
        assert finding.path.startswith("out/ppo")
    assert found == checks.settle(found)


def test_deep_and_wide_trees_are_no_trouble() -> None:
    deep: object = {"$tensor": "x"}
    for _ in range(60):
        deep = [deep]
    sound = deploy()
    assert sound.bundle is not None
    wide = {"a": [{"$tuple": [1]}] * 2000, "b": deep}
    manifest = {**(sound.bundle.manifest or {}), "training_info": wide, "training_state": deep}
    assert {f.code for f in checks.run(changed(sound, manifest=manifest), 2)} >= {"CK202", "CK210"}
