"""Graph → the operators that a converter to TensorFlow Lite writes for it."""

from __future__ import annotations

from latprof.fusion.launches import Launch, LaunchList
from latprof.fusion.tflite import convolutions, elementwise, movements
from latprof.fusion.tflite.elementwise import Convert
from latprof.fusion.tflite.grouping import group
from latprof.fusion.tflite.plan import (
    CHANNELS_LAST,
    Operand,
    Plan,
    Value,
    stored_dtype,
    whole_numbers,
)
from latprof.graph import Call, Graph, Tensor

CONVERTERS: dict[str, Convert] = {
    "conv": convolutions.conv,
    "conv_transpose": convolutions.conv_transpose,
    "linear": convolutions.linear,
    "matmul": convolutions.matmul,
    "attention": convolutions.attention,
    **elementwise.CONVERTERS,
    **movements.CONVERTERS,
}


def convert(graph: Graph) -> Plan:
    """The operators of `graph`, maps stored channels last, in running order.

    A node that has no form in TensorFlow Lite here stands in it as a ``CUSTOM`` operator, and is
    told in `unknown`.
    """
    launches = LaunchList(graph)
    plan = Plan(graph.name, group(launches))
    for name in graph.inputs:
        plan.values[name] = _enters(graph.tensors[name])
        plan.inputs.append(plan.values[name])
    pending = [call for call in graph.calls if call.node.op == "identity"]
    for launch in launches.alive:
        pending = _pass_on(plan, pending)
        plan.launch = launch
        before = len(plan.ops)
        try:
            _convert_one(plan, launch)
        except (KeyError, ValueError, TypeError, IndexError) as error:
            del plan.ops[before:]
            plan.unknown.append((launch.main, _reason(error)))
            _stand_in(plan, launch)
    _pass_on(plan, pending)
    for name in dict.fromkeys(graph.outputs):
        plan.outputs.append(_leaves(plan, graph, name))
    return plan


def _convert_one(plan: Plan, launch: Launch) -> None:
    converter = CONVERTERS.get(launch.main.node.op)
    if converter is None:
        raise ValueError("no form in TensorFlow Lite")
    converter(plan, launch)


def _reason(error: Exception) -> str:
    return f"lacks {error}" if isinstance(error, KeyError) else str(error)


def _stand_in(plan: Plan, launch: Launch) -> None:
    call = launch.calls[-1]
    inputs = [plan.values[name] for name in launch.inputs if name in plan.values]
    for index, tensor in enumerate(call.outputs):
        if inputs:
            value = plan.add("CUSTOM", inputs, tensor.shape, step=f"output{index}")
        else:
            value = Value(tensor.name, tensor.shape, tuple(range(len(tensor.shape))))
        plan.give(value, index)


def _enters(tensor: Tensor) -> Value:
    maps = len(tensor.shape) == 4 and tensor.dtype.startswith("float")
    order = CHANNELS_LAST if maps else tuple(range(len(tensor.shape)))
    shape = tuple(tensor.shape[axis] for axis in order)
    return Value(tensor.name, shape, order, stored_dtype(tensor))


def _pass_on(plan: Plan, identities: list[Call]) -> list[Call]:
    """Give what an identity takes its second name; those whose input is not there yet wait."""
    waiting = []
    for call in identities:
        source = call.input(0).name
        if source in plan.values:
            plan.values[call.outputs[0].name] = plan.values[source]
        else:
            waiting.append(call)
    return waiting


def _leaves(plan: Plan, graph: Graph, name: str) -> Value:
    value = plan.values[name]
    if value.turned is not None:
        value = plan.plain(value)
    entered = {v.name for v in plan.inputs} | {v.name for v in plan.outputs}
    if value.name in entered:  # a network gives nothing as it came, and nothing twice
        plan.launch = (
            Launch.of(graph.call(graph.producers[name]))
            if name in graph.producers
            else (plan.launch)
        )
        inputs: list[Operand] = [value, whole_numbers(value.shape)]
        value = plan.add("RESHAPE", inputs, value.shape, value.order, step=f"given:{name}")
    return value
