"""A ``.keras`` archive → graph, from its configuration alone.

The archive holds the network as JSON and the weights as HDF5. Only the JSON is read: Keras is not
imported, the weights are not opened, and no function or class that the file names is looked up or
run. Keras 3 writes the format, and so did Keras 2.12 to 2.15.

References
----------
Keras, keras/src/saving/saving_lib.py: the members of the archive.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from latprof.errors import CaptureFailed, ShapeMismatch, UnreadableModel
from latprof.frontends.bounded import open_zip, parse_json, read_member
from latprof.frontends.guessing import IMAGE_SIZE
from latprof.frontends.inputs import InputSpec
from latprof.frontends.keras.config import flat, read_layer
from latprof.frontends.keras.layers import find
from latprof.frontends.keras.network import (
    Network,
    OpenInput,
    open_inputs,
    require_network,
    run_network,
)
from latprof.frontends.keras.translator import Translator, Value
from latprof.frontends.patterns.composites import recognise
from latprof.graph import DTYPE_BYTES, Graph, Shape

# The configuration of a network of 1,000 layers is about 1 MB; empty lists unpack to 20 times that.
MAX_CONFIG_BYTES = 8 * 2**20
_SAVE_AGAIN = "Save the model again, with model.save('model.keras')."


def read(path: Path, *, inputs: Sequence[InputSpec] = (), trust: bool = False) -> Graph:
    """Read the network in the archive at `path`.

    Parameters
    ----------
    inputs : sequence of InputSpec
        Sizes that the file leaves open, channels second or as Keras has them.
    trust : bool
        Makes no difference: code in the file is never run.

    Raises
    ------
    UnreadableModel
        If the archive is broken.
    NoGraph
        If the model is a Python class, whose network is code.
    CaptureFailed, ShapeMismatch
        If its inputs are left open, or `inputs` are not what it takes.
    """
    config, version = _members(path)
    try:
        return _translate(config, inputs, name=path.stem, source=str(path))
    except UnreadableModel as error:
        raise UnreadableModel(f"{str(path)!r}: {error} {_SAVE_AGAIN}") from error
    except (
        KeyError, IndexError, TypeError, ValueError, AttributeError, ArithmeticError,
        RecursionError,
    ) as error:  # fmt: skip
        raise UnreadableModel(
            f"cannot follow the network in {str(path)!r}, written by Keras {version}: "
            f"{type(error).__name__}: {str(error)[:200]}. {_SAVE_AGAIN}"
        ) from error


def _members(path: Path) -> tuple[Any, str]:
    with open_zip(path) as archive:
        held = []
        for member in ("config.json", "metadata.json"):
            if member not in archive.namelist():
                raise UnreadableModel(f"{str(path)!r} holds no {member}. {_SAVE_AGAIN}")
            data = read_member(archive, member, MAX_CONFIG_BYTES)
            held.append(parse_json(data, f"{member!r} in {str(path)!r}"))
    version = held[1].get("keras_version") if isinstance(held[1], dict) else None
    return held[0], version[:40] if isinstance(version, str) else "of unknown version"


def _translate(config: Any, inputs: Sequence[InputSpec], *, name: str, source: str) -> Graph:
    model = read_layer(config)
    network = require_network(model)
    held = open_inputs(network)
    given = _assign(inputs, held)
    # Which inputs hold channels last shows only where they are used: read twice if any does.
    images: frozenset[str] = frozenset()
    while True:
        t = Translator(name, source, find, images)
        values = [_add_input(t, each, given.get(each.name)) for each in held]
        trainable = model.config.get("trainable", True) is not False
        outputs = run_network(t, network, values, path="", trainable=trainable, depth=0)
        if t.wanted_as_image <= images:
            return _finish(t, network, flat(outputs))
        images = frozenset(t.wanted_as_image)


def _finish(t: Translator, network: Network, outputs: Sequence[Any]) -> Graph:
    names = []
    for i, value in enumerate(outputs):
        if not isinstance(value, Value):
            raise UnreadableModel(f"output {i} of {t.builder.name!r} is not a tensor.")
        names.append(value.name)
    # Keras builds a hard sigmoid of a sum, a ReLU6 and a product, and has no other word for it.
    return recognise(t.builder.finish(dict.fromkeys(names)))


def _assign(specs: Sequence[InputSpec], held: Sequence[OpenInput]) -> dict[str, InputSpec]:
    """Which input each given shape is for."""
    names = {each.name: each.name for each in held} | {e.key: e.name for e in held if e.key}
    found: dict[str, InputSpec] = {}
    unnamed = iter(held)
    for spec in specs:
        if spec.name:
            name = names.get(spec.name)
        else:
            name = next((each.name for each in unnamed if each.name not in found), None)
        if name is None:
            which = f"an input {spec.name!r}" if spec.name else f"{len(specs)} inputs"
            has = ", ".join(repr(each.name) for each in held)
            raise ShapeMismatch(f"--input names {which}; the file has {has}.")
        found[name] = spec
    return found


def _add_input(t: Translator, held: OpenInput, spec: InputSpec | None) -> Value:
    dtype = held.dtype if held.dtype in DTYPE_BYTES else "float32"
    if spec is not None and spec.dtype != "float32":
        dtype = spec.dtype
    shape = _given_shape(held, spec) if spec is not None else _assumed_shape(t, held)
    return t.input(held.name, shape, dtype)


def _given_shape(held: OpenInput, spec: InputSpec) -> Shape:
    """The shape given, in Keras's order: it may come in that order or with channels second."""
    given = spec.shape
    orders = [given]
    if len(given) >= 3:
        orders.insert(0, (given[0], *given[2:], given[1]))
    for shape in reversed(orders):
        if not held.shape or (
            len(shape) == len(held.shape)
            and all(size in (None, mine) for size, mine in zip(held.shape, shape, strict=True))
        ):
            return shape
    in_file = "x".join("?" if size is None else str(size) for size in held.shape)
    raise ShapeMismatch(
        f"--input says {spec.text} and the file has {in_file} for its input {held.name!r}, "
        "channels last. Give the sizes that it leaves open, or build the model for others."
    )


def _assumed_shape(t: Translator, held: OpenInput) -> Shape:
    """The shape in the file; a batch of 1 and pictures of the usual size where it is open."""
    said = ", ".join("?" if size is None else str(size) for size in held.shape)
    sizes = list(held.shape)
    if sizes and sizes[0] is None:
        sizes[0] = 1
        t.note(f"the batch of input {held.name!r} is taken to be 1; --input says otherwise")
    if len(sizes) == 4 and sizes[1:3] == [None, None] and sizes[3] in (1, 3, 4):
        sizes[1:3] = [IMAGE_SIZE] * 2
        t.note(
            f"input {held.name!r} leaves its height and width open; they are taken to be "
            f"{IMAGE_SIZE}; --input says otherwise"
        )
    found = tuple(size for size in sizes if size is not None)
    if len(found) != len(sizes) or not sizes:
        example = "x".join("64" if size is None else str(size) for size in sizes) or "1x224x224x3"
        raise CaptureFailed(
            f"the file leaves sizes of its input {held.name!r} open: ({said}). Say them with "
            f"--input, as in --input {held.name}={example}."
        )
    return found
