"""What ``NAME?argument=value`` stands for: an entry of the table, its arguments and its input."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from latprof.errors import BadReference, UnknownName
from latprof.zoo.registry import ENTRIES, Shape, ZooEntry

if TYPE_CHECKING:
    from torch import nn

# Arguments of a reference that no factory sees: they choose the input, not the network.
_INPUT_ARGUMENTS = {"input": "input=1x3x160x160", "size": "size=160"}

# What a factory calls the height and width of its input, if the network depends on them. A
# reference says them as size or input.
_IMAGE_SIZE = "image_size"


def parse_reference(reference: str) -> tuple[ZooEntry, dict[str, object], Shape]:
    """Entry, factory arguments and input shape that a reference stands for.

    Parameters
    ----------
    reference : str
        A name of `ENTRIES`, then optionally ``?argument=value&argument=value``. The arguments are
        those of the factory, and one of ``input=1x3x160x160`` and ``size=160``.

    Returns
    -------
    entry : ZooEntry
    arguments : dict
        All that the factory is to be called with: the entry's own arguments and the given ones.
    input_shape : tuple of int
        Batch, channels, height, width. Follows ``in_channels`` (of a block: ``channels``) unless
        ``input`` says all four.

    Raises
    ------
    UnknownName
        If no entry has the name.
    BadReference
        If an argument is unknown, is given twice, or has a value that makes no network.

    Examples
    --------
    >>> entry, arguments, input_shape = parse_reference("mobilenet_v2?num_classes=10&size=96")
    >>> entry.name, arguments, input_shape
    ('mobilenet_v2', {'num_classes': 10}, (1, 3, 96, 96))
    """
    name, has_query, query = reference.partition("?")
    if name not in ENTRIES:
        raise UnknownName("zoo model", name, ENTRIES, hint="`latprof zoo` lists them all.")
    entry = ENTRIES[name]
    if not has_query:  # the common case does without importing the factory, and so torch
        return entry, dict(entry.arguments), entry.input_shape

    texts = _split_query(query, reference)
    input_texts = {key: texts.pop(key) for key in _INPUT_ARGUMENTS if key in texts}
    given = _parse_arguments(entry, texts)
    input_shape = _input_shape(entry, given, input_texts)
    arguments = {**entry.arguments, **given}
    if _IMAGE_SIZE in inspect.signature(_load_factory(entry)).parameters:
        arguments[_IMAGE_SIZE] = input_shape[2:]
    return entry, arguments, input_shape


def build(reference: str) -> tuple[nn.Module, Shape]:
    """Network in eval mode, with random weights, and the shape of its input.

    Weights are made on torch's default device: under ``with torch.device("meta")`` there are none.
    See `parse_reference` for what a reference may say.
    """
    entry, arguments, input_shape = parse_reference(reference)
    try:
        model = _load_factory(entry)(**arguments)
    except (RuntimeError, TypeError, OverflowError) as error:
        # Sizes beyond this machine's memory, beyond 2**63 and beyond a float, in this order.
        reason = str(error).partition("\n")[0]  # behind it, torch may list its C++ frames
        raise BadReference(
            f"{reference!r} could not be built: {reason}. Ask for a smaller network."
        ) from error
    return model.eval(), input_shape


def _split_query(query: str, reference: str) -> dict[str, str]:
    texts: dict[str, str] = {}
    for part in query.split("&"):
        key, _, text = part.partition("=")
        if not key or not text:
            raise BadReference(
                f"cannot read {part!r} in {reference!r}. Write argument=value, and & between two, "
                "as in mobilenet_v2?width_multiplier=0.75&num_classes=10."
            )
        if key in texts:
            raise BadReference(f"{key!r} is given twice in {reference!r}. Give it once.")
        texts[key] = text
    return texts


def _parse_arguments(entry: ZooEntry, texts: Mapping[str, str]) -> dict[str, object]:
    """Values of `texts`, each of the type of its default in the factory's signature."""
    defaults = default_arguments(entry)
    values: dict[str, object] = {}
    for name, text in texts.items():
        if name in entry.arguments:
            raise BadReference(
                f"{name} is part of what {entry.name!r} means and cannot be changed. Choose "
                f"another of the {entry.family} family: {', '.join(_siblings(entry))}."
            )
        if name not in defaults:
            known = ", ".join([*defaults, *_INPUT_ARGUMENTS])
            raise BadReference(f"{entry.name!r} has no argument {name!r}. It has {known}.")
        values[name] = _parse_value(name, text, defaults[name])
    return values


