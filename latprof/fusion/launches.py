"""A launch in the making, and how it becomes a `Kernel`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from latprof.graph import Call, Graph, Shape, Tensor
from latprof.kernel import Kernel
from latprof.ops import OPS
from latprof.ops.kinds import kind_of


@dataclass(eq=False)
class Launch:
    """Graph nodes that one launch computes, while a fusion is being worked out.

    Parameters
    ----------
    main : Call
        The node that gives the launch its character.
    calls : list of Call
        Every node it computes, `main` included.
    op : str
        Name of the kernel; empty for the name `main` implies.
    inputs : list of str
        Activations that come in.
    output : str
        The tensor that leaves (the first, for an operator with several).
    activation, residual, layout, inplace
        As in `Kernel`.
    """

    main: Call
    calls: list[Call]
    inputs: list[str]
    output: str
    op: str = ""
    activation: str = ""
    residual: bool = False
    layout: str = "nchw"
    inplace: bool = False
    dead: bool = False

    @classmethod
    def of(cls, call: Call) -> Launch:
        """A launch that computes one node."""
        inputs = [tensor.name for tensor in call.activations]
        return cls(call, [call], inputs, call.outputs[0].name if call.outputs else "")


def kernel_of(launch: Launch) -> Kernel:
    """The kernel that a finished launch stands for."""
    call = launch.main
    spec = OPS.get(call.node.op)
    out = launch.calls[-1].outputs[0]
    shapes = _shape_fields(call) | _before_padding(launch)
    weights = {t.name: t for c in launch.calls for t in c.weights if t.role != "constant"}
    weight_bytes = sum(t.bytes for t in weights.values())
    view = spec is not None and spec.family == "view" and not launch.op
    read = {t.name: t for c in launch.calls for t in c.activations if t.name in launch.inputs}
    activation_bytes = sum(t.bytes for t in read.values())
    written = sum(t.bytes for t in call.outputs) if len(call.outputs) > 1 else out.bytes
    return Kernel(
        name=call.node.name,
        op=launch.op or kind_of(call),
        operands=max(1, len(call.activations)),
        activation=launch.activation,
        residual=launch.residual,
        inplace=launch.inplace,
        layout=launch.layout,
        dtype=(call.activations[0] if call.activations else out).dtype,
        macs=sum(OPS[c.node.op].macs(c) for c in launch.calls if c.node.op in OPS),
        elementwise_ops=sum(
            OPS[c.node.op].elementwise_ops(c) for c in launch.calls if c.node.op in OPS
        ),
        params=sum(t.elements for t in weights.values() if t.role == "parameter"),
        weight_bytes=weight_bytes,
        bytes_read=0 if view else activation_bytes + weight_bytes,
        bytes_written=0 if view else written,
        nodes=tuple(c.node.name for c in launch.calls),
        module=call.node.module,
        **shapes,
    )


def _before_padding(launch: Launch) -> dict[str, int]:
    """Size of what comes in, where a pad has joined the launch: its border is never stored."""
    first = launch.calls[0]
    if first is launch.main or first.node.op != "pad":
        return {}
    _, _, height, width = _four(first.input(0).shape)
    return {"in_height": height, "in_width": width}


def _shape_fields(call: Call) -> dict[str, Any]:
    op = call.node.op
    if op in ("conv", "conv_transpose"):
        return _convolution_fields(call)
    if op in ("linear", "matmul", "attention"):
        return _product_fields(call)
    x = _largest(call.activations) or call.outputs[0]
    out = call.outputs[0]
    batch, channels, height, width = _four(x.shape)
    _, out_channels, out_height, out_width = _four(out.shape)
    if len(call.outputs) > 1:
        out_channels = channels
    fields: dict[str, Any] = {
        "batch": batch,
        "in_channels": channels,
        "in_height": height,
        "in_width": width,
        "out_channels": out_channels,
        "out_height": out_height,
        "out_width": out_width,
    }
    if "kernel" in call.attributes:
        kernel = _two(call.attributes["kernel"])
        stride = _two(call.attributes.get("stride", call.attributes["kernel"]))
        fields |= {"kernel_height": kernel[0], "kernel_width": kernel[1]}
        fields |= {"stride_height": stride[0], "stride_width": stride[1]}
    if op in ("channel_shuffle", "group_norm"):
        fields["groups"] = int(call.attributes.get("groups", 1))
    return fields


def _convolution_fields(call: Call) -> dict[str, Any]:
    weight = call.input(1).shape
    groups = int(call.attributes.get("groups", 1))
    batch, _, in_height, in_width = _four(call.input(0).shape)
    _, out_channels, out_height, out_width = _four(call.outputs[0].shape)
    kernel = _two(weight[2:])
    stride = _two(call.attributes.get("stride", (1, 1)))
    return {
        "batch": batch,
        "in_channels": call.input(0).shape[1],
        "in_height": in_height,
        "in_width": in_width,
        "out_channels": out_channels,
        "out_height": out_height,
        "out_width": out_width,
        "kernel_height": kernel[0],
        "kernel_width": kernel[1],
        "stride_height": stride[0],
        "stride_width": stride[1],
        "dilation": max(call.attributes.get("dilation", (1,))),
        "groups": groups,
    }


def _product_fields(call: Call) -> dict[str, Any]:
    x, out = call.input(0).shape, (1, 1, *call.outputs[0].shape)  # vectors give fewer axes
    if call.node.op == "linear":
        batch, rows = 1, math.prod(out[:-1])
    else:
        batch, rows = math.prod(out[:-2]), out[-2]
    columns = call.input(1).shape[-2] if call.node.op == "attention" else out[-1]
    return {"batch": batch, "in_channels": x[-1], "out_channels": columns,
            "in_height": rows, "out_height": rows}  # fmt: skip


def _two(values: Any) -> tuple[int, int]:
    """Height and width of one, two or three spatial settings (1-D: height 1; 3-D: the last two)."""
    sizes = (1, *values) if len(values) == 1 else tuple(values)[-2:]
    return int(sizes[0]), int(sizes[1])


def _four(shape: Shape) -> tuple[int, int, int, int]:
    """Any shape as batch, channels, height, width, with the same number of elements."""
    if len(shape) >= 4:
        return math.prod((shape[0], *shape[2:-2])), shape[1], shape[-2], shape[-1]
    if len(shape) == 3:
        return shape[0], shape[1], 1, shape[2]
    if len(shape) == 2:
        return shape[0], shape[1], 1, 1
    return 1, (shape[0] if shape else 1), 1, 1


def _largest(tensors: tuple[Tensor, ...]) -> Tensor | None:
    return max(tensors, key=lambda t: t.elements, default=None)


class LaunchList:
    """The launches of a graph while rules are applied; knows who feeds and who reads."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.all = [Launch.of(call) for call in graph.calls if call.node.op != "identity"]
        self._outputs = frozenset(graph.outputs)
        self._by_output = {launch.output: launch for launch in self.all}
        self._readers: dict[str, list[Launch]] = {}
        for launch in self.all:
            for name in launch.inputs:
                self._readers.setdefault(name, []).append(launch)

    @property
    def alive(self) -> list[Launch]:
        return [launch for launch in self.all if not launch.dead]

    def leaves(self, launch: Launch) -> bool:
        """Whether the model gives back what `launch` gives."""
        return launch.output in self._outputs

    def producer(self, tensor: str) -> Launch | None:
        """The launch that gives `tensor`, if it is its main output."""
        return self._by_output.get(tensor)

    def readers(self, tensor: str) -> list[Launch]:
        """The launches that read `tensor`; one that reads it twice stands twice."""
        return self._readers.get(tensor, [])

    def sole_reader(self, launch: Launch) -> Launch | None:
        """The launch that alone reads what `launch` gives, if there is just one."""
        readers = self.readers(launch.output)
        return readers[0] if len(readers) == 1 and not self.leaves(launch) else None

    def absorb(self, launch: Launch, after: Launch) -> None:
        """Compute `after`, which alone reads what `launch` gives, as part of `launch`."""
        others = [name for name in after.inputs if name != launch.output]
        for name in others:
            self._readers[name] = [launch if r is after else r for r in self._readers[name]]
        del self._by_output[launch.output]
        launch.calls += after.calls
        launch.inputs += others
        launch.output = after.output
        self._by_output[launch.output] = launch
        after.dead = True

    def absorb_before(self, launch: Launch, before: Launch) -> None:
        """Compute `before`, which `launch` alone reads, as part of `launch`."""
        for name in before.inputs:
            self._readers[name] = [launch if r is before else r for r in self._readers[name]]
        launch.inputs = [
            name
            for given in launch.inputs
            for name in (before.inputs if given == before.output else [given])
        ]
        launch.calls = before.calls + launch.calls
        before.dead = True
