"""The ETDump of a lowered network → times of our kernels.

An ETDump tells the instruction that each event belongs to. A portable kernel is one instruction; a
part that XNNPACK runs is one too, with an event for each of its operators, in the order in which
they stand in it. XNNPACK names these by kind: ``Convolution (NHWC, F32) DWConv #1``.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from latprof.errors import MeasurementError
from latprof.kernel import Kernel
from latprof.runtimes.executorch_etdump import DELEGATE, OPERATOR, Event
from latprof.runtimes.litert_profile import Step, aligned
from latprof.runtimes.protocol import KernelTimes, Observed, Stray

_RESOLUTION_NS = 1000  # XNNPACK tells whole microseconds, rounded down

# How the names of XNNPACK's operators begin, by what they are in a part. Seen in ETDumps of 1.5.1.
_TAGS: dict[str, tuple[str, ...]] = {
    "XNNAdd": ("Add",),
    "XNNSubtract": ("Subtract",),
    "XNNMultiply": ("Multiply", "Square"),
    "XNNDiv": ("Divide",),
    "XNNMinimum": ("Minimum",),
    "XNNMaximum": ("Maximum",),
    "XNNPReLU": ("PReLU", "Leaky"),
    "XNNFullyConnected": ("Fully Connected",),
    "XNNBatchMatrixMultiply": ("Batch Matrix Multiply",),
    "XNNConv2d": ("Convolution", "Fully Connected"),
    "XNNDepthwiseConv2d": ("Convolution",),
    "XNNConvTranspose2d": ("Deconvolution",),
    "XNNAvgPooling2d": ("Average Pooling",),
    "XNNMaxPooling2d": ("Max Pooling",),
    "XNNGlobalAvgPooling2d": ("Mean", "Global Average Pooling"),
    "XNNStaticResizeBilinear2D": ("Resize Bilinear",),
    "XNNSoftmax": ("Softmax",),
    "XNNSigmoid": ("Sigmoid",),
    "XNNTanh": ("TanH",),
    "XNNHardswish": ("HardSwish",),
    "XNNGelu": ("GELU",),
    "XNNLeakyReLU": ("LeakyReLU", "Leaky"),
    "XNNELU": ("ELU",),
    "XNNClamp": ("Clamp",),
    "XNNExp": ("Exp",),
    "XNNLog": ("Log",),
    "XNNSin": ("Sin",),
    "XNNCos": ("Cos",),
    "XNNSquare": ("Square",),
    "XNNSquareRoot": ("Square Root",),
    "XNNReciprocalSquareRoot": ("Reciprocal Square Root",),
    "XNNNegate": ("Neg",),
    "XNNAbs": ("Abs",),
    "XNNFloor": ("Floor",),
    "XNNCeiling": ("Ceil",),
    "XNNConcatenate2": ("Copy",),
    "XNNConcatenate3": ("Copy",),
    "XNNConcatenate4": ("Copy",),
    "XNNConcatenate5": ("Copy",),
    "XNNStaticSlice": ("Slice", "Static Slice"),
    "XNNStaticReshape": ("Static Reshape", "Copy"),
    "XNNStaticTranspose": ("Transpose",),
    "XNNStaticConstantPad": ("Constant Pad",),
    "XNNCopy": ("Copy",),
}
# Those that XNNPACK may find it can do without.
_OPTIONAL = frozenset(
    {"XNNStaticReshape", "XNNStaticTranspose", "XNNStaticConstantPad", "XNNClamp", "XNNCopy"}
)


@dataclass(frozen=True)
class Unit:
    """What an instruction does for one node of the graph.

    Parameters
    ----------
    kind : str
        ``XNNConv2d`` in a part for XNNPACK; else the operator: ``mean.out``.
    node : str
        Of our graph, or one of its inputs; for a turn, the one that gives what is turned.
    turn : str
        ``reorder_input`` or ``reorder_output`` for a transpose that ExecuTorch put in.
    """

    kind: str
    node: str
    turn: str = ""


@dataclass(frozen=True)
class Instruction:
    """One instruction of a program: a portable kernel, or a part that XNNPACK runs."""

    units: tuple[Unit, ...]
    delegate: bool = False


def kernel_times(
    instructions: Sequence[Instruction],
    runs: Sequence[Sequence[Event]],
    kernels: Sequence[Kernel],
) -> Observed:
    """Times of each kernel, run by run, and the launches that match no kernel.

    Parameters
    ----------
    instructions : sequence of Instruction
        Of the program.
    runs : sequence of sequence of Event
        From its ETDump.
    kernels : sequence of Kernel
        What fusion predicted, in running order.

    Raises
    ------
    MeasurementError
        If runs launched different operators.
    """
    launches = [_launches(events) for events in runs]
    first = [(event.instruction, event.inside) for event, _ in launches[0]] if launches else []
    if any([(e.instruction, e.inside) for e, _ in launched] != first for launched in launches):
        raise MeasurementError(
            "the runs of ExecuTorch launched different operators, so that their times cannot be "
            "told apart. Measure again, or run another --runtime."
        )
    owners = _owners(instructions, [event for event, _ in launches[0]], kernels) if first else []
    times = [tuple(ns / 1e6 for _, ns in place) for place in zip(*launches, strict=True)]
    mine: dict[str, list[int]] = defaultdict(list)
    strays = []
    for place, (name, kind) in enumerate(owners):
        if name in {kernel.name for kernel in kernels}:
            mine[name].append(place)
        else:
            strays.append(Stray(name or f"event {place}", kind, times[place]))
    kinds = [kind for _, kind in owners]
    matched = tuple(
        KernelTimes(
            kernel,
            tuple(map(sum, zip(*(times[place] for place in mine[kernel.name]), strict=True))),
            len(mine[kernel.name]),
            tuple(f"{kinds[place]} {kernel.name}" for place in mine[kernel.name]),
        )
        for kernel in kernels
        if kernel.name in mine
    )
    return Observed(matched, tuple(strays))


def _launches(events: Sequence[Event]) -> list[tuple[Event, float]]:
    """The launches of one run and their nanoseconds.

    XNNPACK rounds each down; what that leaves of the time of its part is spread over them, at most
    the one microsecond that rounding can take.
    """
    inside: dict[int, list[Event]] = defaultdict(list)
    found: list[tuple[Event, float]] = []
    for event in events:
        if event.inside:
            inside[event.instruction].append(event)
        elif event.name == OPERATOR:
            found.append((event, float(event.duration_ns)))
        elif event.name == DELEGATE:  # told once all within it has ended
            steps = inside.pop(event.instruction, [])
            left = event.duration_ns - sum(step.duration_ns for step in steps)
            share = min(max(left, 0) / max(len(steps), 1), _RESOLUTION_NS)
            found += [(step, step.duration_ns + share) for step in steps]
    return found


def _owners(
    instructions: Sequence[Instruction], launched: Sequence[Event], kernels: Sequence[Kernel]
) -> list[tuple[str, str]]:
    """For each launch the name of its kernel, empty for none, and what it is called."""
    kernel_of = {node: kernel.name for kernel in kernels for node in kernel.nodes}
    by_instruction: dict[int, list[Event]] = defaultdict(list)
    for event in launched:
        by_instruction[event.instruction].append(event)
    turns: Counter[str] = Counter()
    found: list[tuple[str, str]] = []
    for number, events in by_instruction.items():
        if not 0 <= number < len(instructions):
            found += [("", event.inside or event.name) for event in events]
            continue
        units = instructions[number].units
        if not instructions[number].delegate:
            found += [(kernel_of.get(units[0].node, units[0].node), units[0].kind) for _ in events]
            continue
        names = [_name(unit, kernel_of, turns) for unit in units]
        steps = [Step(_TAGS.get(u.kind, (u.kind,)), u.kind in _OPTIONAL) for u in units]
        tags = [event.inside for event in events]
        for tag, place in zip(tags, aligned(steps, tags), strict=True):
            found.append(("" if place is None else names[place], tag.rpartition(" #")[0]))
    return found


def _name(unit: Unit, kernel_of: dict[str, str], turns: Counter[str]) -> str:
    """The kernel that a unit belongs to; a map that several parts turn has one for each."""
    name = kernel_of.get(unit.node, unit.node)
    if not unit.turn:
        return name
    label = f"{name}/{unit.turn}"
    turns[label] += 1
    return f"{label}/{turns[label]}" if turns[label] > 1 else label
