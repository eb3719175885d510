"""ONNX Runtime's channels-last layout of whole numbers, and the transpositions around it.

Every quantized convolution is given a transposition before and behind; then they are pushed
forward through whatever can run on turned tensors, as long as fewer are left before it.

References
----------
ONNX Runtime 1.31.1, onnxruntime/core/optimizer: nhwc_transformer.cc,
transpose_optimization/onnx_transpose_optimization.cc (`OptimizeImpl`, `CalculateCost`,
`EstimateTransposeValueCost`, `TransposeInputImpl`) and ort_transpose_optimization.cc (what is
special to quantized operators); checked against the nodes that its profiler reports.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from latprof.fusion.launches import Launch
from latprof.fusion.qdq import GATES
from latprof.graph import Shape

Order = tuple[int, ...]

# What runs on turned tensors as on others: all inputs and all outputs turn alike.
_TURNABLE = frozenset(
    {"quantize", "dequantize", "relu", "relu6", "clip", "sigmoid", "silu", "hard_sigmoid",
     "hard_swish", "mish", "gelu", "leaky_relu", "elu", "celu", "selu", "softplus", "softsign",
     "tanh", "exp", "log", "sqrt", "rsqrt", "reciprocal", "neg", "abs", "erf", "floor", "ceil",
     "round", "sign", "sin", "cos", "cast", "add", "sub", "mul", "div", "pow", "minimum", "maximum",
     "prelu", "where", "greater", "less", "equal", "concat", "split", "slice", "pad", "tile",
     "softmax", "log_softmax"}
)  # fmt: skip
_REDUCTIONS = frozenset({"mean", "sum", "max", "min", "prod", "norm", "logsumexp"})


@dataclass(eq=False)
class Step:
    """One launch in the making, in terms of the values it takes and gives.

    Parameters
    ----------
    op : str
        The operator; ``quantize``, ``dequantize``, ``turn`` for a transposition.
    inputs, outputs : list of str
    launch : Launch, optional
        The launch it is, unless it is one that no node of the graph asks for.
    integers : bool
        Whether it runs on whole numbers.
    order : tuple of int
        For a transposition.
    turned : bool
        Whether it runs on channels-last tensors.
    name : str
        For one without a launch.
    """

    op: str
    inputs: list[str]
    outputs: list[str]
    launch: Launch | None = None
    integers: bool = False
    order: Order = ()
    turned: bool = False
    name: str = ""


@dataclass
class Turning:
    """Steps and their values, while transpositions are put in and pushed forward."""

    shapes: dict[str, Shape]
    kept: frozenset[str]  # what leaves the model
    steps: list[Step] = field(default_factory=list)
    _givers: dict[str, Step] = field(default_factory=dict)
    _takers: dict[str, list[Step]] = field(default_factory=dict)
    _leading: set[str] = field(default_factory=set)
    _count: int = 0

    def add(self, step: Step) -> None:
        """Append a step; what it takes has been given before, or is the model's input."""
        self.steps.append(step)
        for name in step.outputs:
            self._givers[name] = step
        for name in step.inputs:
            self._takers.setdefault(name, []).append(step)

    def run(self) -> list[Step]:
        """All steps in running order, transpositions among them."""
        for step in list(self.steps):
            if step.integers and step.op == "conv":
                rank = len(self.shapes[step.inputs[0]])
                self._turn_input(step, 0, to_channels_last(rank))
                self._turn_outputs(step, to_channels_first(rank))
                step.turned = True
        self._push()
        return self._in_order()

    def _push(self) -> None:
        self._find_leading()
        for step in self._in_order():
            for index, name in enumerate(step.inputs):
                before = self._givers.get(name)
                if before is not None and before.op == "turn" and self._pushed(step, index, before):
                    break

    def _find_leading(self) -> None:
        for step in reversed(self._in_order()):
            if step.op == "turn":
                self._leading.add(step.inputs[0])
            elif (
                self._handles(step)
                and self._turns_outputs(step)
                and self._leading.intersection(step.outputs)
            ):
                self._leading.update(step.inputs)

    def _pushed(self, step: Step, index: int, before: Step) -> bool:
        if step.op == "turn":
            self._join_turns(step, before)
            return True
        if not self._handles(step) or not self._fits(step, before.order):
            return False
        if not self._worth_it(step, before.order):
            return False
        if step.op == "channel_shuffle":
            self._set_input(step, index, before.inputs[0])  # its own transposition does both
            self._drop_if_unread(before)
            return True
        if step.op == "reshape":
            self._turn_reshape(step, before)
            return True
        for number in range(len(step.inputs)):
            if len(self.shapes[step.inputs[number]]) == len(before.order):
                self._turn_input(step, number, inverse(before.order))
        step.turned = True
        self._turn_outputs(step, before.order)
        return True

    def _worth_it(self, step: Step, order: Order) -> bool:
        if step.op == "max_pool":
            return True
        if _interpolates(step):
            return True
        gated = step.op in GATES  # its float half is given quantized: nothing to look past
        cost = sum(self._input_cost(name, order, past=not gated) for name in step.inputs)
        if cost < 0 and self._turns_outputs(step) and not self._leading.intersection(step.outputs):
            cost += max(_rank(self.shapes[name]) for name in step.outputs)
        return cost < 0

    def _input_cost(self, name: str, order: Order, *, past: bool) -> int:
        before = self._givers.get(name)
        if past and before is not None and before.op == "dequantize":
            before = self._givers.get(before.inputs[0], before)
        if before is not None and before.op == "turn":
            gone = before.order == order and self._likely_removed(before)
            return -_rank(self.shapes[name]) if gone else 0
        return _rank(self.shapes[name])

    def _likely_removed(self, turn: Step) -> bool:
        output = turn.outputs[0]
        readers = self._takers.get(output, [])
        return output not in self.kept and all(map(self._handles, readers))

    def _handles(self, step: Step) -> bool:
        """Whether there is a rule for pushing a transposition through this kind of step."""
        if step.op in _TURNABLE or step.op in _REDUCTIONS or step.op in ("turn", "transpose"):
            return True
        if step.op in ("max_pool", "resize", "channel_shuffle", "reshape"):
            return True
        if step.op in ("adaptive_avg_pool", "adaptive_max_pool") and _is_reduction(step):
            return True
        return step.integers and step.op in ("avg_pool", "adaptive_avg_pool")

    def _fits(self, step: Step, order: Order) -> bool:
        """Whether that rule applies to this very step."""
        back = order == to_channels_first(len(order))
        if step.op == "reshape":
            return _split_axis(self.shapes[step.inputs[0]], self.shapes[step.outputs[0]]) >= 0
        if step.op in ("max_pool", "avg_pool"):
            return step.integers and back
        if step.op == "resize":
            return len(order) == 4 and (back or order == to_channels_last(4))
        if step.op == "channel_shuffle":
            return back
        if step.op in ("adaptive_avg_pool", "adaptive_max_pool"):
            return _is_reduction(step) or back
        return True

    @staticmethod
    def _turns_outputs(step: Step) -> bool:
        return step.op not in ("turn", "channel_shuffle", "reshape")

    def _join_turns(self, step: Step, before: Step) -> None:
        joined = tuple(before.order[axis] for axis in step.order)
        if joined == tuple(range(len(joined))) and step.outputs[0] not in self.kept:
            for reader in list(self._takers.get(step.outputs[0], [])):
                for number, name in enumerate(reader.inputs):
                    if name == step.outputs[0]:
                        self._set_input(reader, number, before.inputs[0])
            self._drop_if_unread(step)
        else:
            step.order = joined
            self._set_input(step, 0, before.inputs[0])
        self._drop_if_unread(before)

    def _turn_reshape(self, step: Step, before: Step) -> None:
        """Split the same axis of the tensor as it was before it was turned."""
        taken, given = self.shapes[step.inputs[0]], self.shapes[step.outputs[0]]
        split = _split_axis(taken, given)
        parts = len(given) - len(taken) + 1
        wide: list[list[int]] = []  # axes of the result that each axis of what is taken becomes
        for axis in range(len(taken)):
            first = axis if axis <= split else axis + parts - 1
            wide.append(list(range(first, first + (parts if axis == split else 1))))
        back = inverse(before.order)
        unturned = [axis for source in back for axis in wide[source]]
        self._set_input(step, 0, before.inputs[0])
        self._drop_if_unread(before)
        self._turn_outputs(step, inverse(unturned))

    def _turn_input(self, step: Step, index: int, order: Order) -> None:
        name = step.inputs[index]
        before = self._givers.get(name)
        if before is not None and before.op == "turn":
            if before.order == inverse(order):
                self._set_input(step, index, before.inputs[0])
                self._drop_if_unread(before)
                return
            name, order = before.inputs[0], tuple(before.order[axis] for axis in order)
        for reader in self._takers.get(name, []):
            if reader.op == "turn" and reader.order == order and reader is not step:
                self._set_input(step, index, reader.outputs[0])
                return
        self._set_input(step, index, self._new_turn(name, order, step.integers))
        if before is not None:
            self._drop_if_unread(before)

    def _turn_outputs(self, step: Step, order: Order) -> None:
        for index, name in enumerate(step.outputs):
            shape = self.shapes[name]
            here = order
            if len(shape) != len(order):  # a reduction that drops axes
                gone = {order[axis] for axis in _axes(step, len(order))}
                left = [axis for axis in order if axis not in gone]
                here = tuple(sorted(left).index(axis) for axis in left)
            if here == tuple(range(len(here))):
                continue
            self._count += 1
            inner = f"{name}/turned{self._count}"
            self.shapes[inner] = tuple(shape[axis] for axis in inverse(here))
            step.outputs[index] = inner
            self._givers[inner] = step
            turn = Step("turn", [inner], [name], integers=self._carries_integers(step), order=here)
            self.steps.append(turn)
            self._givers[name] = turn
            self._takers.setdefault(inner, []).append(turn)

    @staticmethod
    def _carries_integers(step: Step) -> bool:
        return step.op == "quantize" or (step.integers and step.op != "dequantize")

    def _new_turn(self, name: str, order: Order, integers: bool) -> str:
        self._count += 1
        output = f"{name}/turned{self._count}"
        self.shapes[output] = tuple(self.shapes[name][axis] for axis in order)
        self.add(Step("turn", [name], [output], integers=integers, order=order))
        return output

    def _set_input(self, step: Step, index: int, name: str) -> None:
        old = step.inputs[index]
        self._takers[old].remove(step)
        step.inputs[index] = name
        self._takers.setdefault(name, []).append(step)

    def _drop_if_unread(self, step: Step) -> None:
        if self._takers.get(step.outputs[0]) or step.outputs[0] in self.kept:
            return
        if step in self.steps:
            self.steps.remove(step)
            self._takers[step.inputs[0]].remove(step)
            del self._givers[step.outputs[0]]

    def _in_order(self) -> list[Step]:
        """Steps in an order in which they can run, near to the one they came in."""
        done: dict[int, Step] = {}
        for last in self.steps:
            waiting = [last]
            while waiting:
                step = waiting[-1]
                before = [self._givers[name] for name in step.inputs if name in self._givers]
                missing = [s for s in before if id(s) not in done]
                if id(step) in done or not missing:
                    done.setdefault(id(step), step)
                    waiting.pop()
                else:
                    waiting += missing
        return list(done.values())


