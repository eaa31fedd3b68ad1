"""Which observations a policy takes: a flat number of them, or images of a set of sizes."""

from collections.abc import Sequence

from ckptkit.recovery.evidence import Findings
from ckptkit.recovery.image_sizes import alternatives, behind, described, example
from ckptkit.recovery.sb3.policies import COMBINED
from ckptkit.recovery.sb3_policy.drawing import Space, observation
from ckptkit.recovery.sb3_policy.extractors import OWN, WINDOWS, Extractor, Image
from ckptkit.recovery.sb3_policy.reading import Reading

FIELD = "input_shape"
KINDS = ("Discrete", "MultiDiscrete", "MultiBinary", "Dict")
"""Spaces besides a Box that SB3 turns into as many floats; it divides a Box of three axes of bytes by 255."""
TETRIS = (40, 13)


def observe(reading: Reading, findings: Findings) -> Space:
    """Record the fields of the observation, ask what is open, and return the space."""
    extractor = reading.extractor
    if extractor.kind == OWN:
        names = [own for name, own in reading.names.source.items() if name.startswith(f"{extractor.path}.")]
        findings.unknown(FIELD)
        findings.ask(
            f"what does the features extractor compute whose tensors are {', '.join(names[:3])} …? it is a "
            "class of the user's own (no flag says it; `export onnx --module` takes the class itself)"
        )
        return observation(extractor, {})
    if extractor.images:
        return _images(reading, findings)
    return observation(extractor, {}, _flat(reading, findings))


def _flat(reading: Reading, findings: Findings) -> tuple[int, ...]:
    extractor = reading.extractor
    size, evidence = extractor.size, _source(reading, extractor)
    findings.prove("observation_size", size, evidence)
    if findings.profile:
        findings.assume("observation_space", "Box", KINDS)
    else:
        findings.constrain("observation_space", "Box", KINDS, evidence)
    return findings.flat_shape(size, evidence, TETRIS if findings.profile == "tetris" else ())


def _source(reading: Reading, extractor: Extractor) -> str:
    if extractor.evidence:
        return reading.names.source[extractor.evidence]
    columns = [name for name, tensor in reading.tensors.items() if tensor.shape[-1:] == (extractor.size,)]
    return reading.names.source[next((name for name in columns if name != reading.head), reading.head)]


def _images(reading: Reading, findings: Findings) -> Space:
    extractor, given = reading.extractor, findings.hints.input_shape
    _rest(reading, findings)
    chosen = {}
    for key, image in extractor.images.items():
        name = f"{FIELD}.{key}" if key else FIELD
        others = alternatives(image.channels, image.places, WINDOWS)
        weights = [reading.names.source[weight] for weight in image.weights]
        if given is None:
            findings.constrain(name, None, others, *weights, "strides 4, 2, 1, no padding")
            size = example(image.channels, image.places, WINDOWS)
            findings.ask(
                f"which image does {key or 'it'} take? {_limits(image)} (give --input-shape C,H,W, for "
                f"instance --input-shape {size})"
            )
            continue
        findings.assume(name, list(given), (), "--input-shape")
        if not fits(image, given):
            typed = ",".join(map(str, given))
            findings.ask(f"which image does {key or 'it'} take? --input-shape says {typed}, {_limits(image)}")
        chosen[key] = list(given)
    pictures = {key: chosen.get(key, image.smallest) for key, image in extractor.images.items()}
    return observation(extractor, pictures)


def _rest(reading: Reading, findings: Findings) -> None:
    """Ask for what stands beside the images of a Dict; their order is that of its keys."""
    extractor = reading.extractor
    if extractor.kind != COMBINED:
        return
    evidence = reading.names.source[extractor.evidence]
    findings.prove("image_keys", sorted(extractor.images), evidence)
    findings.prove("other_observation_size", extractor.rest, evidence)
    if extractor.rest:
        findings.ask(
            f"which observations stand beside {', '.join(extractor.images)}? {extractor.rest} of "
            f"{extractor.width} features come from inputs that have no tensors (no flag says their keys and "
            "order; the zip with its `data` does)"
        )


def fits(image: Image, shape: Sequence[int]) -> bool:
    """Whether an image of that shape is flattened to the features that its Linear takes."""
    if len(shape) != 3 or min(shape) < 1:
        return False
    places = behind(shape[1], WINDOWS) * behind(shape[2], WINDOWS)
    return shape[0] == image.channels and places == image.places


def _limits(image: Image) -> str:
    return f"{described(image.channels, image.places, WINDOWS)} fit its weights"
