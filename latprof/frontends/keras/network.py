"""Networks of layers: `Sequential`, one after the other, and `Functional`, a graph of calls.

References
----------
Keras, keras/src/models/functional.py: how a network is rebuilt from its configuration.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from latprof.errors import CaptureFailed, NoGraph, UnreadableModel
from latprof.frontends.keras.config import (
    Layer,
    OpenShape,
    TensorRef,
    flat,
    is_shape,
    open_shape,
    read_calls,
    read_layer,
    references,
    shown,
)
from latprof.frontends.keras.translator import LayerCall, Result, Translator, Value

Place = tuple[str, int]  # a layer and the number of its call
MAX_OUTPUTS = 10_000


@dataclass(frozen=True)
class Network:
    """A network: its layers by name, and which of their outputs go in and out.

    Parameters
    ----------
    inputs : tuple of TensorRef
        In the order in which they are given.
    outputs : nested lists and mappings of TensorRef
    given : mapping
        Shapes that the file tells for the outputs of each call.
    """

    layers: Mapping[str, Layer]
    inputs: tuple[TensorRef, ...]
    outputs: Any
    given: Mapping[Place, Mapping[int, OpenShape]]
    keys: Mapping[str, str]


@dataclass(frozen=True)
class OpenInput:
    """An input of the model as the file tells it."""

    name: str
    shape: OpenShape
    dtype: str
    key: str = ""


def read_network(layer: Layer) -> Network:
    """The network that a `Sequential` or `Functional` model describes.

    Raises
    ------
    NoGraph
        If the model is a Python class: its network is code, and not in the file.
    """
    held = layer.config.get("layers")
    if not isinstance(held, list) or not held:
        raise NoGraph(
            f"the model {layer.name!r} is a class of its own, {layer.kind!r}: its network is "
            "Python code, which the file does not hold and latprof would not run. Rebuild it as "
            "a Functional or Sequential model, or export it to ONNX or TFLite."
        )
    if layer.kind == "Sequential":
        return _sequential(layer, held)
    if "input_layers" not in layer.config or "output_layers" not in layer.config:
        raise NoGraph(
            f"the model {layer.name!r} lists layers, but not how they are connected. Save it as "
            "a Functional or Sequential model."
        )
    names = {_name(data): data for data in held}
    if len(names) != len(held):
        raise UnreadableModel(f"two layers of {layer.name!r} have the same name.")
    layers = {name: read_calls(data, names) for name, data in names.items()}
    given: dict[Place, dict[int, OpenShape]] = {}
    for each in layers.values():
        for args, kwargs in each.calls:
            for ref in flat([args, kwargs]):
                if isinstance(ref, TensorRef) and ref.shape is not None:
                    given.setdefault((ref.layer, ref.call), {})[ref.output] = ref.shape
    inputs = references(layer.config["input_layers"])
    keys = {}
    if isinstance(inputs, dict):
        keys = {ref.layer: key for key, ref in inputs.items() if isinstance(ref, TensorRef)}
    found = [ref for ref in flat(inputs) if isinstance(ref, TensorRef)]
    return Network(layers, tuple(found), references(layer.config["output_layers"]), given, keys)


def _name(data: Any) -> str:
    return read_layer(data).name


def _sequential(layer: Layer, held: Sequence[Any]) -> Network:
    layers = [read_layer(data) for data in held]
    names = [each.name for each in layers]
    if len(set(names)) != len(names):
        raise UnreadableModel(f"two layers of {layer.name!r} have the same name.")
    if layers[0].kind != "InputLayer":  # Keras adds one when it meets the first input
        config = {"batch_input_shape": _first_shape(layer, layers[0])}
        first = Layer(_free("input", names), "InputLayer", "layer", config)
        layers.insert(0, first)
    chain = {layers[0].name: layers[0]}
    given: dict[Place, dict[int, OpenShape]] = {}
    for before, each in itertools.pairwise(layers):
        shape = each.built_for
        if is_shape(shape):
            given[before.name, 0] = {0: open_shape(shape)}
        ref = TensorRef(before.name, 0, 0)
        chain[each.name] = Layer(
            each.name, each.kind, each.origin, each.config, (((ref,), {}),), each.built_for,
            each.shared_as,
        )  # fmt: skip
    inside = (TensorRef(layers[0].name, 0, 0),)
    return Network(chain, inside, TensorRef(layers[-1].name, 0, 0), given, {})


def _first_shape(network: Layer, first: Layer) -> Any:
    for shape in (first.built_for, network.built_for):
        if is_shape(shape):
            return shape
    bare = first.config.get("input_shape")  # without the batch
    return [None, *bare] if isinstance(bare, list) and is_shape(bare) else None


def _free(wanted: str, taken: Sequence[str]) -> str:
    while wanted in taken:
        wanted += "_"
    return wanted


def open_inputs(network: Network) -> list[OpenInput]:
    """The inputs of the model, as far as the file tells them."""
    found = []
    for ref in network.inputs:
        layer = network.layers.get(ref.layer)
        if layer is None:
            raise UnreadableModel(f"the model takes in {ref.layer!r}, and has no layer of it.")
        config = layer.config
        shape = config.get("batch_shape") or config.get("batch_input_shape")
        if shape is None and isinstance(config.get("shape"), (list, tuple)):
            shape = [config.get("batch_size"), *config["shape"]]
        if shape is None:
            shape = network.given.get((ref.layer, ref.call), {}).get(ref.output)
        dtype = config.get("dtype", "float32")
        if isinstance(dtype, Mapping):
            inner = dtype.get("config")
            dtype = inner.get("name") if isinstance(inner, Mapping) else "float32"
        dtype = dtype if isinstance(dtype, str) else "float32"
        opened = open_shape(shape) if shape is not None else ()
        found.append(OpenInput(ref.layer, opened, dtype, network.keys.get(ref.layer, "")))
    return found


def run_network(
    t: Translator,
    network: Network,
    inputs: Sequence[Value],
    *,
    path: str,
    trainable: bool,
    depth: int,
) -> Any:
    """Translate every call of a network; its outputs come back in the nesting they are told in.

    Calls run as soon as what they read is there, those of earlier layers in the file first:
    Keras writes layers in the order in which it runs them.
    """
    if len(inputs) != len(network.inputs):
        raise UnreadableModel(
            f"network {path or t.builder.name!r} takes {len(network.inputs)} inputs and is given "
            f"{len(inputs)}."
        )
    done: dict[Place, list[Any]] = {}
    for ref, value in zip(network.inputs, inputs, strict=True):
        outputs = done.setdefault((ref.layer, ref.call), [])
        if ref.output > MAX_OUTPUTS:
            raise UnreadableModel(f"the network takes in output {ref.output} of {ref.layer!r}.")
        outputs += [None] * (ref.output + 1 - len(outputs))
        outputs[ref.output] = value
    waiting: dict[Place, list[tuple[int, int]]] = {}
    missing: dict[tuple[int, int], int] = {}
    ready: list[tuple[int, int]] = []
    layers = list(network.layers.values())
    for number, layer in enumerate(layers):
        for index, (args, kwargs) in enumerate(layer.calls):
            if (layer.name, index) in done:
                continue
            needs = {
                (ref.layer, ref.call)
                for ref in flat([args, kwargs])
                if isinstance(ref, TensorRef) and (ref.layer, ref.call) not in done
            }
            missing[number, index] = len(needs)
            for place in needs:
                waiting.setdefault(place, []).append((number, index))
            if not needs:
                heapq.heappush(ready, (number, index))
    while ready:
        number, index = heapq.heappop(ready)
        layer = layers[number]
        place = (layer.name, index)
        args, kwargs = layer.calls[index]
        result = t.run(
            layer,
            [_resolved(item, done) for item in args],
            {key: _resolved(item, done) for key, item in kwargs.items()},
            path=f"{path}.{layer.name}" if path else layer.name,
            given=network.given.get(place),
            trainable=trainable,
            depth=depth,
        )
        done[place] = flat(result)
        _compare(t, network, place, done[place], path)
        for waiter in waiting.pop(place, ()):
            missing[waiter] -= 1
            if not missing[waiter]:
                heapq.heappush(ready, waiter)
    return _resolved(network.outputs, done)


def _resolved(held: Any, done: Mapping[Place, Sequence[Any]]) -> Any:
    if isinstance(held, TensorRef):
        outputs = done.get((held.layer, held.call), ())
        if held.output >= len(outputs) or not isinstance(outputs[held.output], Value):
            raise UnreadableModel(
                f"output {held.output} of call {held.call} of layer {held.layer!r} is read, and "
                "nothing computes it: the file is broken, or its layers form a circle."
            )
        return outputs[held.output]
    if isinstance(held, list):
        return [_resolved(item, done) for item in held]
    if isinstance(held, dict):
        return {key: _resolved(item, done) for key, item in held.items()}
    return held


def _compare(
    t: Translator, network: Network, place: Place, values: Sequence[Any], path: str
) -> None:
    """Note where the file tells another shape than the one worked out."""
    for output, given in network.given.get(place, {}).items():
        if output >= len(values) or not isinstance(values[output], Value):
            continue
        found = t.shape(values[output])
        fits = len(found) == len(given) and all(
            size is None or size == mine for size, mine in zip(given, found, strict=True)
        )
        if not fits:
            where = f"{path}.{place[0]}" if path else place[0]
            t.note(
                f"layer {where!r} gives {shown(list(given))} by the file and {shown(list(found))} "
                "by its settings, which are what is counted"
            )


def nested(t: Translator, call: LayerCall) -> Result:
    """A network used as a layer."""
    network = read_network(call.layer)
    held = flat(call.args[0]) if call.args else call.values
    inputs = [item for item in held if isinstance(item, Value)]
    outputs = run_network(
        t, network, inputs, path=call.path, trainable=call.trainable, depth=call.depth + 1
    )
    values = flat(outputs)
    return values[0] if len(values) == 1 else values


def require_network(layer: Layer) -> Network:
    """The network of a model that is one.

    Raises
    ------
    CaptureFailed, NoGraph
        If it is a lone layer, or a class of its own.
    """
    if layer.kind == "InputLayer":
        raise CaptureFailed(f"the model is a lone {layer.kind}, which computes nothing.")
    return read_network(layer)
