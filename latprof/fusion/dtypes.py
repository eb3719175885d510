"""A float32 graph as one that a runtime keeps in another dtype."""

from __future__ import annotations

from dataclasses import replace

from latprof.graph import Graph

# As a target says it → what tensors are kept in.
DTYPE_NAMES = {"fp32": "float32", "tf32": "float32", "fp16": "float16", "bf16": "bfloat16"}


def in_dtype(graph: Graph, dtype: str) -> Graph:
    """`graph` with every float32 tensor in `dtype`, a key of `DTYPE_BYTES`.

    Indices and masks stay what they are, and so does a number that is float64 on purpose.
    """
    if dtype == "float32":
        return graph
    tensors = {
        name: replace(tensor, dtype=dtype) if tensor.dtype == "float32" else tensor
        for name, tensor in graph.tensors.items()
    }
    return replace(graph, tensors=tensors)
