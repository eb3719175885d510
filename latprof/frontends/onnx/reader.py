"""An ONNX file → graph, read from its bytes: weights stay where they are, and nothing is run.

References
----------
ONNX, docs/IR.md and onnx/onnx.proto: what a model is and how it is stored.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Sequence
from pathlib import Path

from latprof.builder import GraphBuilder
from latprof.errors import CaptureFailed, ModelError, ShapeMismatch, UnreadableModel
from latprof.frontends.inputs import InputSpec
from latprof.frontends.onnx.calls import OWN_DOMAINS
from latprof.frontends.onnx.flow import add_initializers, in_order, run_nodes
from latprof.frontends.onnx.inputs import Declared, Inputs, settle_inputs
from latprof.frontends.onnx.messages import FunctionProto, GraphProto, ModelProto
from latprof.frontends.onnx.translator import Translator
from latprof.frontends.onnx.wire import Decoder
from latprof.frontends.patterns.composites import recognise
from latprof.graph import Graph, Shape

MAX_BYTES = 2**31  # of one protobuf message; larger models keep their weights beside the file


def read(path: Path, *, inputs: Sequence[InputSpec] = (), trust: bool = False) -> Graph:
    """Read the ONNX file at `path`; parameters of `latprof.frontends.read`."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UnreadableModel(
                "it is larger than the 2 GiB that an ONNX file can be. Save it with its weights "
                "outside: onnx.save(model, path, save_as_external_data=True)."
            )
        with path.open("rb") as file:
            content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        model = Decoder().decode(ModelProto, memoryview(content))
        return _graph(model, path, inputs)
    except OSError as error:
        raise UnreadableModel(f"cannot read {str(path)!r}: {error.strerror or error}.") from error
    except RecursionError as error:
        raise UnreadableModel(f"{str(path)!r} is nested too deeply for a real model.") from error
    except ModelError as error:
        raise type(error)(f"{str(path)!r}: {error}") from error


def _graph(model: ModelProto, path: Path, specs: Sequence[InputSpec]) -> Graph:
    proto = model.graph
    if proto is None or not proto.output:
        raise UnreadableModel(
            "it holds no graph with outputs: it was cut off, or is no ONNX model. Save it again."
        )
    stored = {tensor.name for tensor in proto.initializer}
    stored |= {sparse.values.name for sparse in proto.sparse_initializer if sparse.values}
    # Old files list stored tensors among the inputs.
    wanted = [Declared.of(info) for info in proto.input if info.name not in stored]
    settled = _settle(wanted, specs, proto)
    translator = Translator(
        GraphBuilder(path.stem, str(path)),
        path.parent,
        _declared(proto, settled),
        _functions(model),
        opset=max((o.version for o in model.opset_import if o.domain in OWN_DOMAINS), default=1),
        producer=model.producer_name,
        reshaped=settled.changed,
    )
    for tensor in settled.tensors:
        translator.add_input(tensor)
    add_initializers(translator, proto)
    run_nodes(translator, in_order(proto.node, {*stored, *(t.name for t in settled.tensors)}))
    results = [translator.value(info.name) for info in proto.output]
    graph = translator.finish([value for value in results if value], settled.assumptions)
    return recognise(graph)


def _settle(wanted: Sequence[Declared], specs: Sequence[InputSpec], proto: GraphProto) -> Inputs:
    try:
        return settle_inputs(wanted, specs, list(_weights(proto)), "the file")
    except CaptureFailed as error:
        raise ShapeMismatch(str(error)) from error


def _weights(proto: GraphProto) -> Iterator[Shape]:
    """Shapes of the stored tensors that convolutions take, in the order of the nodes."""
    shapes = {tensor.name: tuple(tensor.dims) for tensor in proto.initializer}
    for node in proto.node:
        if node.op_type in ("Conv", "FusedConv") and len(node.input) > 1:
            weight = shapes.get(node.input[1], ())
            group = next((a.i for a in node.attribute if a.name == "group"), 1)
            if len(weight) == 4:
                yield (weight[0], weight[1] * max(group, 1), *weight[2:])


def _declared(proto: GraphProto, settled: Inputs) -> dict[str, tuple[Shape | None, str]]:
    found = (Declared.of(info) for info in (*proto.value_info, *proto.output))
    return {entry.name: (entry.shape(settled.sizes), entry.dtype) for entry in found}


def _functions(model: ModelProto) -> dict[tuple[str, str], FunctionProto]:
    found: dict[tuple[str, str], FunctionProto] = {}
    for function in model.functions:
        own = function.domain in OWN_DOMAINS
        name = function.name if own else f"{function.domain}.{function.name}"
        found[name, function.overload] = function
    return found
