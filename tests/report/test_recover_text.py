"""What `recover` found, as a person reads it."""

from pathlib import Path

from ckptkit import report
from ckptkit.model.results import Recovery, Rejection

GOLDEN = Path(__file__).with_name("golden") / "recover.txt"


def field(value: object, status: str, evidence: list[str], *others: object) -> dict[str, object]:
    return {"value": value, "status": status, "evidence": evidence, "alternatives": list(others)}


def conv(**more: int) -> dict[str, object]:
    return {"type": "Conv2d", "in_channels": 4, "kernel_size": [8, 8], "bias": True, **more}


RUN = {"channels": 4, "height": [84, 91], "width": [84, 91]}
FIELDS = {
    "n_action": field(6, "proven", ["fc.2.weight", "model_config.n_action"]),
    "net_arch": field({"pi": [64, 64], "vf": []}, "proven", [f"net.{i}.weight" for i in range(6)]),
    "n_atoms": field(None, "constrained", ["fc.2.weight", "there is no support"], None, 2, 3, 6),
    "input_shape": field(None, "constrained", ["conv.0.weight"], [4, 84, 84], RUN),
    "se_ratio": field(0.25, "constrained", ["fc1.weight"], {"at_least": 0.25, "below": 0.2916666666}),
    "modules.conv": field(
        conv(groups=1),
        "constrained",
        ["conv.weight"],
        conv(groups=2) | {"in_channels": 8},
        {"type": "Conv3d"},
    ),
    "modules.fc": field(None, "unknown", ["fc.weight", "fc.bias"]),
    "modules.gap": field({"indices": [0, 2], "without": [{"from": 1}]}, "proven", ["a.0.weight"]),
    "activation": field("ReLU", "assumed", ["profile asteroids"], "Tanh"),
    "v_min": field(None, "assumed", ["profile asteroids"]),
    "era": field(None, "unknown", [], "E5", "E4"),
    "noise": field(None, "unknown", []),
}
RECOVERY = Recovery(
    path="my runs/dqn.pth",
    format="torch-state-dict",
    family="asteroids",
    fields=FIELDS,
    graph=None,
    unexplained=("curl.W",),
    questions=("which image does it take? (give --input-shape C,H,W)",),
    assumed=("activation = ReLU (profile asteroids)", "an axis = kept (--assume x)"),
    rejected=(Rejection("keisei", "conv.0.weight", "there is no stem.weight"), Rejection("sb3", "", "no")),
)


def test_recover_in_full() -> None:
    assert report.recovery(RECOVERY, "text") == GOLDEN.read_text(encoding="utf-8")


def test_a_value_that_is_assumed_is_said_once() -> None:
    text = report.recovery(RECOVERY, "text")
    assert text.count("ReLU") == 1
    assert "an axis = kept (--assume x)" in text


def test_nothing_is_said_twice_of_layers_that_differ_in_one_thing() -> None:
    (row,) = [line for line in report.recovery(RECOVERY, "text").splitlines() if "modules.conv" in line]
    assert row.endswith("conv.weight; or in_channels 8 groups 2 | Conv3d()")


def test_hostile_names_stay_on_their_line() -> None:
    fields = {"a\nb": field("x\x1b[31m\ny", "proven", ["c\nd"])}
    text = report.recovery(
        Recovery(
            path="p",
            format="f",
            family="g",
            fields=fields,
            graph=None,
            unexplained=(),
            questions=(),
            assumed=(),
            rejected=None,
        ),
        "text",
    )
    assert len(text.splitlines()) == 5
    assert "\x1b" not in text
