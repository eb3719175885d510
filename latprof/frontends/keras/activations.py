"""Activations: as layers, as the ``activation`` of another layer, and as operations.

References
----------
Keras, keras/src/activations/activations.py: the functions, their names and defaults.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from latprof.frontends.keras.config import axis_number, number, read_layer
from latprof.frontends.keras.translator import Handler, LayerCall, Result, Translator, Value

# Name of the function → our operator and its settings.
SIMPLE: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "relu": ("relu", {}),
    "relu6": ("relu6", {}),
    "leaky_relu": ("leaky_relu", {"slope": 0.2}),
    "elu": ("elu", {"alpha": 1.0}),
    "selu": ("selu", {}),
    "celu": ("celu", {"alpha": 1.0}),
    "gelu": ("gelu", {"approximate": "none"}),
    "silu": ("silu", {}),
    "swish": ("silu", {}),
    "hard_silu": ("hard_swish", {}),
    "hard_swish": ("hard_swish", {}),
    "hard_sigmoid": ("hard_sigmoid", {}),
    "hard_tanh": ("clip", {"low": -1.0, "high": 1.0}),
    "sigmoid": ("sigmoid", {}),
    "tanh": ("tanh", {}),
    "softplus": ("softplus", {}),
    "softsign": ("softsign", {}),
    "exponential": ("exp", {}),
    "mish": ("mish", {}),
    "log_sigmoid": ("log_sigmoid", {}),
    "tanh_shrink": ("tanh_shrink", {}),
    "soft_shrink": ("soft_shrink", {}),
    "hard_shrink": ("hard_shrink", {}),
    "threshold": ("threshold", {}),
}
_OVER_AN_AXIS = ("softmax", "log_softmax", "glu")
# Functions of Keras that no operator of ours says; their output is shaped like their input.
_FOREIGN = ("squareplus", "sparse_plus", "sparse_sigmoid", "sparsemax")


def activate(t: Translator, call: LayerCall, value: Value, key: str = "activation") -> Value:
    """`value` after the activation that the setting `key` of the layer asks for."""
    spec = call.layer.config.get(key)
    return apply(t, call, value, spec, part=True)


def apply(t: Translator, call: LayerCall, value: Value, spec: Any, *, part: bool) -> Value:
    """`value` after an activation, written as a name, a function or a layer."""
    if isinstance(spec, Mapping):
        held = spec.get("config")
        if spec.get("class_name") == "function":
            module = spec.get("module")
            own = isinstance(module, str) and module.split(".")[0] not in ("keras", "builtins")
            spec = f"custom>{held}" if own else held
        elif isinstance(held, Mapping):
            found = t.run_within(call, read_layer(spec), [value])
            return found if isinstance(found, Value) else value
        else:
            spec = f"custom>{spec.get('class_name')}"
    if spec is None or spec == "linear":
        return value
    name = spec if isinstance(spec, str) else "function"
    shown = name if part else ""
    if name in SIMPLE:
        op, settings = SIMPLE[name]
        return t.elementwise(call, value, op, part=shown, **settings)
    if name in _OVER_AN_AXIS:
        return over_axis(t, call, value, name, -1, part=shown)
    short = name.split(">")[-1][:60]
    if name not in _FOREIGN:
        t.note(
            f"layer {call.path!r} activates with a function of its own, {short!r}, whose code was "
            "not run; its output is taken to be shaped like its input"
        )
    shape = t.stored(value).shape
    (name,) = t.emit_all(call, f"keras.{short}", [value], part=short, shapes=[shape])
    return Value(name, value.image)


def over_axis(
    t: Translator, call: LayerCall, value: Value, op: str, axis: Any, *, part: str = ""
) -> Value:
    """A softmax or the like over one axis of Keras's order, or over several together."""
    rank = len(t.shape(value))
    if isinstance(axis, list) and len(axis) > 1:
        # Flattened into one, as Keras does it: the cost is that of all together.
        value = t.plain(value)
        return t.elementwise(call, value, op, part=part, axis=rank - 1)
    held = t.axis(value, axis_number(axis, rank, "axis"))
    name = t.emit(call, op, [value], part=part, axis=held)
    if op != "glu":
        t.follows(name, [value.name])
    return Value(name, value.image)


def _activation(t: Translator, call: LayerCall) -> Result:
    return apply(t, call, call.value, call.layer.config.get("activation"), part=False)


def relu(
    t: Translator, call: LayerCall, value: Value, *, top: Any, slope: Any, threshold: Any
) -> Value:
    """ReLU with its three settings: a ceiling, a slope below zero, a threshold."""
    ceiling = None if top is None else number(top, "max_value")
    slope, threshold = number(slope, "negative_slope"), number(threshold, "threshold")
    if slope == threshold == 0 and ceiling in (None, 6):
        return t.elementwise(call, value, "relu" if ceiling is None else "relu6")
    if slope == threshold == 0:
        return t.elementwise(call, value, "clip", low=0.0, high=ceiling)
    if threshold == 0:
        found = t.elementwise(call, value, "leaky_relu", slope=slope)
    else:
        found = t.elementwise(call, value, "threshold", threshold=threshold)
    if ceiling is None:
        return found
    return t.elementwise(call, found, "clip", part="clip", high=ceiling)


def _relu(t: Translator, call: LayerCall) -> Result:
    c = call.layer.config
    return relu(
        t, call, call.value, top=c.get("max_value"),
        slope=c.get("negative_slope") or 0.0, threshold=c.get("threshold") or 0.0,
    )  # fmt: skip


def _leaky_relu(t: Translator, call: LayerCall) -> Result:
    slope = number(call.get("negative_slope", call.get("alpha", 0.3)), "negative_slope")
    return t.elementwise(call, call.value, "leaky_relu", slope=slope)


def _prelu(t: Translator, call: LayerCall) -> Result:
    value = call.value
    shape = list(t.shape(value)[1:])
    for axis in call.get("shared_axes", []):
        shape[axis_number(axis, len(shape) + 1, "shared_axes") - 1] = 1
    image = value.image and len(shape) > 1
    held = (shape[-1], *shape[:-1]) if image else tuple(shape)
    return t.elementwise(call, value, "prelu", [t.weight(call, "alpha", held)])


def _elu(t: Translator, call: LayerCall) -> Result:
    return t.elementwise(call, call.value, "elu", alpha=number(call.get("alpha", 1.0), "alpha"))


def _softmax(t: Translator, call: LayerCall) -> Result:
    return over_axis(t, call, call.value, "softmax", call.get("axis", -1))


LAYERS: dict[str, Handler] = {
    "Activation": _activation,
    "ReLU": _relu,
    "LeakyReLU": _leaky_relu,
    "PReLU": _prelu,
    "ELU": _elu,
    "Softmax": _softmax,
}