def default_arguments(entry: ZooEntry) -> dict[str, object]:
    """What a reference to `entry` may set beside its input, and what holds otherwise.

    Imports the factory, and so torch.
    """
    return {
        name: parameter.default
        for name, parameter in inspect.signature(_load_factory(entry)).parameters.items()
        if name not in entry.arguments and name != _IMAGE_SIZE
    }


def summary(entry: ZooEntry) -> str:
    """What an entry is, in a line. Imports the factory, and so torch."""
    return (inspect.getdoc(_load_factory(entry)) or "").partition("\n")[0]


def _parse_value(name: str, text: str, default: object) -> object:
    """`text` as the type of `default`. Every number that describes a network is above 0."""
    parse, kind = _PARSERS[type(default)]
    example = f"{name}={64 if default is None else default}"
    try:
        value = parse(text)
    except ValueError as error:
        raise BadReference(
            f"{name}={text} is not {kind}. Give {kind}, such as {example}."
        ) from error
    # The comparison is false for nan as well.
    if parse in (int, float) and not 0 < value < math.inf:
        raise BadReference(
            f"{name}={text} makes no network. Give {kind} above 0, such as {example}."
        )
    return value


def _parse_bool(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError(text)
    return text.lower() == "true"


_PARSERS: dict[type, tuple[Callable[[str], Any], str]] = {
    int: (int, "a whole number"),
    float: (float, "a number"),
    bool: (_parse_bool, "true or false"),
    str: (str, "a word"),
    type(None): (int, "a whole number"),  # channels that are as many as others unless given
}


def _input_shape(
    entry: ZooEntry, given: Mapping[str, object], input_texts: Mapping[str, str]
) -> Shape:
    if len(input_texts) > 1:
        raise BadReference("input and size both say how large the input is. Give one of them.")
    batch, channels, height, width = entry.input_shape
    name = entry.channels_argument
    wanted_channels = given.get(name, channels)
    assert isinstance(wanted_channels, int)
    if "size" in input_texts:
        (height,) = _parse_sizes("size", input_texts["size"], count=1)
        width = height
    if "input" not in input_texts:
        return batch, wanted_channels, height, width
    shape = _parse_sizes("input", input_texts["input"], count=4)
    if shape[1] != wanted_channels:
        raise BadReference(
            f"input={input_texts['input']} has {shape[1]} channels and the {entry.kind} takes "
            f"{wanted_channels}. Write batch x channels x height x width, as in input=1x"
            f"{wanted_channels}x160x160, and {name}={shape[1]} if that is what you want."
        )
    return shape


def _parse_sizes(name: str, text: str, *, count: int) -> Shape:
    sizes = text.split("x")
    if len(sizes) != count or not all(re.fullmatch("[1-9][0-9]{0,5}", size) for size in sizes):
        wanted = "one whole number" if count == 1 else f"{count} whole numbers"
        raise BadReference(
            f"{name}={text} is not {wanted} above 0. Write {_INPUT_ARGUMENTS[name]}."
        )
    return tuple(int(size) for size in sizes)


def _load_factory(entry: ZooEntry) -> Callable[..., nn.Module]:
    module, _, function = entry.factory.partition(":")
    factory: Callable[..., nn.Module] = getattr(import_module(module), function)
    return factory


def _siblings(entry: ZooEntry) -> list[str]:
    return [other.name for other in ENTRIES.values() if other.family == entry.family]
