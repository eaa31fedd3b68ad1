"""Which image an Asteroids network takes."""

from ckptkit.recovery.asteroids.reading import Reading
from ckptkit.recovery.asteroids.stated import Stated, place
from ckptkit.recovery.evidence import Findings
from ckptkit.recovery.image_sizes import alternatives, behind, described, example, squares

FIELD = "input_shape"


def image(reading: Reading, stated: Stated, findings: Findings) -> tuple[int, ...]:
    """Record the field `input_shape` and return its value; empty where it is open.

    The file's own word comes first, then the user's. Without either the profile takes the smallest
    square that fits, if the user names it: without padding, all pixels beyond it change nothing.
    """
    words = {place(FIELD): stated.config.get(FIELD), "--input-shape": findings.hints.input_shape}
    given = {source: tuple(shape) for source, shape in words.items() if isinstance(shape, list | tuple)}
    for source, shape in given.items():
        if not fits(reading, shape):
            findings.ask(f"which image does it take? {source} says {_typed(shape)}, {_limits(reading)}")
    if len(set(given.values())) > 1:
        said = " and ".join(f"{source} says {_typed(shape)}" for source, shape in given.items())
        findings.ask(f"which image does it take? {said}")
    if given:
        source, shape = next(iter(given.items()))
        if source == "--input-shape":
            findings.assume(FIELD, list(shape), (), source)
        else:
            findings.prove(FIELD, list(shape), source)
        return shape
    return _open(reading, findings)


def fits(reading: Reading, shape: tuple[object, ...]) -> bool:
    """Whether an image of that shape is flattened to the features that the heads take."""
    if len(shape) != 3 or not all(isinstance(size, int) and size > 0 for size in shape):
        return False
    channels, height, width = (int(str(size)) for size in shape)
    places = behind(height, reading.windows) * behind(width, reading.windows)
    return channels == reading.channels and places == reading.places


def _open(reading: Reading, findings: Findings) -> tuple[int, ...]:
    others = alternatives(reading.channels, reading.places, reading.windows)
    square = squares(reading.places, reading.windows)
    if square and findings.family in findings.hints.assume:
        shape = [reading.channels, square[0], square[0]]
        findings.assume(FIELD, shape, [other for other in others if other != shape])
        return tuple(shape)
    weights = [reading.names.source["conv.0.weight"], reading.names.source[_flat(reading)]]
    findings.constrain(FIELD, None, others, *weights, "strides of half the kernel, no padding")
    size = example(reading.channels, reading.places, reading.windows)
    findings.ask(
        f"which image does it take? {_limits(reading)} (give --input-shape C,H,W, for instance "
        f"--input-shape {size})"
    )
    return ()


def _flat(reading: Reading) -> str:
    return f"{reading.heads[0]}.0.{'weight_mu' if reading.noisy else 'weight'}"


def _limits(reading: Reading) -> str:
    return f"{described(reading.channels, reading.places, reading.windows)} fit its weights"


def _typed(shape: tuple[object, ...]) -> str:
    return ",".join(map(str, shape))
