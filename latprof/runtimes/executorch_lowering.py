"""Graph → a program of ExecuTorch, and what each of its instructions computes.

A program is made as the library's users make one: torch.export, then
to_edge_transform_and_lower with the XNNPACK partitioner. Every operation keeps the path of the
module that wrote it, ``steps.7``, so that each instruction can be traced back to our nodes.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from operator import getitem
from typing import Any

import torch

from latprof.errors import MeasurementError, UnsupportedOp
from latprof.graph import Graph
from latprof.runtimes.executorch_delegate import TRANSPOSE, DelegateNode, read_delegate
from latprof.runtimes.executorch_profile import Instruction, Unit
from latprof.runtimes.failures import failed
from latprof.runtimes.torch_module import GraphModule

# What importing it would say of torchao's kernels for GPUs, and of enumerations.
for _talker in ("torchao", "torch.utils._pytree"):
    logging.getLogger(_talker).setLevel(logging.ERROR)
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import (
        EdgeCompileConfig,
        ExecutorchBackendConfig,
        to_edge_transform_and_lower,
    )
    from executorch.exir.lowered_backend_module import executorch_call_delegate
    from executorch.exir.memory import alloc
    from executorch.exir.passes import MemoryPlanningPass
    from executorch.extension.pybindings import portable_lib

__all__ = ["Lowered", "lower", "portable_lib"]

_TO_LAST = (0, 2, 3, 1)
_NORM_APART = "XNNDepthwiseConv2d"
# What XNNPACK has no bounds for: it runs a clamp behind it.
_CLAMPED_APART = ("XNNAdd", "XNNSubtract", "XNNMultiply")
_TAKE_NORMS = ("aten.convolution.default", "aten.linear.default")


@dataclass(frozen=True)
class Lowered:
    """A program.

    Parameters
    ----------
    program : bytes
        As in a .pte file.
    inputs : tuple of torch.Tensor
    instructions : tuple of Instruction
        In their order.
    """

    program: bytes
    inputs: tuple[torch.Tensor, ...]
    instructions: tuple[Instruction, ...]


def lower(graph: Graph) -> Lowered:
    """The program of `graph`.

    Raises
    ------
    UnsupportedOp
        If PyTorch lacks one of the operators.
    MeasurementError
        If ExecuTorch cannot lower it.
    """
    module = GraphModule(graph)
    inputs = module.example_inputs()
    # Inputs stay where they are: planned ones would be copied, and written over, in every run.
    planning = MemoryPlanningPass(alloc_graph_input=False)
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            edge = to_edge_transform_and_lower(
                torch.export.export(module, inputs),
                partitioner=[XnnpackPartitioner()],
                compile_config=EdgeCompileConfig(_check_ir_validity=False),
            )
            made = edge.to_executorch(ExecutorchBackendConfig(memory_planning_pass=planning))
            program = bytes(made.buffer)
    except Exception as error:  # exporter, passes and XNNPACK's writer raise all kinds
        raise failed("ExecuTorch", "lower", graph.name, error) from error
    found = _instructions(made.exported_program().graph_module, graph)
    (plan,) = made.executorch_program.execution_plan
    if len(found) != len(plan.chains[0].instructions):
        raise MeasurementError(
            f"ExecuTorch made {len(plan.chains[0].instructions)} instructions of {graph.name!r} "
            f"where latprof counts {len(found)}: their times cannot be told apart. Run another "
            "--runtime."
        )
    _check_operators(plan, found, graph)
    return Lowered(program, inputs, tuple(found))


def _check_operators(plan: Any, found: Sequence[Instruction], graph: Graph) -> None:
    """Refuse a program that calls portable kernels which this build of ExecuTorch lacks.

    Loading it would only give the number of an error.
    """
    named = {f"{o.name}.{o.overload}" if o.overload else o.name for o in plan.operators}
    lacking = sorted(named - set(portable_lib._get_operator_names()))
    if lacking:
        kinds = {name.rpartition("::")[2] for name in lacking}
        nodes = [i.units[0].node for i in found if i.units[0].kind in kinds and i.units[0].node]
        raise UnsupportedOp(
            f"{graph.name!r} needs {', '.join(lacking)}"
            + (f" for {nodes[0]!r}" if nodes else "")
            + ", which this ExecuTorch has no kernel for. Run another --runtime."
        )


def _instructions(program: Any, graph: Graph) -> list[Instruction]:
    """The instructions that a lowered module becomes: one for each call that computes."""
    found = []
    for node in program.graph.nodes:
        if node.op != "call_function" or node.target in (getitem, alloc):
            continue
        if node.target is executorch_call_delegate:
            part = getattr(program, node.args[0].target)
            givers = [_giver(argument, program, graph) for argument in node.args[1:]]
            found.append(Instruction(_units(part, givers, graph), delegate=True))
        else:
            kind = str(getattr(node.target, "__name__", node.target))
            found.append(Instruction((Unit(kind, _node_of(node, graph)),)))
    return found


def _giver(argument: Any, program: Any, graph: Graph) -> str:
    """The node of ours that gives what a part takes; what comes from a part is traced into it."""
    if argument.target is getitem and argument.args[0].target is executorch_call_delegate:
        source, index = argument.args
        inner = getattr(program, source.args[0].target).original_module.graph
        return _node_of(inner.output_node().args[0][index], graph)
    return _node_of(argument, graph)


def _units(part: Any, givers: Sequence[str], graph: Graph) -> tuple[Unit, ...]:
    """What the operators of a part for XNNPACK compute."""
    inner = part.original_module.graph.nodes
    node_of = {n.meta["debug_handle"]: _node_of(n, graph) for n in inner if "debug_handle" in n.meta
               and n.op == "call_function"}  # fmt: skip
    nodes, entering = read_delegate(part.processed_bytes)
    norms = iter([_node_of(n, graph) for n in inner if _is_norm_apart(n)])
    givers_of = dict(zip(entering, givers, strict=False))
    units = []
    for node in nodes:
        unit = _unit(node, node_of, givers_of)
        if not unit.node and node.kind == _NORM_APART:  # it has lost its handle
            unit = replace(unit, node=next(norms, ""))
        givers_of[node.gives] = unit.node
        units.append(unit)
        if node.clamped and node.kind in _CLAMPED_APART:
            units.append(Unit("XNNClamp", unit.node))
    return tuple(units)


def _is_norm_apart(node: Any) -> bool:
    """Whether a norm becomes a convolution of its own (DecomposeBatchNorm), nothing to fold into.

    FuseBatchNormPass folds it into a convolution or linear layer that nothing else reads.
    """
    name = str(getattr(node.target, "__name__", ""))
    if name != "aten._native_batch_norm_legit_no_training.default":
        return False
    before = node.args[0]
    folds = str(getattr(before.target, "__name__", "")) in _TAKE_NORMS
    return not folds or len(before.users) > 1


def _unit(node: DelegateNode, node_of: Mapping[int, str], givers_of: Mapping[int, str]) -> Unit:
    if node.kind != TRANSPOSE or node.handle in node_of:
        return Unit(node.kind, node_of.get(node.handle, ""))
    turn = "reorder_input" if node.order == _TO_LAST else "reorder_output"
    return Unit(node.kind, givers_of.get(node.turns, ""), turn)


def _node_of(node: Any, graph: Graph) -> str:
    """The node of ours that an operation was made from, or the input that it is."""
    step = _step(node)
    if step is None and node.target is getitem:  # one of several results
        node = node.args[0]
        step = _step(node)
    if step is not None:
        return graph.nodes[step].name
    if node.op == "placeholder":
        prefix, _, number = node.name.rpartition("_")
        if prefix == "inputs" and number.isdecimal() and int(number) < len(graph.inputs):
            return graph.inputs[int(number)]
    return ""


def _step(node: Any) -> int | None:
    """Which call of the graph wrote an operation."""
    stack = node.meta.get("nn_module_stack") or {}
    for path, _ in reversed(stack.values()):
        name, _, number = str(path).rpartition(".")
        if name.endswith("steps") and number.isdecimal():
            return int(number)
    return None
