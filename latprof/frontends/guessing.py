"""What goes into a model whose file does not say: guessed from its first layer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from latprof.errors import CaptureFailed
from latprof.frontends.inputs import InputSpec
from latprof.graph import Shape

# How every guess begins in a graph's assumptions.
GUESSED = "input shape assumed to be"

# The size every network of the zoo but Inception and Xception is quoted at.
IMAGE_SIZE = 224
TOKENS = 128  # a paragraph
SAMPLES = 1024  # of a signal in time
CLIP = (16, 112, 112)  # frames, height, width: Tran et al., arXiv:1412.0767 (C3D), section 3.1


@dataclass(frozen=True)
class Layer:
    """A layer with weights, as much of it as tells what goes in.

    Parameters
    ----------
    weight : tuple of int
        Shape of its first weight.
    kind : str
        Its class, as ``torch.nn`` calls it; empty if unknown.
    channels : int or None
        What it takes in, where the weight alone does not tell: ``in_channels`` of a convolution.
    batch_first : bool
        Whether the batch is the first axis of a sequence.
    """

    weight: Shape
    kind: str = ""
    channels: int | None = None
    batch_first: bool = True


def guess_input(
    layers: Iterable[Layer], name: str, *, dtype: str = "float32"
) -> tuple[tuple[InputSpec, ...], str]:
    """An input for the first layer that tells one, and the assumption in words.

    Parameters
    ----------
    layers : iterable of Layer
        In the order in which the model holds them.
    name : str
        Of the model, for errors.
    dtype : str
        Of the model's weights: images and features come in it too.

    Raises
    ------
    CaptureFailed
        If no layer tells.
    """
    layers = list(layers)
    # A class tells more than a shape: (1, 197, 192) may be a kernel or positions to add.
    for layer in [layer for layer in layers if layer.kind in _BY_CLASS] or layers:
        if guess := _BY_CLASS.get(layer.kind) or _BY_SHAPE.get(len(layer.weight)):
            shape, why = guess(layer)
            spec = InputSpec(shape, "int64" if layer.kind in _LOOKUPS else dtype)
            return (spec,), f"{GUESSED} {spec.text}: {why}; --input says otherwise"
    raise CaptureFailed(
        f"cannot guess what {name!r} takes in: it has no convolution, linear or embedding weight. "
        "Say it with --input, as in --input 1x3x224x224 or --input 1x128:int64."
    )


_Guess = Callable[[Layer], tuple[Shape, str]]


def _convolution(*sizes: int, axis: int = 1) -> _Guess:
    def guess(layer: Layer) -> tuple[Shape, str]:
        channels = layer.channels or layer.weight[axis]
        return (1, channels, *sizes), f"its first convolution takes {channels} channels"

    return guess


def _features(layer: Layer) -> tuple[Shape, str]:
    features = layer.channels or layer.weight[-1]
    return (1, features), f"its first weight takes {features} features"


def _tokens(layer: Layer) -> tuple[Shape, str]:
    return (1, TOKENS), f"its first layer looks up {layer.weight[0]} tokens"


def _sequence(layer: Layer) -> tuple[Shape, str]:
    features = layer.channels or layer.weight[-1]
    axes = (1, TOKENS) if layer.batch_first else (TOKENS, 1)
    return (*axes, features), f"its first layer takes sequences of {features} features"


_LOOKUPS = ("Embedding", "EmbeddingBag")

_BY_CLASS: Mapping[str, _Guess] = {
    "Conv1d": _convolution(SAMPLES),
    "Conv2d": _convolution(IMAGE_SIZE, IMAGE_SIZE),
    "Conv3d": _convolution(*CLIP),
    # What begins by growing is fed a point, as the generators of Radford et al., arXiv:1511.06434.
    "ConvTranspose1d": _convolution(1, axis=0),
    "ConvTranspose2d": _convolution(1, 1, axis=0),
    "ConvTranspose3d": _convolution(1, 1, 1, axis=0),
    "Linear": _features,
    "RNN": _sequence,
    "LSTM": _sequence,
    "GRU": _sequence,
    "MultiheadAttention": _sequence,
    **dict.fromkeys(_LOOKUPS, _tokens),
}

# Weights whose layer is unknown: as in a frozen script.
_BY_SHAPE: Mapping[int, _Guess] = {
    2: _features,
    4: _convolution(IMAGE_SIZE, IMAGE_SIZE),
    5: _convolution(*CLIP),
}
