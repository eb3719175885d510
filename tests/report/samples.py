"""Made-up answers in the shape of ``--json``; no figure here was measured anywhere."""

from __future__ import annotations

import math
from typing import Any

HOSTILE_NAMES = (
    "<script>alert(1)</script>",
    "x" * 10_000,
    "\"double\" 'single' `back`",
    "two\nlines\r\nand\ttab",
    "right\u202eto left",
    "emoji 🦜🏳️‍🌈",
    "\x1b[31mred\x1b[0m",
    "pipe | pipe || `tick` [link](http://example.invalid) @someone #12",
    "<img src=x onerror=alert(2)>",
    "</script></style><!-- -->",
    "&lt;entity&gt; &#60;",
    "lone \ud800 surrogate",
    "{{ 7 * 7 }} {% raw %} %{x} var(--ink)",
    "漢字の名前",
)

# Expansion, channels, repeats, stride: a network shaped like MobileNetV2.
_BLOCKS = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
)
_PEAK_GMACS_PER_S, _BANDWIDTH_GB_PER_S, _LAUNCH_MS = 42.0, 11.0, 0.004
ROOFLINE = {
    "peak_gmacs_per_s": _PEAK_GMACS_PER_S,
    "bandwidth_gb_per_s": _BANDWIDTH_GB_PER_S,
    "launch_overhead_ms": _LAUNCH_MS,
}


def model(name: str = "synthetic_mobilenet") -> dict[str, Any]:
    kernels = network()
    macs = sum(kernel["macs"] for kernel in kernels)
    return {
        "name": name,
        "source": "tests: an invented network",
        "inputs": [[1, 3, 224, 224]],
        "params": sum(kernel["params"] for kernel in kernels),
        "macs": macs,
        "flops": 2 * macs,
        "elementwise_ops": 13_400_000,
        "weight_bytes": 4 * sum(kernel["params"] for kernel in kernels),
        "peak_activation_bytes": 9_633_792,
        "unknown_ops": {},
        "assumptions": [],
    }


def network() -> list[dict[str, Any]]:
    """Kernels with counts and invented times."""
    kernels = [_kernel("features.0.0", "conv", 3, 32, 224, 112, window=3, stride=2)]
    channels, size, block = 32, 112, 0
    for expansion, out, repeats, first_stride in _BLOCKS:
        for repeat in range(repeats):
            block += 1
            stride = first_stride if repeat == 0 else 1
            hidden = channels * expansion
            prefix = f"features.{block}.conv"
            if expansion > 1:
                kernels.append(_kernel(f"{prefix}.0", "pointwise", channels, hidden, size, size))
            after = size // stride
            depthwise = f"{prefix}.1"
            kernels.append(
                _kernel(
                    depthwise, "depthwise", hidden, hidden, size, after, window=3, stride=stride
                )
            )
            kernels.append(_kernel(f"{prefix}.2", "pointwise", hidden, out, after, after))
            if stride == 1 and channels == out:
                kernels.append(_kernel(f"features.{block}.add", "add", out, out, after, after))
            channels, size = out, after
    kernels.append(_kernel("features.last", "pointwise", channels, 1280, size, size))
    kernels.append(_kernel("pool", "mean", 1280, 1280, size, 1))
    kernels.append(_kernel("classifier.1", "linear", 1280, 1000, 1, 1))
    return kernels


def predict_answer(
    *,
    targets: tuple[str, ...] = ("invented-phone/litert-cpu1-int8",),
    kernels: list[dict[str, Any]] | None = None,
    budget_ms: float | None = None,
) -> dict[str, Any]:
    """What ``latprof predict --json`` prints."""
    listed = network() if kernels is None else kernels
    return {
        "schema": 1,
        "kind": "predict",
        "command": f"latprof predict synthetic.pt2 --device {' --device '.join(targets)}",
        "created": "2026-11-22T12:00:00Z",
        "latprof": "0.1.0",
        "model": model(),
        "predictions": [
            _prediction(target, listed, 1.0 + 0.6 * index, budget_ms)
            for index, target in enumerate(targets)
        ],
    }


