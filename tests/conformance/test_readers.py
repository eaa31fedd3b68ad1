"""Two readers that share no code agree, and the runner sees when one does not."""

import json
import random
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ckptkit.model.manifest import digest_line, render
from conformance import ckptkit_reader, run
from tests.conformance.cases import CASES, FOLDER

ROOT = FOLDER.parents[1]
READER = ROOT / "conformance" / "reader.mjs"
NODE = ["node", str(READER)]
needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
BASES = ("deploy", "small", "aliases", "dtype-f32", "space-dict", "network", "graph-described")
VALUES = [
    *(None, True, 0, 1, -1, 7, 1.5, 2**53 - 1, "", "x", "a/b", "../x", "training_state.q", "w", "actor.bias"),
    *("model.safetensors", "F32", "U8", "0" * 64, [], {}, [1], {"a": 1}, {"$float": "nan"}, {"$tensor": "w"}),
    *({"$tensor": "training_state.optimizer.state.0.exp_avg"}, "training", "model", "2.1", "3.0", ["x-a"]),
]


def own(path: str, case: run.Case) -> tuple[object, ...]:
    """Return what ckptkit answers, of the rules that the second reader has too."""
    return shared(ckptkit_reader.answer(path, case["level"], strict=case["strict"]))


def shared(answer: run.Case) -> tuple[object, ...]:
    notes = [code for code in answer["notes"] if code[:3] in ("CK2", "CK3")]
    return answer["valid"], answer["level"], answer["codes"], notes


@needs_node
def test_the_second_reader_passes_what_it_claims_and_says_what_ckptkit_says() -> None:
    cases = run.load(FOLDER)
    answers = run.ask(NODE, cases)
    verdicts = {path: run.judge(case, answers.get(path)) for path, case in cases.items()}
    claimed = {path for path, verdict in verdicts.items() if verdict != run.UNCLAIMED}
    assert {path: verdicts[path] for path in claimed if verdicts[path]} == {}
    assert len(claimed) >= 405
    assert sum(not cases[path]["valid"] for path in claimed) >= 310
    assert claimed == {
        str(case.path) for case in CASES if (case.path / "ckpt.json").exists() and case.level <= 2
    }
    assert all(answers[path]["why"] for path in cases.keys() - claimed)
    differing = {path for path in claimed if shared(answers[path]) != own(path, cases[path])}
    assert differing == set()


@needs_node
def test_the_readers_agree_on_manifests_that_nobody_wrote(tmp_path: Path) -> None:
    chance = random.Random(20)
    cases = {str(path): {"level": 2, "strict": chance.random() < 0.3} for path in mutants(tmp_path, chance)}
    answers = run.ask(NODE, cases)
    assert len(answers) == len(cases) >= 150
    differing = {path for path in cases if shared(answers[path]) != own(path, cases[path])}
    assert differing == set()


def mutants(folder: Path, chance: random.Random) -> Iterator[Path]:
    """Yield bundles with a manifest in which one or two places were changed, and its true digest."""
    for index in range(150):
        bundle = folder / str(index)
        shutil.copytree(FOLDER / chance.choice(BASES) / "bundle", bundle)
        manifest = json.loads((bundle / "ckpt.json").read_bytes())
        for _ in range(chance.choice([1, 1, 2])):
            change(manifest, chance)
        data = render(manifest)
        (bundle / "ckpt.json").write_bytes(data)
        (bundle / "ckpt.json.sha256").write_bytes(digest_line(data))
        yield bundle


def change(manifest: dict[str, object], chance: random.Random) -> None:
    holder, key = chance.choice(list(places(manifest)))
    match chance.randrange(4):
        case 0:
            del holder[key]
        case 1 if isinstance(holder, list):
            holder.append(holder[key])
        case 2 if isinstance(holder, dict):
            holder[chance.choice(["x-y", "zz", "$t", "file", "alias_of", "offset"])] = chance.choice(VALUES)
        case _:
            holder[key] = chance.choice(VALUES)


def places(value: object) -> Iterator[tuple[object, object]]:
    """Yield each (container, key or index) of a JSON value."""
    items = value.items() if isinstance(value, dict) else enumerate(value if isinstance(value, list) else ())
    for key, item in items:
        yield value, key
        yield from places(item)


def test_the_second_reader_is_short_and_needs_nothing() -> None:
    text = READER.read_text(encoding="utf-8")
    assert len(text.splitlines()) < 600
    imported = [line.split('"')[1] for line in text.splitlines() if line.startswith("import ")]
    assert imported
    assert all(name.startswith("node:") for name in imported)


def test_ckptkit_speaks_the_contract(capsys: pytest.CaptureFixture[str]) -> None:
    chosen = [case for case in CASES if case.name in ("small", "digest-short", "field-unknown-tensor")]
    for case in chosen:
        options = ["--level", str(case.level), *(["--strict"] if case.strict else [])]
        ckptkit_reader.main([*options, str(case.path)])
        answer = json.loads(capsys.readouterr().out)
        raw = json.loads((case.path.parent / "case.json").read_bytes())
        assert run.judge(raw, answer) == ""
    assert len(chosen) == 3


def vectors(folder: Path) -> Path:
    for name in ("small", "digest-short", "tensor-unaligned"):
        shutil.copytree(FOLDER / name, folder / name)
    return folder


ANSWERS = {
    "yes": '{"path": path, "valid": True, "level": 2, "codes": []}',
    "every rule": '{"path": path, "valid": False, "level": 1, "codes": ["CK301", "CK307", "CK309", "CK310"]}',
    "no level": '{"path": path, "valid": True, "codes": []}',
    "a string": '"valid"',
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS.keys())
def test_a_reader_that_guesses_fails(answer: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program = tmp_path / "reader.py"
    lines = f"import json, sys\nfor path in sys.argv[1:]:\n    print(json.dumps({answer}))\n"
    program.write_text(lines, encoding="utf-8")
    folder = vectors(tmp_path / "vectors")
    assert run.main(["--command", f"{sys.executable} {program}", "--vectors", str(folder)]) == 1
    assert "failed" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["exit(1)", "print('{')", "import os; os.abort()"])
def test_a_reader_that_crashes_fails(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program = tmp_path / "reader.py"
    program.write_text(command, encoding="utf-8")
    words = ["--command", f"{sys.executable} {program}", "--vectors", str(vectors(tmp_path / "vectors"))]
    assert run.main(words) == 1
    assert "small: crashed, or gave no answer" in capsys.readouterr().out


def test_a_reader_that_claims_nothing_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program = tmp_path / "reader.py"
    each = "    print(json.dumps({'path': path, 'claims': False}))\n"
    program.write_text(f"import json, sys\nfor path in sys.argv[1:]:\n{each}", encoding="utf-8")
    words = ["--command", f"{sys.executable} {program}", "--vectors", str(vectors(tmp_path / "vectors"))]
    assert run.main(words) == 1
    assert "fewer than 1" in capsys.readouterr().out


def test_a_command_that_is_not_there_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--command", "no-such-reader", "--vectors", str(vectors(tmp_path / "vectors"))]
    assert run.main(words) == 1
    assert "3 failed" in capsys.readouterr().out
