"""Detections: TFLite's suppression of boxes, and the custom operator that ends SSD networks."""

from __future__ import annotations

from latprof.errors import ShapeMismatch
from latprof.frontends.tflite.layers import Translate
from latprof.frontends.tflite.translator import NotTold, Translator
from latprof.graph import Tensor

_BOUND = "how many boxes are left depends on the data; counted as the most there can be"


def _lone_number(t: Translator, output: int, value: int) -> None:
    """An output that says how many of the others count: at most all."""
    index = t.call.outputs[output]
    shape = t.graph.tensors[index].shape
    shape = shape if shape == (1,) else ()
    t.learn(index, shape, (value,))


def _nms(t: Translator) -> None:
    """NON_MAX_SUPPRESSION_V4 gives indices and their number, V5 also scores in between."""
    boxes, scores = t.call.inputs[:2]
    if t.rank(boxes) != 2 or t.rank(scores) != 1:
        raise ShapeMismatch(f"{t.call.kind} of boxes {t.shape(boxes)}, scores {t.shape(scores)}.")
    (count,) = t.whole(2, 1)
    marks = t.operand(scores)
    index_dtype = t.dtype(t.call.outputs[0])
    chosen = t.emit("nms", [t.operand(boxes), marks], dtype=index_dtype, max_outputs=max(0, count))
    t.give(chosen)
    last = len(t.call.outputs) - 1
    if last == 2:
        t.give(t.emit("gather", [marks, chosen], axis=0), output=1)
    if last:
        _lone_number(t, last, t.builder.tensor(chosen).shape[0])
    t.doubt(_BOUND)


def _detections(t: Translator) -> None:
    """TFLite_Detection_PostProcess: boxes against anchors, scores by class, one suppression.

    Outputs are boxes, classes, scores and their number (tensorflow/lite/kernels/
    detection_postprocess.cc, its fast suppression over the best class of each box).
    """
    if len(t.call.inputs) != 3 or len(t.call.outputs) != 4:
        raise NotTold
    boxes, scores, anchors = t.call.inputs
    shape, marks = t.shape(boxes), t.shape(scores)
    if not len(shape) == len(marks) == 3 or shape[:2] != marks[:2] or shape[0] != 1:
        raise ShapeMismatch(f"{t.call.custom} of boxes {shape} and scores {marks}.")
    said = t.graph.tensors[t.call.outputs[0]].shape
    most = min(said[1], shape[1]) if len(said) == 3 else shape[1]
    places, values = t.operand(boxes), t.operand(scores)
    if t.is_stored(anchors):
        t.operand(anchors)  # counted with the model's constants
    best = t.emit("max", [values], axes=(2,), keepdims=False)
    classes = t.emit("argmax", [values], dtype="float32", axes=(2,), keepdims=False)
    chosen = t.emit("nms", [places, best], dtype="int32", max_outputs=most)
    for output, source in enumerate((places, classes, best)):
        t.give(t.emit("gather", [source, chosen], axis=1), output=output)
    name = t.free_name("detections")
    t.builder.add_tensor(Tensor(name, (1,), "float32", "constant", (float(most),)))
    t.give(name, output=3)
    t.doubt(f"{_BOUND}; turning anchors into boxes is left out")


DETECTION: dict[str, Translate] = {
    "NON_MAX_SUPPRESSION_V4": _nms,
    "NON_MAX_SUPPRESSION_V5": _nms,
}
CUSTOM: dict[str, Translate] = {"TFLite_Detection_PostProcess": _detections}
