"""Graph → ONNX, with stand-in weights.

Operators become what PyTorch's own exporter (torch.onnx.export, 2.13) writes for them, so that
the runtime meets the model it would meet in use; node names are kept, so that what it reports
can be traced back to the graph.
"""

from __future__ import annotations

import onnx

from latprof.errors import MeasurementError, UnsupportedOp
from latprof.graph import Graph
from latprof.runtimes.onnx_nodes import Writer
from latprof.runtimes.onnx_operators import WRITERS
from latprof.runtimes.weights import check_dtypes

MAX_BYTES = 2**31 - 1  # of one protobuf message


def write_onnx(graph: Graph) -> onnx.ModelProto:
    """An ONNX model that computes `graph` on random weights.

    Raises
    ------
    UnsupportedOp
        If an operator has no ONNX form here; the message lists all of them.
    MeasurementError
        If the weights do not fit into one ONNX file.
    """
    unknown = sorted({node.op for node in graph.nodes} - WRITERS.keys())
    if unknown:
        raise UnsupportedOp(
            f"{graph.name!r} uses {', '.join(unknown)}, which latprof cannot yet run under ONNX "
            "Runtime. `latprof predict` still answers, with a bound for these; to measure, "
            "replace them or run another --runtime."
        )
    check_dtypes(graph, "ONNX Runtime")
    weight_bytes = sum(tensor.bytes for tensor in graph.tensors.values() if tensor.is_weight)
    if weight_bytes > MAX_BYTES:
        raise MeasurementError(
            f"{graph.name!r} has {weight_bytes / 1e9:.1f} GB of weights, and an ONNX file holds "
            "2.1 GB. Run another --runtime, or predict instead of measuring."
        )
    writer = Writer(graph)
    for call in graph.calls:
        try:
            WRITERS[call.node.op](writer, call)
        except (KeyError, ValueError, TypeError, IndexError) as error:
            raise UnsupportedOp(
                f"node {call.node.name!r} ({call.node.op}) cannot be run under ONNX Runtime with "
                f"the settings {dict(call.attributes)}: {error!r}. Run another --runtime."
            ) from error
    return writer.finish()
