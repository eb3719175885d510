"""Pools, and layers that change the size of a map: padding, cropping, enlarging.

References
----------
Keras, keras/src/layers/pooling/ and keras/src/layers/reshaping/.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from latprof.errors import ShapeMismatch, UnreadableModel
from latprof.frontends.keras.config import shown, sizes, whole
from latprof.frontends.keras.convolutions import channels_last, pads_for, spatial
from latprof.frontends.keras.translator import Handler, LayerCall, Result, Translator, Value
from latprof.graph import Shape

_MODES = {"nearest": "nearest", "bilinear": "linear", "bicubic": "cubic", "trilinear": "linear"}


def pool(
    t: Translator, call: LayerCall, op: str, axes: int, *, window: Any, strides: Any, padding: Any
) -> Value:
    """A pool over windows; padding takes no part in an average."""
    x = spatial(t, call, call.value, axes)
    kernel = sizes(window, axes, "pool_size")
    stride = sizes(strides, axes, "strides") if strides is not None else kernel
    pads = pads_for(padding, t.stored(x).shape[2:], kernel, stride, (1,) * axes)
    settings: dict[str, Any] = {"count_padding": False} if op == "avg_pool" else {}
    name = t.emit(
        call, op, [x], kernel=kernel, stride=stride, padding=pads, ceil_mode=False, **settings
    )
    return Value(name, x.image)


def _pool(op: str, axes: int, t: Translator, call: LayerCall) -> Result:
    return pool(
        t, call, op, axes, window=call.get("pool_size", 2), strides=call.get("strides"),
        padding=call.get("padding", "valid"),
    )  # fmt: skip


def _global(op: str, axes: int, t: Translator, call: LayerCall) -> Result:
    x = spatial(t, call, call.value, axes)
    name = t.emit(call, op, [x], output_size=(1,) * axes)
    if call.get("keepdims", False):
        return Value(name, x.image)
    batch, channels = t.stored(x).shape[:2]
    return Value(t.emit(call, "reshape", [name], part="flat", shape=(batch, channels)))


def _adaptive(op: str, axes: int, t: Translator, call: LayerCall) -> Result:
    x = spatial(t, call, call.value, axes)
    size = sizes(call.get("output_size"), axes, "output_size")
    return Value(t.emit(call, op, [x], output_size=size), x.image)


def _edges(held: Any, axes: int, what: str) -> list[tuple[int, ...]]:
    """One number, one for each axis, or two for each axis."""
    if axes == 1:
        return [sizes(held, 2, what, least=0)]
    if not isinstance(held, (list, tuple)):
        held = [held] * axes
    if len(held) != axes:
        raise UnreadableModel(f"{what} should be {axes} numbers or pairs, not {shown(held)}.")
    return [sizes(item, 2, what, least=0) for item in held]


def _zero_padding(axes: int, t: Translator, call: LayerCall) -> Result:
    x = spatial(t, call, call.value, axes)
    pads = _edges(call.get("padding", 1), axes, "padding")
    return Value(pad(t, call, x, [(0, 0), (0, 0), *pads]), x.image)


def pad(t: Translator, call: LayerCall, x: Value, pads: Sequence[Sequence[int]]) -> str:
    """Zeros around `x`, in the layout it is held in."""
    widths = tuple(tuple(pair) for pair in pads)
    return t.emit(call, "pad", [x], padding=widths, mode="constant", value=0.0)


def _cropping(axes: int, t: Translator, call: LayerCall) -> Result:
    x = spatial(t, call, call.value, axes)
    cuts = _edges(call.get("cropping", 1), axes, "cropping")
    windows = []
    for size, (before, behind) in zip(t.stored(x).shape[2:], cuts, strict=True):
        if before + behind >= size:
            raise ShapeMismatch(f"layer {call.path!r} crops {before + behind} of {size} pixels.")
        windows.append((before, size - behind))
    return crop(t, call, x, windows)


def crop(t: Translator, call: LayerCall, x: Value, windows: Sequence[tuple[int, int]]) -> Value:
    """Cut the spatial axes of `x`, held with channels second, to start and stop."""
    name = x.name
    for axis, (start, stop) in enumerate(windows, start=2):
        if (start, stop) != (0, t.stored(x).shape[axis]):
            name = t.emit(call, "slice", [name], axis=axis, start=start, stop=stop, step=1)
    return Value(name, x.image)


def _up_sampling(axes: int, t: Translator, call: LayerCall) -> Result:
    x = spatial(t, call, call.value, axes) if axes != 1 else t.image(call.value)
    factor = sizes(call.get("size", 2), axes, "size")
    size = tuple(n * f for n, f in zip(t.stored(x).shape[2:], factor, strict=True))
    return resize(t, call, x, size, call.get("interpolation", "nearest"))


def resize(t: Translator, call: LayerCall, x: Value, size: Shape, interpolation: Any) -> Value:
    """`x`, held with channels second, at another size."""
    mode = _MODES.get(interpolation) if isinstance(interpolation, str) else None
    if mode is None:
        mode = "cubic"
        t.note(
            f"layer {call.path!r} resizes by {shown(interpolation)}, which is counted as cubic "
            "interpolation"
        )
    if size == t.stored(x).shape[2:]:
        return x
    return Value(t.emit(call, "resize", [x], size=size, mode=mode, align_corners=False), x.image)


def _resizing(t: Translator, call: LayerCall) -> Result:
    value = t.floating(call, call.value)
    rank = len(t.shape(value))
    if rank == 3:  # one picture without a batch
        value = t.reshaped(call, value, (1, *t.shape(value)), part="batch")
    x = spatial(t, call, value, 2)
    size = (
        whole(call.get("height"), "height", least=1), whole(call.get("width"), "width", least=1),
    )  # fmt: skip
    if call.get("crop_to_aspect_ratio", False) or call.get("pad_to_aspect_ratio", False):
        t.note(f"layer {call.path!r} also crops or pads to keep proportions, which is not counted")
    found = resize(t, call, x, size, call.get("interpolation", "bilinear"))
    return t.reshaped(call, found, t.shape(found)[1:], part="picture") if rank == 3 else found


def _center_crop(t: Translator, call: LayerCall) -> Result:
    """The middle of a larger picture; a smaller one is enlarged."""
    x = spatial(t, call, call.value, 2)
    size = (
        whole(call.get("height"), "height", least=1), whole(call.get("width"), "width", least=1),
    )  # fmt: skip
    held = t.stored(x).shape[2:]
    if any(n < wanted for n, wanted in zip(held, size, strict=True)):
        return resize(t, call, x, size, "bilinear")
    starts = [(n - wanted) // 2 for n, wanted in zip(held, size, strict=True)]
    return crop(t, call, x, [(at, at + wanted) for at, wanted in zip(starts, size, strict=True)])


def _flatten(t: Translator, call: LayerCall) -> Result:
    value = call.value
    shape = t.shape(value)
    if len(shape) >= 4 and channels_last(call):
        t.wish_image(value)
    features = 1
    for size in shape[1:]:
        features *= size
    return t.reshaped(call, value, (shape[0] if shape else 1, features))


LAYERS: dict[str, Handler] = {
    "Flatten": _flatten,
    "Resizing": _resizing,
    "CenterCrop": _center_crop,
    "RandomCrop": _center_crop,
}
for _axes in (1, 2, 3):
    for _word, _op in (("Max", "max_pool"), ("Average", "avg_pool")):
        for _name in (f"{_word}Pooling{_axes}D", f"{_word}Pool{_axes}D".replace("Average", "Avg")):
            LAYERS[_name] = partial(_pool, _op, _axes)
            LAYERS[f"Global{_name}"] = partial(_global, f"adaptive_{_op}", _axes)
        LAYERS[f"Adaptive{_word}Pooling{_axes}D"] = partial(_adaptive, f"adaptive_{_op}", _axes)
    LAYERS[f"ZeroPadding{_axes}D"] = partial(_zero_padding, _axes)
    LAYERS[f"Cropping{_axes}D"] = partial(_cropping, _axes)
    LAYERS[f"UpSampling{_axes}D"] = partial(_up_sampling, _axes)
