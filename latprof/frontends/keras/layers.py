"""Which handler translates a layer: the table of all of them.

A layer that is not here, and every class that Keras does not have, becomes an operator without a
formula.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from latprof.frontends.keras import activations as keras_activations
from latprof.frontends.keras import attention as keras_attention
from latprof.frontends.keras import convolutions as keras_convolutions
from latprof.frontends.keras import dense as keras_dense
from latprof.frontends.keras import merging as keras_merging
from latprof.frontends.keras import norms as keras_norms
from latprof.frontends.keras import pools as keras_pools
from latprof.frontends.keras import recurrent as keras_recurrent
from latprof.frontends.keras.config import Layer, number, whole
from latprof.frontends.keras.foreign import custom, lambda_layer, no_formula, operation
from latprof.frontends.keras.network import nested
from latprof.frontends.keras.operations import OPERATIONS
from latprof.frontends.keras.translator import Handler, LayerCall, Result, Translator

# Do nothing when the model is not in training.
_VANISHING = (
    "Dropout", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D", "AlphaDropout",
    "GaussianDropout", "GaussianNoise", "ActivityRegularization", "Identity", "RandomFlip",
    "RandomRotation", "RandomZoom", "RandomTranslation", "RandomContrast", "RandomBrightness",
    "RandomColorDegeneration", "RandomColorJitter", "RandomErasing", "RandomElasticTransform",
    "RandomGaussianBlur", "RandomGrayscale", "RandomHue", "RandomInvert", "RandomPerspective",
    "RandomPosterization", "RandomSaturation", "RandomSharpness", "RandomShear", "RandAugment",
    "AugMix", "CutMix", "MixUp",
)  # fmt: skip

# TensorFlow's functions, as Keras 2 wrote them into a model, under the names of `keras.ops`.
_OLD_FUNCTIONS = {
    "math.add": "Add", "__operators__.add": "Add", "math.subtract": "Subtract",
    "math.multiply": "Multiply", "math.truediv": "Divide", "math.divide": "Divide",
    "math.maximum": "Maximum", "math.minimum": "Minimum", "math.pow": "Power",
    "nn.relu": "Relu", "nn.relu6": "Relu6", "nn.silu": "Silu", "nn.gelu": "Gelu",
    "nn.softmax": "Softmax", "math.sigmoid": "Sigmoid", "math.tanh": "Tanh", "math.exp": "Exp",
    "math.sqrt": "Sqrt", "math.rsqrt": "Rsqrt", "math.square": "Square", "cast": "Cast",
    "math.reduce_mean": "Mean", "math.reduce_sum": "Sum", "math.reduce_max": "Max",
    "reshape": "Reshape", "transpose": "Transpose", "concat": "Concatenate",
    "expand_dims": "ExpandDims", "linalg.matmul": "Matmul",
}  # fmt: skip
_OLD_ARGUMENTS = {
    "x": "x1", "y": "x2", "keepdims": "keepdims", "shape": "newshape", "perm": "axes",
    "features": "x",
}  # fmt: skip


def _vanish(t: Translator, call: LayerCall) -> Result:
    return call.values if len(call.values) > 1 else call.value


def _masking(t: Translator, call: LayerCall) -> Result:
    """Steps that hold nothing but the mask value become zeros."""
    x = t.plain(call.value)
    blank = t.constant(call, number(call.get("mask_value", 0.0), "mask_value"))
    differs = t.emit(call, "equal", [x.name, blank], part="differs", dtype="bool")
    last = len(t.shape(x)) - 1
    kept = t.emit(call, "max", [differs], part="kept", axes=(last,), keepdims=True)
    kept = t.emit(call, "cast", [kept], part="mask", dtype=t.stored(x).dtype)
    return t.elementwise(call, x, "mul", [kept])


def _layer_scale(t: Translator, call: LayerCall) -> Result:
    """ConvNeXt's factor for each channel (arXiv 2103.17239)."""
    x = call.value
    channels = whole(call.get("projection_dim"), "projection_dim", least=1)
    axes_behind = len(t.shape(x)) - 2 if x.image else 0
    return t.elementwise(call, x, "mul", [t.weight(call, "gamma", (channels, *(1,) * axes_behind))])


def _scaled_sum(t: Translator, call: LayerCall) -> Result:
    """Inception-ResNet's residual: the first input and a share of the second."""
    values = call.values
    if len(values) != 2:
        return custom(t, call)
    share = t.constant(call, number(call.get("scale"), "scale"))
    branch = t.elementwise(call, values[1], "mul", [share], part="scale")
    return keras_merging.chain(t, call, "add", [values[0], branch], batch_first=True)


def _old_function(t: Translator, call: LayerCall) -> Result:
    name = call.layer.config.get("function")
    kind = _OLD_FUNCTIONS.get(name, "") if isinstance(name, str) else ""
    if not kind:
        return custom(t, replace(call, layer=replace(call.layer, kind=f"TFOpLambda.{name!s:.60}")))
    named = {_OLD_ARGUMENTS.get(key, key): held for key, held in call.kwargs.items()}
    return OPERATIONS[kind](t, replace(call, kwargs=named, layer=replace(call.layer, kind=kind)))


LAYERS: Mapping[str, Handler] = {
    **keras_activations.LAYERS,
    **keras_attention.LAYERS,
    **keras_convolutions.LAYERS,
    **keras_dense.LAYERS,
    **keras_merging.LAYERS,
    **keras_norms.LAYERS,
    **keras_pools.LAYERS,
    **keras_recurrent.LAYERS,
    **dict.fromkeys(_VANISHING, _vanish),
    **dict.fromkeys(("Functional", "Sequential", "Model"), nested),
    "Lambda": lambda_layer,
    "Masking": _masking,
    "TFOpLambda": _old_function,
}
# Layers that keras.applications has for itself, by what they are published to do.
_APPLICATION_LAYERS: Mapping[str, Handler] = {
    "LayerScale": _layer_scale,
    "StochasticDepth": _vanish,
    "CustomScaleLayer": _scaled_sum,
}


def find(layer: Layer) -> Handler:
    """The handler of a layer; one for unknown layers if there is none."""
    if layer.origin == "operation":
        return OPERATIONS.get(layer.kind, operation)
    if layer.origin == "application":
        return _APPLICATION_LAYERS.get(layer.kind, custom)
    if layer.origin == "custom":
        return nested if "input_layers" in layer.config and "layers" in layer.config else custom
    return LAYERS.get(layer.kind, no_formula)