def profile_answer(kernels: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    """What ``latprof profile --json`` prints."""
    listed = [_measured(kernel) for kernel in (network() if kernels is None else kernels)]
    kernels_ms = math.fsum(kernel["latency_ms"] for kernel in listed)
    latency_ms = kernels_ms + 0.11 + 0.09
    return {
        "schema": 1,
        "kind": "profile",
        "command": "latprof profile synthetic.pt2 --input 1x3x224x224 --threads 1",
        "created": "2026-11-22T12:00:00Z",
        "latprof": "0.1.0",
        "model": model(),
        "measured": {
            "latency_ms": latency_ms,
            "p10_ms": 0.985 * latency_ms,
            "p90_ms": 1.04 * latency_ms,
            "runs": 120,
            "runtime": "onnxruntime 0.0 (invented)",
            "threads": 1,
            "dtype": "float32",
            "grade": "B",
            "grade_reasons": ["the slowest tenth of the runs is 4 % above the median"],
            "environment": {
                "processor": "invented, 2 cores",
                "memory": "8 GB",
                "system": "none",
                "runtime options": "intra_op_num_threads=1, graph_optimization_level=all",
            },
        },
        "kernels": listed,
        "reconciliation": {
            "sum_of_kernels_ms": kernels_ms,
            "overhead_ms": 0.11,
            "unexplained_ms": 0.09,
        },
        "doubts": ["clock speed is not visible on this machine; it may have changed in the run"],
        "provenance": ["120 runs after 15 warm-up runs, invented for a test"],
        "roofline": ROOFLINE,
    }


def hostile_kernels() -> list[dict[str, Any]]:
    """The network with every hostile name as a name, a module, a type and a shape."""
    kernels = network()
    for kernel, name in zip(kernels, HOSTILE_NAMES, strict=False):
        kernel.update(name=name, module=name, op=name, shape=name, nodes=[name])
    return kernels


def many_kernels(count: int) -> list[dict[str, Any]]:
    kernels = network()
    repeats = -(-count // len(kernels))
    return [
        {**kernel, "name": f"copy_{copy}.{kernel['name']}"}
        for copy in range(repeats)
        for kernel in kernels
    ][:count]


def _prediction(
    target: str, kernels: list[dict[str, Any]], scale: float, budget_ms: float | None
) -> dict[str, Any]:
    device, _, name = target.partition("/")
    scaled = [{**kernel, "latency_ms": scale * kernel["latency_ms"]} for kernel in kernels]
    latency_ms = math.fsum(kernel["latency_ms"] for kernel in scaled) + 0.05
    return {
        "device": device,
        "target": name,
        "latency_ms": latency_ms,
        "low_ms": 0.88 * latency_ms,
        "high_ms": 1.14 * latency_ms,
        "coverage": 0.9,
        "basis": {"measured": 0.12, "interpolated": 0.76, "extrapolated": 0.1, "bound": 0.02},
        "doubts": ["no kernel was measured on this device; its table is invented for a test"],
        "provenance": [
            "invented: fifteen end-to-end figures that nobody published",
            "invented: a table",
        ],
        "roofline": ROOFLINE,
        "overhead_ms": 0.05,
        "budget_ms": budget_ms,
        "kernels": scaled,
    }


def _measured(kernel: dict[str, Any]) -> dict[str, Any]:
    left = {key: value for key, value in kernel.items() if key not in ("basis", "bound_ms")}
    latency_ms = kernel["latency_ms"]
    return {**left, "p10_ms": 0.97 * latency_ms, "p90_ms": 1.06 * latency_ms}


def _kernel(
    name: str,
    op: str,
    in_channels: int,
    out_channels: int,
    size: int,
    after: int,
    *,
    window: int = 1,
    stride: int = 1,
) -> dict[str, Any]:
    per_output = {"depthwise": window**2, "add": 0, "mean": 0}
    taps = per_output.get(op, window**2 * in_channels)
    macs = taps * out_channels * after**2
    params = taps * out_channels
    bytes_moved = 4 * (in_channels * size**2 + out_channels * after**2 + params)
    memory_ms = bytes_moved / _BANDWIDTH_GB_PER_S / 1e6
    bound_ms = max(macs / _PEAK_GMACS_PER_S / 1e6, memory_ms, _LAUNCH_MS)
    wobble = 1.15 + 0.25 * math.sin(len(name) * 1.7 + out_channels)
    slower = {"depthwise": 2.1, "conv": 1.5, "linear": 1.1}.get(op, 1.25)
    channels = f"{in_channels}" if in_channels == out_channels else f"{in_channels}→{out_channels}"
    sizes = f"{size}²" if size == after else f"{size}² → {after}²"
    window_text = f", {window}×{window}" + (f"/{stride}" if stride > 1 else "")
    convolution = op in ("conv", "pointwise", "depthwise")
    return {
        "name": name,
        "op": op,
        "module": name.rpartition(".")[0],
        "shape": f"{channels} ch, {sizes}{window_text if convolution else ''}",
        "latency_ms": bound_ms * wobble * slower,
        "bound_ms": bound_ms,
        "macs": macs,
        "params": params,
        "bytes_moved": bytes_moved,
        "basis": "extrapolated" if op == "linear" else "interpolated",
        "nodes": [name],
    }
