"""`ckptkit inspect --graph`, and the network in `ckptkit inspect`."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ckptkit import schema
from tests.conftest import Call
from tests.corpus import CHECKOUT, corpus_files

SB3 = CHECKOUT / "fixtures" / "sb3"
BARE = CHECKOUT / "fixtures" / "torch" / "bare" / "model.pt"


@pytest.fixture
def agent() -> Path:
    """A PPO agent whose network is known from its own file."""
    return SB3 / "ppo" / "model.zip"


def test_a_legacy_agent_is_drawn_and_neither_torch_nor_onnx_is_imported(agent: Path) -> None:
    program = (
        "import sys\n"
        "from ckptkit.cli.app import status\n"
        f"assert status(['inspect', '--graph', {str(agent)!r}]) == 0\n"
        "heavy = {'torch', 'onnx', 'onnxruntime', 'stable_baselines3', 'jsonschema', 'rich'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=CHECKOUT, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    assert "├─ mlp_extractor.policy_net  network" in run.stdout


def test_a_bundle_and_its_source_have_the_same_network(ckptkit: Call, agent: Path, tmp_path: Path) -> None:
    for to, name in (("deploy", "bundle"), ("v2", "agent.pt")):
        assert ckptkit("convert", agent, "--to", to, "-o", tmp_path / name).status == 0
    trees = [
        ckptkit("inspect", "--graph", path) for path in (agent, tmp_path / "bundle", tmp_path / "agent.pt")
    ]
    assert {run.status for run in trees} == {0}
    assert len({run.out.partition("\n")[2] for run in trees}) == 1


@pytest.mark.parametrize("suffix", ["json", "svg", "md", "SVG"])
def test_the_form_follows_the_suffix(ckptkit: Call, agent: Path, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"graph.{suffix}"
    run = ckptkit("inspect", "--graph", agent, "-o", path)
    assert (run.status, run.out, run.err) == (0, "", "")
    printed = ckptkit("inspect", "--graph", agent, "--format", suffix.lower())
    assert printed.out == path.read_text(encoding="utf-8")
    starts = {"json": "{", "svg": "<svg ", "md": "# model.zip\n"}
    assert printed.out.startswith(starts[suffix.lower()])


def test_two_runs_give_the_same_bytes(ckptkit: Call, agent: Path) -> None:
    for form in ("text", "json", "svg", "md"):
        runs = [ckptkit("inspect", "--graph", agent, "--format", form).out for _ in range(2)]
        assert runs[0] == runs[1]


def test_the_json_follows_its_schema_and_its_blocks_hold_every_layer(ckptkit: Call, agent: Path) -> None:
    document = json.loads(ckptkit("inspect", "--graph", agent, "--format", "json").out)
    assert schema.validate("graph-report-1.0", document, strict=True) == []
    held = {layer for block in document["blocks"] + document["unused"] for layer in block["layers"]}
    assert held == {layer["name"] for layer in document["graph"]["layers"]}
    assert document["questions"] == []


def test_several_networks_are_an_array_or_sections(ckptkit: Call, agent: Path) -> None:
    document = json.loads(ckptkit("inspect", "--graph", agent, BARE, "--format", "json").out)
    assert [one["graph"] is None for one in document] == [False, True]
    assert schema.validate("graph-report-1.0", document[1], strict=True) == []
    assert ckptkit("inspect", "--graph", agent, agent, "--format", "md").out.count("\n# ") == 1
    assert ckptkit("inspect", "--graph", agent, agent).out.count("\n\nmodel.zip") == 1


def test_one_svg_holds_one_network(ckptkit: Call, agent: Path) -> None:
    run = ckptkit("inspect", "--graph", agent, BARE, "--format", "svg")
    assert (run.status, run.out) == (2, "")
    assert "one svg holds one network" in run.err


@pytest.mark.parametrize("form", ["svg", "md"])
def test_a_picture_needs_graph(ckptkit: Call, agent: Path, tmp_path: Path, form: str) -> None:
    for arguments in (["--format", form], ["-o", tmp_path / f"x.{form}"]):
        run = ckptkit("inspect", agent, *arguments)
        assert (run.status, run.out) == (2, "")
        assert "--graph" in run.err
    assert not list(tmp_path.iterdir())


def test_without_a_known_network_the_open_question_is_said_and_all_is_well(
    ckptkit: Call, tmp_path: Path
) -> None:
    shown = ckptkit("inspect", "--graph", BARE)
    assert shown.status == 0
    assert "no graph  which network is it?" in shown.out
    for form in ("svg", "md"):
        run = ckptkit("inspect", "--graph", BARE, "-o", tmp_path / f"x.{form}")
        assert (run.status, run.out, run.err) == (0, "", "")
        assert "which network is it?" in (tmp_path / f"x.{form}").read_text(encoding="utf-8")
    assert "network      not known: which network is it?" in ckptkit("inspect", BARE).out


def test_inspect_shows_the_network_and_json_has_it_with_how_sure_it_is(ckptkit: Call, agent: Path) -> None:
    assert "├─ network      actor 3→4→3 (Tanh) · critic 3→4→1 (Tanh)\n" in ckptkit("inspect", agent).out
    document = json.loads(ckptkit("inspect", agent, "--format", "json").out)
    assert document["architecture"]["family"] == "stable-baselines3"
    assert {layer["name"] for layer in document["architecture"]["graph"]["layers"]} >= {
        "action_net",
        "value_net",
    }
    assert document["recovery"]["fields"]["activation_fn"]["status"] == "assumed"
    assert schema.validate("inspect-report-1.0", document, strict=True) == []


def test_an_unsafe_file_has_no_network_and_exits_1(ckptkit: Call) -> None:
    path = next((CHECKOUT / "fixtures" / "conformance" / "sb3-cell-forbidden").glob("*.zip"))
    run = ckptkit("inspect", "--graph", path)
    assert run.status == 1
    assert "no graph" in run.out


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"layers": [{"name": "a", "type": "Nonesuch", "inputs": []}]}, "Nonesuch"),
        ({"layers": [{"name": "a\u001b[2J", "type": "Tanh", "inputs": ["obs"]}]}, ""),
        ({"outputs": [{"name": "action", "value": "nowhere"}]}, "nowhere"),
        ({"inputs": "many"}, ""),
        ({"inputs": [{"name": "obs", "dtype": "F32", "shape": ["batch", 10**30]}]}, ""),
    ],
    ids=["unknown-layer", "control-characters", "no-such-value", "no-list", "huge"],
)
def test_a_malformed_graph_is_said_and_not_drawn(
    ckptkit: Call, agent: Path, tmp_path: Path, change: dict[str, object], says: str
) -> None:
    bundle = tmp_path / "bundle"
    assert ckptkit("convert", agent, "--to", "deploy", "-o", bundle).status == 0
    manifest = json.loads((bundle / "ckpt.json").read_text(encoding="utf-8"))
    manifest["architecture"]["graph"] |= change
    (bundle / "ckpt.json").write_text(
        json.dumps(manifest, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    for arguments in (["--graph"], ["--graph", "--format", "svg"], ["--graph", "--format", "md"], []):
        run = ckptkit("inspect", bundle, *arguments)
        assert run.status in {0, 1}
        assert "malformed" in run.out
        assert says in run.out
        assert "\x1b" not in run.out


def test_what_cannot_be_read_is_no_picture(ckptkit: Call, tmp_path: Path) -> None:
    (tmp_path / "x.pt").write_bytes(b"nothing")
    run = ckptkit("inspect", "--graph", tmp_path / "x.pt", "-o", tmp_path / "x.svg")
    assert run.status == 2
    assert not (tmp_path / "x.svg").exists()


def test_an_output_that_cannot_be_written_is_said(ckptkit: Call, agent: Path, tmp_path: Path) -> None:
    run = ckptkit("inspect", "--graph", agent, "-o", tmp_path / "no" / "x.svg")
    assert run.status == 2
    assert "cannot be written" in run.err


def test_the_terminal_sets_the_width(ckptkit: Call, agent: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wide = ckptkit("inspect", "--graph", agent).out
    monkeypatch.setattr("ckptkit.cli.inspect.terminal_width", lambda _: 50)
    narrow = ckptkit("inspect", "--graph", agent).out
    assert max(map(len, wide.splitlines())) > 50
    assert max(map(len, narrow.splitlines()[1:])) <= 50


@pytest.mark.corpus
def test_every_published_agent_can_be_drawn(ckptkit: Call) -> None:
    paths = corpus_files("sb3_agents", "sb3_cases", suffixes=(".zip",))
    assert len(paths) >= 65
    for path in paths:
        for form in ("text", "svg", "md", "json"):
            run = ckptkit("inspect", "--graph", path, "--format", form)
            assert run.status == 0, run.err
            assert "no graph" not in run.out.lower(), path


@pytest.mark.corpus
def test_what_the_user_vouches_for_answers_the_open_question(ckptkit: Call) -> None:
    (path,) = [path for path in corpus_files("seed_systems") if path.parent.name == "legacy_dqn"]
    unknown = ckptkit("inspect", "--graph", path)
    assert unknown.status == 0
    assert "--assume asteroids" in unknown.out
    known = ckptkit("inspect", "--graph", path, "--assume", "asteroids", "--input-shape", "4,44,44")
    assert known.status == 0
    assert "no graph" not in known.out
    assert "(--input-shape)" in known.out


def test_a_bundle_s_own_word_stands_whatever_the_user_assumes(
    ckptkit: Call, agent: Path, tmp_path: Path
) -> None:
    bundle = tmp_path / "bundle"
    assert ckptkit("convert", agent, "--to", "deploy", "-o", bundle).status == 0
    plain = ckptkit("inspect", "--graph", bundle).out
    assert ckptkit("inspect", "--graph", bundle, "--input-shape", "5", "--assume", "keisei").out == plain


@pytest.mark.parametrize("flag", [("--input-shape", "4,x"), ("--assume", "No Such")])
def test_a_hint_of_no_known_form_is_a_usage_error(ckptkit: Call, agent: Path, flag: tuple[str, str]) -> None:
    assert ckptkit("inspect", agent, *flag).status == 2