def _split_axis(taken: Shape, given: Shape) -> int:
    """The one axis that a reshape splits, if that is all it does; else -1."""
    more = len(given) - len(taken)
    for axis in range(len(taken)) if more > 0 else ():
        ends = taken[:axis] == given[:axis] and taken[axis + 1 :] == given[axis + more + 1 :]
        if ends and taken[axis] == math.prod(given[axis : axis + more + 1]):
            return axis
    return -1


def to_channels_last(rank: int) -> Order:
    return (0, *range(2, rank), 1)


def to_channels_first(rank: int) -> Order:
    return inverse(to_channels_last(rank))


def inverse(order: Sequence[int]) -> Order:
    return tuple(sorted(range(len(order)), key=order.__getitem__))


def _rank(shape: Shape) -> int:
    return sum(size != 1 for size in shape)


def _is_reduction(step: Step) -> bool:
    size = step.launch.main.attributes.get("output_size", ()) if step.launch is not None else ()
    return bool(size) and all(side == 1 for side in size)


def _interpolates(step: Step) -> bool:
    if step.op != "resize" or not step.integers or step.launch is None:
        return False
    return bool(step.launch.main.attributes["mode"] == "linear")


def _axes(step: Step, rank: int) -> tuple[int, ...]:
    if step.launch is None:
        return ()
    return tuple(axis % rank for axis in step.launch.main.attributes.get("axes", range(rank)))
