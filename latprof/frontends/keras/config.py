"""What a Keras configuration says, checked: layers, numbers, and which tensors a call takes.

A configuration is JSON that Keras turns back into objects. Here it stays data: a function or a
class that came with the file is a name and nothing more.

References
----------
Keras, keras/src/saving/serialization_lib.py: how objects are written, ``__keras_tensor__`` & co.
Keras, keras/src/models/functional.py: ``inbound_nodes``, new and old.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from latprof.errors import UnreadableModel
from latprof.graph import DTYPE_BYTES, Scalar

MAX_NUMBER = 2**48  # as many as the elements of the largest tensor
MAX_RANK = 16
MAX_INPUTS = 10_000  # of one call

Origin = Literal["layer", "operation", "application", "custom"]
OpenShape = tuple[int | None, ...]

_DTYPES_OF_POLICY = {
    "mixed_float16": ("float32", "float16"),
    "mixed_bfloat16": ("float32", "bfloat16"),
}


@dataclass(frozen=True)
class TensorRef:
    """An output of an earlier call: of which layer, of its how-manieth call, and which."""

    layer: str
    call: int
    output: int
    shape: OpenShape | None = None
    dtype: str = ""


@dataclass(frozen=True)
class Array:
    """Numbers written into the configuration."""

    shape: tuple[int, ...]
    values: tuple[Scalar, ...]
    dtype: str = "float32"


@dataclass(frozen=True)
class Code:
    """A Python function or class that the configuration names or carries; it is never run."""

    name: str


@dataclass(frozen=True)
class Layer:
    """One object of the configuration: a layer, an operation of `keras.ops`, or a whole network.

    Parameters
    ----------
    name : str
    kind : str
        Its class, ``Conv2D``.
    origin : str
        Who defines the class: Keras's layers, `keras.ops`, `keras.applications`, or somebody else.
    config : mapping
        The arguments of its constructor.
    calls : tuple
        Arguments and keyword arguments of each call, in the order of calls.
    built_for : object
        The input shapes it was built for, where the file says.
    shared_as : int, optional
        Objects of the same number are one object.
    """

    name: str
    kind: str
    origin: Origin
    config: Mapping[str, Any]
    calls: tuple[tuple[tuple[Any, ...], Mapping[str, Any]], ...] = ()
    built_for: Any = None
    shared_as: int | None = None
    legacy: bool = field(default=False, repr=False)


def read_layer(data: Any) -> Layer:
    """The layer that `data` describes; its calls are read apart (`read_calls`)."""
    if not isinstance(data, Mapping) or not isinstance(data.get("config"), Mapping):
        raise UnreadableModel(f"expected the description of a layer, found {shown(data)}.")
    kind, config = text(data.get("class_name"), "class_name"), data["config"]
    # Operations written by Keras before 3.4 may say no name of their own.
    name = data.get("name") or config.get("name") or kind.lower()
    shared = data.get("shared_object_id")
    return Layer(
        name=text(name, "name"),
        kind=kind,
        origin=_origin(data),
        config=config,
        built_for=_built_for(data.get("build_config"), config),
        shared_as=shared if isinstance(shared, int) else None,
        legacy="module" not in data,
    )


def _origin(data: Mapping[str, Any]) -> Origin:
    # "module" is where Python finds the class; a class of the user's own may be anywhere, and is
    # registered as "Package>Class" (keras.saving.register_keras_serializable).
    module = data.get("module", "keras.layers")
    module = module if isinstance(module, str) else ""
    registered = data.get("registered_name")
    parts = module.split(".")
    if parts[0] not in ("keras", "tf_keras") or (isinstance(registered, str) and ">" in registered):
        return "custom"
    if "ops" in parts:
        return "operation"
    return "application" if "applications" in parts else "layer"


def _built_for(build: Any, config: Mapping[str, Any]) -> Any:
    if isinstance(build, Mapping):
        found = build.get("input_shape") or build.get("shapes_dict")
        if found:
            return found
    return config.get("batch_input_shape") or config.get("build_input_shape")


def read_calls(data: Any, names: Mapping[str, Any]) -> Layer:
    """The layer that `data` describes with its calls; `names` are the layers it may refer to."""
    layer = read_layer(data)
    nodes = data.get("inbound_nodes") or []
    if not isinstance(nodes, list):
        raise UnreadableModel(f"layer {layer.name!r} says its calls as {shown(nodes)}.")
    calls = tuple(_call(node, names) for node in nodes)
    return Layer(
        layer.name, layer.kind, layer.origin, layer.config, calls, layer.built_for,
        layer.shared_as, any(isinstance(node, list) for node in nodes),
    )  # fmt: skip


def _call(node: Any, names: Mapping[str, Any]) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
    if isinstance(node, Mapping):
        args, kwargs = value(node.get("args", [])), value(node.get("kwargs", {}))
        if not isinstance(args, list) or not isinstance(kwargs, dict):
            raise UnreadableModel(f"a call is written as {shown(node)}.")
        return tuple(args), kwargs
    # Keras 2 as saved in the new format: [[layer, call, output, keyword arguments], ...].
    if not isinstance(node, list) or not node:
        raise UnreadableModel(f"a call is written as {shown(node)}.")
    entries = [node] if isinstance(node[0], str) else node
    if len(entries) > MAX_INPUTS:
        raise UnreadableModel(f"a call takes {len(entries)} tensors; no real layer does.")
    refs, kwargs = [], {}
    for entry in entries:
        if not isinstance(entry, list) or len(entry) not in (3, 4):
            raise UnreadableModel(f"a call takes {shown(entry)}.")
        refs.append(_reference(entry[:3]))
        given = entry[3] if len(entry) == 4 else {}
        if not isinstance(given, Mapping):
            raise UnreadableModel(f"a call takes {shown(entry)}.")
        kwargs |= {key: _old_value(held, names) for key, held in given.items()}
    return (refs[0] if len(refs) == 1 else refs,), kwargs


def _old_value(held: Any, names: Mapping[str, Any]) -> Any:
    """A keyword argument of old: ``["layer", 0, 0]`` is a tensor if there is such a layer."""
    if isinstance(held, list) and len(held) == 3 and isinstance(held[0], str) and held[0] in names:
        return _reference(held)
    if isinstance(held, list):
        return [_old_value(item, names) for item in held]
    return value(held)


def _reference(entry: Sequence[Any]) -> TensorRef:
    layer, call, output = entry
    return TensorRef(text(layer, "layer"), whole(call, "call"), whole(output, "output"))


def references(data: Any) -> Any:
    """``input_layers`` or ``output_layers``: references in the nesting they are written in."""
    if isinstance(data, list) and len(data) == 3 and isinstance(data[0], str):
        return _reference(data)
    if isinstance(data, list):
        return [references(item) for item in data]
    if isinstance(data, Mapping):
        return {key: references(item) for key, item in data.items()}
    raise UnreadableModel(f"a network takes or gives {shown(data)}.")


def flat(data: Any) -> list[Any]:
    """The leaves of nested lists and mappings, mappings by sorted keys, as Keras flattens."""
    if isinstance(data, (list, tuple)):
        return [leaf for item in data for leaf in flat(item)]
    if isinstance(data, Mapping):
        return [leaf for key in sorted(data, key=str) for leaf in flat(data[key])]
    return [data]


def value(data: Any) -> Any:
    """An argument: numbers and text as they are, the rest as one of the classes above."""
    if isinstance(data, list):
        return [value(item) for item in data]
    if not isinstance(data, Mapping):
        return data
    kind = data.get("class_name")
    if not isinstance(kind, str) or "config" not in data:
        return {key: value(item) for key, item in data.items()}
    config = data["config"]
    if kind == "__keras_tensor__":
        found = _reference(config["keras_history"])
        dtype = config.get("dtype")
        return TensorRef(
            found.layer, found.call, found.output, open_shape(config["shape"]),
            dtype if isinstance(dtype, str) else "",
        )  # fmt: skip
    if kind == "__slice__":
        return slice(*(value(config.get(key)) for key in ("start", "stop", "step")))
    if kind == "__ellipsis__":
        return Ellipsis
    if kind in ("__tensor__", "__numpy__"):
        return _array(config["value"], config.get("dtype"))
    if kind == "function":
        return Code(config if isinstance(config, str) else kind)
    return Code(kind.strip("_"))


def _array(held: Any, dtype: Any) -> Array:
    shape: list[int] = []
    level = held
    while isinstance(level, list):
        shape.append(len(level))
        if len(shape) > MAX_RANK or not level:
            break
        level = level[0]
    values = tuple(leaf for leaf in flat(held) if isinstance(leaf, (int, float)))
    product = 1
    for size in shape:
        product *= size
    if len(values) != product:
        raise UnreadableModel("an array of numbers is ragged, or holds something else.")
    return Array(tuple(shape), values, dtype if dtype in DTYPE_BYTES else "float32")


def text(held: Any, what: str) -> str:
    """`held`, which must be text of a sensible length."""
    if not isinstance(held, str) or not 0 < len(held) <= 1000:
        raise UnreadableModel(f"{what} should be a name, not {shown(held)}.")
    return held


def whole(held: Any, what: str, *, least: int = 0) -> int:
    """`held`, which must be a whole number within bounds."""
    if isinstance(held, float) and held.is_integer():
        held = int(held)  # 64.0 is what some scripts compute
    if not isinstance(held, int) or isinstance(held, bool) or not least <= held <= MAX_NUMBER:
        raise UnreadableModel(f"{what} should be a whole number from {least}, not {shown(held)}.")
    return held


def axis_number(held: Any, rank: int, what: str) -> int:
    """`held` as an axis of a tensor of that rank, counted from the front."""
    if isinstance(held, (list, tuple)) and len(held) == 1:
        held = held[0]
    if not isinstance(held, int) or isinstance(held, bool) or not -rank <= held < rank:
        raise UnreadableModel(f"{what} should be an axis of {rank} axes, not {shown(held)}.")
    return held % rank


def axis_numbers(held: Any, rank: int, what: str) -> tuple[int, ...]:
    """`held` as axes; nothing stands for all of them."""
    if held is None:
        return tuple(range(rank))
    if not isinstance(held, (list, tuple)):
        held = [held]
    return tuple(sorted({axis_number(axis, rank, what) for axis in held}))


def sizes(held: Any, count: int, what: str, *, least: int = 1) -> tuple[int, ...]:
    """`held` as `count` whole numbers; one number stands for all."""
    if isinstance(held, (list, tuple)) and len(held) == 1:
        held = held[0]
    if not isinstance(held, (list, tuple)):
        return (whole(held, what, least=least),) * count
    if len(held) != count:
        raise UnreadableModel(f"{what} should be {count} numbers, not {shown(held)}.")
    return tuple(whole(item, what, least=least) for item in held)


def number(held: Any, what: str) -> float:
    """`held`, which must be a number."""
    if not isinstance(held, (int, float)) or isinstance(held, bool) or abs(held) > 1e300:
        raise UnreadableModel(f"{what} should be a number, not {shown(held)}.")
    return held


def open_shape(held: Any) -> OpenShape:
    """A shape, None standing for any size."""
    if not isinstance(held, (list, tuple)) or len(held) > MAX_RANK:
        raise UnreadableModel(f"expected a shape, found {shown(held)}.")
    return tuple(None if size is None else whole(size, "a size") for size in held)


def is_shape(held: Any) -> bool:
    """Whether `held` can be one shape, rather than several."""
    return isinstance(held, (list, tuple)) and all(
        size is None or (isinstance(size, int) and not isinstance(size, bool)) for size in held
    )


def dtypes(policy: Any) -> tuple[str, str, str]:
    """Type of the weights, type that is computed in, and how the weights are quantised."""
    if isinstance(policy, Mapping):
        config = policy.get("config")
        if policy.get("class_name") == "DTypePolicyMap" and isinstance(config, Mapping):
            return dtypes(config.get("default_policy"))
        config = config if isinstance(config, Mapping) else {}
        name = config.get("name")
        if name is None:
            weights, compute, _ = dtypes(config.get("source_name"))
            return weights, compute, str(config.get("mode", ""))[:20]
        policy = name
    if policy is None:
        return "float32", "float32", ""
    name = text(policy, "dtype")
    mode, found, source = name.partition("_from_")
    if found:
        weights, compute, _ = dtypes(source)
        return weights, compute, mode
    weights, compute = _DTYPES_OF_POLICY.get(name, (name, name))
    if compute not in DTYPE_BYTES:
        raise UnreadableModel(f"unknown dtype {shown(name)}.")
    return weights, compute, ""


def shown(held: Any) -> str:
    """`held` cut short, for errors."""
    said = repr(held) if isinstance(held, (str, float, bool, type(None))) else type(held).__name__
    if isinstance(held, int) and not isinstance(held, bool):
        said = str(held) if abs(held) < 10**20 else "a huge number"
    if isinstance(held, (list, tuple)) and len(held) < 8:
        said = "[" + ", ".join(shown(item) for item in held) + "]"
    return said if len(said) <= 80 else said[:80] + "..."
