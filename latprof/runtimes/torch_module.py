"""A graph as a PyTorch module, for what starts from one: torch.export and torch.compile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from latprof.errors import UnsupportedOp
from latprof.graph import Call, Graph, Node
from latprof.runtimes.torch_calls import CALLS
from latprof.runtimes.weights import check_dtypes, input_values, norm_scales, weight_values

# As a target says it → in what float32 numbers are kept.
TORCH_DTYPES = {
    "fp32": torch.float32,
    "tf32": torch.float32,
    "fp16": torch.float16,
    "bf16": torch.bfloat16,
}


class Step(nn.Module):
    """One call of a graph.

    A module of its own, so that what PyTorch makes of the graph can be traced back to the call:
    exporters and compilers keep the path of the module that wrote an operation.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *taken: Any) -> Any:
        return self.function(*taken)


class GraphModule(nn.Module):
    """A module that computes `graph`, with weights drawn as every runtime's are.

    `forward` takes the graph's inputs in their order (`example_inputs` makes some) and gives a
    tuple of its distinct outputs. Nothing is computed in place: what compiles a module decides
    that itself. The call at index i is the submodule ``steps.i``.

    Parameters
    ----------
    graph : Graph
    float_dtype : torch.dtype
        In what every float32 number is kept and computed.

    Raises
    ------
    UnsupportedOp
        If PyTorch lacks one of the operators.
    """

    def __init__(self, graph: Graph, float_dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        check_graph(graph)
        positive = norm_scales(graph)
        names: dict[str, str] = {}  # a tensor's name may hold dots; a parameter's may not
        for name, tensor in graph.tensors.items():
            if not tensor.is_weight:
                continue
            drawn = torch.from_numpy(weight_values(tensor, positive=name in positive))
            names[name] = f"weight_{len(names)}"
            kept = as_dtype(drawn, float_dtype)
            if tensor.role == "parameter" and kept.is_floating_point():
                self.register_parameter(names[name], nn.Parameter(kept, requires_grad=False))
            else:
                self.register_buffer(names[name], kept)
        self._weights = tuple(names.items())
        self._inputs = graph.inputs
        self._outputs = tuple(dict.fromkeys(graph.outputs))
        self._float_dtype = float_dtype
        self._example = tuple(graph.tensors[name] for name in graph.inputs)
        self.steps = nn.ModuleList(
            Step(function_of(_not_in_place(call), float_dtype)) for call in graph.calls
        )
        self._plan = tuple((call.node.inputs, call.node.outputs) for call in graph.calls)
        self.eval()

    def forward(self, *inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
        values: dict[str, Any] = dict(zip(self._inputs, inputs, strict=True))
        for name, attribute in self._weights:
            values[name] = getattr(self, attribute)
        for step, (taken, given) in zip(self.steps, self._plan, strict=True):
            result = step(*[values[name] if name else None for name in taken])
            if not isinstance(result, (tuple, list)):
                result = (result,)
            # Some give more than is wanted: the largest beside where it stood.
            for name, part in zip(given, result, strict=False):
                values[name] = part
        return tuple([values[name] for name in self._outputs])

    def example_inputs(self) -> tuple[torch.Tensor, ...]:
        """Inputs like those every runtime is given."""
        return tuple(
            as_dtype(torch.from_numpy(input_values(tensor)), self._float_dtype)
            for tensor in self._example
        )


def check_graph(graph: Graph) -> None:
    """Refuse a graph that PyTorch cannot run.

    Raises
    ------
    UnsupportedOp
    """
    unknown = sorted({node.op for node in graph.nodes} - CALLS.keys())
    if unknown:
        raise UnsupportedOp(
            f"{graph.name!r} uses {', '.join(unknown)}, which latprof cannot yet run under "
            "PyTorch. `latprof predict` still answers, with a bound for these; to measure, "
            "replace them or run another --runtime."
        )
    check_dtypes(graph, "PyTorch")


def function_of(call: Call, float_dtype: torch.dtype = torch.float32) -> Callable[..., Any]:
    """What computes `call`: a function of its inputs in their order, None for one left out.

    Raises
    ------
    UnsupportedOp
        If its settings are none that PyTorch knows.
    """
    if call.node.op == "cast" and call.outputs[0].dtype == "float32":
        return lambda x: x.to(float_dtype)
    try:
        return CALLS[call.node.op](call)
    except (KeyError, ValueError, TypeError, IndexError) as error:
        raise UnsupportedOp(
            f"node {call.node.name!r} ({call.node.op}) cannot be run under PyTorch with the "
            f"settings {dict(call.attributes)}: {error!r}. Run another --runtime."
        ) from error


def as_dtype(numbers: torch.Tensor, float_dtype: torch.dtype) -> torch.Tensor:
    """`numbers`, those of float32 as `float_dtype`."""
    return numbers.to(float_dtype) if numbers.dtype is torch.float32 else numbers


def _not_in_place(call: Call) -> Call:
    if not call.attributes.get("inplace"):
        return call
    node = call.node
    settings = {**node.attributes, "inplace": False}
    plain = Node(node.name, node.op, node.inputs, node.outputs, settings, node.module)
    return Call(plain, call.inputs, call.outputs)
