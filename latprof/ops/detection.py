"""Operators of detectors: boxes suppressed, regions pooled, maps sampled at any point."""

from __future__ import annotations

import math

from latprof.errors import ShapeMismatch
from latprof.graph import Call, Shape
from latprof.ops.spec import OpSpec, output_elements, register

# Two boxes compared: four maxima and minima, two differences, two clips, a product; the union
# (two areas, an addition, a subtraction) and its quotient against the threshold.
IOU_OPS = 15


def nms_ops(*, boxes: int, classes: int = 1, batch: int = 1) -> int:
    """Scalar operations of greedy non-maximum suppression, at most.

    Sorting, then every pair of boxes compared, as when none suppresses another (Felzenszwalb
    et al., Object detection with discriminatively trained part-based models, 2010, 3.2.1; as
    torchvision.ops.nms and ONNX NonMaxSuppression run it).
    """
    return batch * classes * IOU_OPS * (boxes * (boxes - 1) // 2 + boxes)


def _nms_sizes(call: Call) -> tuple[int, int, int]:
    """Pictures, classes and boxes: torchvision's flat form, or ONNX's scores by class."""
    boxes, scores = call.input(0).shape, call.input(1).shape
    if len(scores) == 3:
        return scores[0], scores[1], scores[2]
    if len(boxes) < 2:
        raise ShapeMismatch(f"node {call.node.name!r}: {boxes} are no boxes.")
    return math.prod(boxes[:-2]), 1, boxes[-2]


def _nms_shapes(call: Call) -> tuple[Shape, ...]:
    batch, classes, boxes = _nms_sizes(call)
    most = min(int(call.attributes.get("max_outputs", boxes)), boxes)
    if len(call.input(1).shape) == 3:
        return ((batch * classes * most, 3),)  # picture, class, box (ONNX NonMaxSuppression)
    return ((batch * most,),)


def _nms_cost(call: Call) -> int:
    batch, classes, boxes = _nms_sizes(call)
    return nms_ops(boxes=boxes, classes=classes, batch=batch)


def _sampling_ratio(call: Call) -> int:
    return int(call.attributes.get("sampling_ratio", 0))


def _roi_align_shapes(call: Call) -> tuple[Shape, ...]:
    features, rois = call.input(0).shape, call.input(1).shape
    _sampling_ratio(call)
    return ((rois[0], features[1], *map(int, call.attributes["output_size"])),)


def _roi_align_ops(call: Call) -> int:
    # Mean of ratio² samples a bin, each of four neighbours weighted and added (He et al., Mask
    # R-CNN, arXiv 1703.06870, 3). Without a set ratio it follows the region: at most the map.
    ratio = _sampling_ratio(call)
    samples = ratio * ratio
    if ratio <= 0:
        pairs = zip(call.input(0).shape[-2:], call.outputs[0].shape[-2:], strict=True)
        samples = math.prod(-(-whole // max(1, bins)) for whole, bins in pairs)
    return output_elements(call) * samples * 8


def _grid_sample_shapes(call: Call) -> tuple[Shape, ...]:
    x, grid = call.input(0).shape, call.input(1).shape
    if len(grid) != len(x) or grid[0] != x[0] or grid[-1] != len(x) - 2:
        raise ShapeMismatch(f"node {call.node.name!r}: a grid {grid} does not sample {x}.")
    return ((*x[:2], *grid[1:-1]),)


def _grid_sample_ops(call: Call) -> int:
    # Every output weights and adds its neighbours: two an axis, four for cubic (Jaderberg et al.,
    # Spatial transformer networks, arXiv 1506.02025, eq. 5), or takes the nearest.
    spatial = len(call.input(0).shape) - 2
    reach = {"nearest": 0, "cubic": 4, "bicubic": 4}.get(str(call.attributes.get("mode")), 2)
    return output_elements(call) * max(1, 2 * math.prod([reach] * spatial))


register(
    OpSpec(
        "nms",
        "ordering",
        _nms_shapes,
        elementwise_ops=_nms_cost,
        dtypes=("int64",),
        bound="as if no box suppressed another",
    )
)
register(
    OpSpec(
        "roi_align",
        "pool",
        _roi_align_shapes,
        elementwise_ops=_roi_align_ops,
        bound="without a sampling ratio, as if every region were the whole map",
    )
)
register(OpSpec("grid_sample", "pool", _grid_sample_shapes, elementwise_ops=_grid_sample_ops))
