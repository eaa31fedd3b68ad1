"""Networks to draw, and the goldens of their pictures: `python -m tests.report.graphs` writes those anew."""

from pathlib import Path

from ckptkit.model.architecture import Graph, Layer, ValueType
from ckptkit.report.graph_mermaid import markdown
from ckptkit.report.graph_outline import outline
from ckptkit.report.graph_picture import Picture
from ckptkit.report.graph_svg import svg
from ckptkit.report.graph_text import lines
from ckptkit.report.styled import render

GOLDEN = Path(__file__).with_name("golden")


def linear(name: str, x: str, sizes: tuple[int, int], *aliases: str) -> Layer:
    return Layer(name, "Linear", (x,), {"in_features": sizes[0], "out_features": sizes[1]}, aliases)


def conv(name: str, x: str, channels: tuple[int, int], kernel: int, stride: int, *aliases: str) -> Layer:
    sizes = {"in_channels": channels[0], "out_channels": channels[1]}
    return Layer(
        name, "Conv2d", (x,), {**sizes, "kernel_size": [kernel] * 2, "stride": [stride] * 2}, aliases
    )


def plain(name: str, kind: str, *inputs: str, **attrs: object) -> Layer:
    return Layer(name, kind, inputs, attrs)


IMAGES = Graph(
    {"obs": ValueType("U8", (None, 3, 36, 36))},
    (
        plain("obs/cast", "Cast", "obs", dtype="F32"),
        plain("obs/scaled", "Div", "obs/cast", value=255.0),
        conv("extractor.cnn.0", "obs/scaled", (3, 8), 8, 4, "pi_extractor.cnn.0", "vf_extractor.cnn.0"),
        plain("extractor.cnn.1", "ReLU", "extractor.cnn.0"),
        conv("extractor.cnn.2", "extractor.cnn.1", (8, 16), 3, 1, "pi_extractor.cnn.2", "vf_extractor.cnn.2"),
        plain("extractor.cnn.3", "ReLU", "extractor.cnn.2"),
        plain("extractor.cnn.4", "Flatten", "extractor.cnn.3"),
        linear("extractor.linear.0", "extractor.cnn.4", (576, 64), "pi_extractor.linear.0"),
        plain("extractor.linear.1", "ReLU", "extractor.linear.0"),
        linear("action_net", "extractor.linear.1", (64, 5)),
        plain("action_net/argmax", "ArgMax", "action_net"),
        linear("value_net", "extractor.linear.1", (64, 1)),
    ),
    {"action": "action_net/argmax", "logits": "action_net", "value": "value_net"},
)
RECURRENT = Graph(
    {
        "obs": ValueType("F32", (None, 5)),
        "state.0": ValueType("F32", (1, None, 12)),
        "state.1": ValueType("F32", (1, None, 12)),
        "critic_state.0": ValueType("F32", (1, None, 12)),
    },
    (
        plain("state.0/half", "Mul", "state.0", value=0.5),
        Layer("lstm", "LSTM", ("obs", "state.0/half", "state.1"), {"input_size": 5, "hidden_size": 12}),
        linear("pi.net.0", "lstm", (12, 20)),
        plain("pi.net.1", "Tanh", "pi.net.0"),
        linear("action_net", "pi.net.1", (20, 3)),
        linear("value_net", "lstm", (12, 1)),
    ),
    {"action": "action_net", "next_state.0": "lstm:1", "next_state.1": "lstm:2"},
)
SQUASHED = Graph(
    {"obs": ValueType("F32", (None, 6))},
    (
        linear("actor.latent.0", "obs", (6, 32)),
        plain("actor.latent.1", "ReLU", "actor.latent.0"),
        linear("actor.latent.2", "actor.latent.1", (32, 32)),
        plain("actor.latent.3", "ReLU", "actor.latent.2"),
        linear("actor.mu", "actor.latent.3", (32, 3)),
        linear("actor.log_std", "actor.latent.3", (32, 3)),
        plain("action/tanh", "Tanh", "actor.mu"),
        plain("action/range", "Mul", "action/tanh", value=[2.0, 5.0, 0.5]),
        plain("action/low", "Add", "action/range", value=-1.0),
        *(
            layer
            for name in ("critic.qf0", "critic.qf1", "critic_target.qf0")
            for layer in (
                plain(f"{name}/input", "Concat", "obs", "action/tanh"),
                linear(f"{name}.0", f"{name}/input", (9, 16)),
                plain(f"{name}.1", "ReLU", f"{name}.0"),
                linear(f"{name}.2", f"{name}.1", (16, 1)),
            )
        ),
    ),
    {"action": "action/low", "mean_actions": "actor.mu"},
)
HOSTILE_NAMES = (
    'a"b',
    "x<script>alert(1)</script>",
    "end",
    "```",
    "a`b|c",
    "q;#35;&amp;",
    "日本語",
    "e\u202efil",
    "]]></text>",
    "%%{init: 1}%%",
    "o'x\\n",
)
HOSTILE = Graph(
    {'obs "in"': ValueType("F32", (None, 3))},
    tuple(
        linear(name, before, (3, 3))
        for before, name in zip(('obs "in"', *HOSTILE_NAMES), HOSTILE_NAMES, strict=False)
    ),
    {"out<b>": HOSTILE_NAMES[-1]},
)


def drawn(graph: Graph, title: str = "agent.zip", assumed: tuple[str, ...] = ()) -> Picture:
    """Return the picture of a graph."""
    return Picture(f"runs/{title}", title, "sb3-zip · PPO", "f", graph, outline(graph), assumed=assumed)


UNKNOWN = Picture("runs/bare.pt", "bare.pt", "torch-state-dict", questions=("which network is it?",))
PICTURES = {
    "images": drawn(IMAGES, assumed=("activation_fn = ReLU (profile x: its default)",)),
    "recurrent": drawn(RECURRENT),
    "squashed": drawn(SQUASHED),
    "unknown": UNKNOWN,
}


def renderings(name: str) -> dict[str, str]:
    """Return every form of a picture by the name of its golden."""
    picture = PICTURES[name]
    return {
        f"graph_{name}.txt": render(lines(picture), color=False),
        f"graph_{name}_60.txt": render(lines(picture, 60), color=False),
        f"graph_{name}.svg": svg(picture),
        f"graph_{name}.md": markdown(picture),
    }


if __name__ == "__main__":
    for each in PICTURES:
        for file, text in renderings(each).items():
            (GOLDEN / file).write_text(text, encoding="utf-8", newline="\n")
