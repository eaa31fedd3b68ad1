"""Which features extractor stands in front of the networks, and which observations it leaves open."""

from collections.abc import Mapping
from dataclasses import dataclass

from ckptkit.model.tensor import Tensor
from ckptkit.recovery.image_sizes import Window, example
from ckptkit.recovery.relations import UnlikeError
from ckptkit.recovery.sb3.blocks import CONVOLUTIONS
from ckptkit.recovery.sb3.policies import COMBINED, FLATTEN, NATURE
from ckptkit.recovery.sb3.rl_snake import CLASS as LINEAR
from ckptkit.recovery.sb3_policy.kinds import EXTRACTOR, Kind

OWN = ""
"""Stands for the class of a user, of which no tensor says what it computes."""
WINDOWS: tuple[Window, ...] = tuple((kernel, stride) for _, _, kernel, stride in CONVOLUTIONS)
CHANNELS = CONVOLUTIONS[-1][1]


@dataclass(frozen=True, slots=True)
class Image:
    """What one NatureCNN takes.

    Attributes:
        channels: Of the image.
        places: Height times width behind the last convolution.
        weights: Canonical names of the tensors that say so.
    """

    channels: int
    places: int
    weights: tuple[str, str]

    @property
    def smallest(self) -> list[int]:
        """The smallest image of the squarest kind."""
        return [int(size) for size in example(self.channels, self.places, WINDOWS).split(",")]


@dataclass(frozen=True, slots=True)
class Extractor:
    """A features extractor as its tensors tell it.

    Attributes:
        kind: Class name; `OWN` where it is none that is known.
        path: Where it is, or would be.
        width: Features that the networks take.
        size: Numbers of a flat observation; 0 where it is an image or a class of a user.
        images: What each NatureCNN takes, by key of the Dict; by "" where there is only one.
        rest: Features of a Dict that pass through as they are.
        evidence: Canonical name of the tensor that tells `size`, or else `width`.
    """

    kind: str
    path: str
    width: int
    size: int
    images: Mapping[str, Image]
    rest: int
    evidence: str

    def known(self, tensors: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Return the tensors but for those of a user's class."""
        if self.kind != OWN:
            return tensors
        return {name: tensor for name, tensor in tensors.items() if not EXTRACTOR.match(name)}


def read(tensors: Mapping[str, Tensor], kind: Kind, columns: int) -> Extractor:
    """Return the extractor of a policy whose networks take `columns` features.

    Raises:
        UnlikeError: Its tensors have the names of a known class and not its shapes.
    """
    path = next((p for p in kind.extractors if _below(tensors, p)), kind.extractors[0])
    names = _below(tensors, path)
    first = names[0] if names else ""
    parts = {name.partition(".")[0] for name in names}
    if not names and not any(EXTRACTOR.match(name) for name in tensors):
        return Extractor(FLATTEN, path, columns, columns, {}, 0, "")
    if parts == {"cnn", "linear"}:
        image = _image(tensors, path)
        return Extractor(NATURE, path, columns, 0, {"": image}, 0, image.weights[1])
    if parts == {"linear"}:
        return _linear(tensors, path, columns)
    if parts == {"extractors"}:
        return _combined(tensors, path, columns)
    return Extractor(OWN, path, columns, 0, {}, 0, f"{path}.{first}")


def _below(tensors: Mapping[str, Tensor], path: str) -> list[str]:
    return [name[len(path) + 1 :] for name in tensors if name.startswith(f"{path}.")]


def _image(tensors: Mapping[str, Tensor], path: str) -> Image:
    weights = (f"{path}.cnn.0.weight", f"{path}.linear.0.weight")
    shapes = [tensors[name].shape if name in tensors else () for name in weights]
    if len(shapes[0]) != 4 or len(shapes[1]) != 2 or shapes[1][1] % CHANNELS:
        raise UnlikeError("", f"{path} has the names of a NatureCNN and not its shapes", missing=weights[0])
    return Image(shapes[0][1], shapes[1][1] // CHANNELS, weights)


def _linear(tensors: Mapping[str, Tensor], path: str, columns: int) -> Extractor:
    """Return a LinearQNet: all of its layers have the same width."""
    weights = [f"{path}.{name}" for name in _below(tensors, path) if name.endswith(".weight")]
    layers = [name for name in weights if len(tensors[name].shape) == 2]
    layers.sort(key=lambda name: int(name.split(".")[-2]) if name.split(".")[-2].isdecimal() else -1)
    for name in layers:
        if tensors[name].shape[0] != columns:
            raise UnlikeError(name, f"{name} is {list(tensors[name].shape)}, and not [{columns}, …]")
    if not layers:
        raise UnlikeError("", f"there is no {path}.linear.0.weight", missing=f"{path}.linear.0.weight")
    return Extractor(LINEAR, path, columns, tensors[layers[0]].shape[1], {}, 0, layers[0])


def _combined(tensors: Mapping[str, Tensor], path: str, columns: int) -> Extractor:
    """Return the extractor of a Dict: a NatureCNN for each image, everything else as it is."""
    keys = dict.fromkeys(name.split(".")[1] for name in _below(tensors, path))
    images = {key: _image(tensors, f"{path}.extractors.{key}") for key in keys}
    rest = columns - sum(tensors[image.weights[1]].shape[0] for image in images.values())
    weight = next(iter(images.values())).weights[1]
    if rest < 0:
        raise UnlikeError(weight, f"its images alone give more than the {columns} features of the networks")
    return Extractor(COMBINED, path, columns, 0, images, rest, weight)
