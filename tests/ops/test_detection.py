from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 (the name everybody knows it by)

from latprof.errors import ShapeMismatch
from latprof.ops import OPS


def test_suppression_keeps_every_box_at_most(call_of):
    call = call_of("nms", (20, 4), (20,))
    assert call.outputs[0].shape == (20,)
    assert OPS["nms"].elementwise_ops(call) == 15 * (20 * 19 // 2 + 20)
    assert OPS["nms"].bound
    assert call_of("nms", (20, 4), (20,), max_outputs=5).outputs[0].shape == (5,)


def test_suppression_by_class_gives_picture_class_and_box(call_of):
    # ONNX: boxes of 2 pictures, scores of 3 classes.
    call = call_of("nms", (2, 20, 4), (2, 3, 20), max_outputs=5)
    assert call.outputs[0].shape == (30, 3)


def test_regions_are_pooled_from_four_neighbours_a_sample(call_of):
    call = call_of("roi_align", (1, 8, 50, 50), (3, 5), output_size=(7, 7), sampling_ratio=2)
    assert call.outputs[0].shape == (3, 8, 7, 7)
    assert OPS["roi_align"].elementwise_ops(call) == 3 * 8 * 49 * 4 * 8
    # Left open, a region may be the whole map: 8 × 8 samples a bin.
    call = call_of("roi_align", (1, 8, 50, 50), (3, 5), output_size=(7, 7))
    assert OPS["roi_align"].elementwise_ops(call) == 3 * 8 * 49 * 64 * 8


@pytest.mark.parametrize(("mode", "per_output"), [("linear", 8), ("nearest", 1), ("cubic", 32)])
def test_sampling_weights_its_neighbours(call_of, mode, per_output):
    call = call_of("grid_sample", (2, 3, 6, 7), (2, 4, 5, 2), mode=mode)
    there = F.grid_sample(torch.zeros(2, 3, 6, 7), torch.zeros(2, 4, 5, 2), align_corners=False)
    assert call.outputs[0].shape == tuple(there.shape)
    assert OPS["grid_sample"].elementwise_ops(call) == per_output * 2 * 3 * 4 * 5


def test_a_grid_of_another_batch_is_refused(call_of):
    with pytest.raises(ShapeMismatch, match="does not sample"):
        call_of("grid_sample", (2, 3, 6, 7), (1, 4, 5, 2))
