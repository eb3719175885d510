"""Every operator, in every form that the onnx package tests, is read with the reference's shapes.

What steers shapes (axes, sizes, indices) is stored in the model, as exporters do it. What a graph
may only bound, or keeps under a foreign name, is listed.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from latprof.errors import LatprofError
from latprof.frontends.onnx.reader import read

# Shapes that depend on data: ours are the largest they can be.
BOUNDED = ("compress", "nonmaxsuppression", "nonzero", "unique")
# Not counted, and shaped as the file says, if it does: loops, and what is written with them.
LOOPS = ("scan", "linear_attention", "range_float16", "range_bfloat16")
# Sizes computed from floats, two-bit numbers, and a state of no size.
LEFT_OUT = ("window", "int2", "causal_conv_with_state")
STEERING = ("scales", "depth")  # inputs that say sizes, though they may be floats


def cases() -> Iterator[tuple[str, onnx.ModelProto, list[np.ndarray]]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # their examples overflow on purpose
        from onnx.backend.test.case.node import collect_testcases

        found = collect_testcases(None)
    for case in found:
        if case.data_sets and all(map(_is_array, (*case.data_sets[0][0], *case.data_sets[0][1]))):
            given, wanted = case.data_sets[0]
            if all(array.size for array in given):
                yield case.name, _steered(case.model, given), wanted


def _is_array(value: object) -> bool:
    return isinstance(value, (np.ndarray, np.generic))


def _steered(model: onnx.ModelProto, given: list[np.ndarray]) -> onnx.ModelProto:
    steered = onnx.ModelProto()
    steered.CopyFrom(model)
    for number, (info, array) in enumerate(zip(steered.graph.input, given, strict=False)):
        whole = array.dtype.kind in "ib" and (number or array.dtype == np.int64)
        if whole or info.name in STEERING:
            steered.graph.initializer.append(numpy_helper.from_array(np.asarray(array), info.name))
        else:
            info.type.tensor_type.shape.ClearField("dim")
            for size in array.shape:
                info.type.tensor_type.shape.dim.add().dim_value = size
    return steered


def test_shapes_are_those_of_the_reference(tmp_path: Path):
    wrong, right = [], 0
    for name, model, wanted in cases():
        if any(part in name.lower() for part in (*BOUNDED, *LOOPS, *LEFT_OUT)):
            continue
        path = tmp_path / "node.onnx"
        path.write_bytes(model.SerializeToString())
        try:
            graph = read(path)
        except LatprofError as error:
            wrong.append(f"{name}: {error}")
            continue
        shapes = [graph.tensors[output].shape for output in graph.outputs]
        if shapes == [np.shape(array) for array in wanted]:
            right += 1
        else:
            wrong.append(f"{name}: {shapes}")
    assert wrong == []
    assert right > 1000


@pytest.mark.parametrize("kind", BOUNDED)
def test_shapes_that_depend_on_data_are_bounds_and_said_so(kind, tmp_path: Path):
    for name, model, wanted in cases():
        if not name.startswith(f"test_{kind}"):
            continue
        path = tmp_path / "node.onnx"
        path.write_bytes(model.SerializeToString())
        graph = read(path)
        for output, array in zip(graph.outputs, wanted, strict=True):
            assert graph.tensors[output].elements >= array.size
        assert any("upper bound" in said for said in graph.assumptions) or not graph.nodes
