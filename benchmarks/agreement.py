"""Whether latprof's end-to-end time is the one that the runtimes' own tools tell.

Each network is timed in turns, in one process a side with the same pinning, thread count and
allocator settings:

- ONNX Runtime: the loop of `onnxruntime_perf_test` (onnxruntime/test/perftest: one run to warm up,
  then runs of the same session, inputs and outputs bound beforehand, each timed);
- PyTorch: `torch.utils.benchmark.Timer(...).blocked_autorange()` on the module as it is written,
  where latprof runs the calls of its graph.

    python benchmarks/agreement.py [--threads 1] [--rounds 5] [--seconds 1.5] [NETWORK ...]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from latprof.captured import capture
from latprof.measurement.client import Worker
from latprof.measurement.environment import ALLOCATOR_SETTINGS, cores_for
from latprof.measurement.network import Effort

NETWORKS = (
    "mobilenet_v2", "mobilenet_v3_large", "mobilenet_v4_conv_small", "shufflenet_v2_x1_0",
    "efficientnet_b0", "ghostnet", "squeezenet1_1", "resnet18", "resnet50", "googlenet",
    "densenet121", "vit_tiny",
)  # fmt: skip
BAR = 0.03
_WARM_UP = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("networks", nargs="*", default=NETWORKS)
    parser.add_argument("--runtime", choices=tuple(TOOLS), action="append")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.5, help="of each side in each round")
    parser.add_argument("--tool", choices=tuple(TOOLS), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.tool:
        _serve(asked.tool, asked.threads)
        return
    for runtime in asked.runtime or TOOLS:
        _compare(runtime, asked)


def _compare(runtime: str, asked: argparse.Namespace) -> None:
    print(f"| {runtime}, {asked.threads} thread(s) | tool ms | latprof ms | ratio |")
    print("|---|---|---|---|")
    ratios = []
    with _Tool(runtime, asked.threads) as tool, Worker(runtime, threads=asked.threads) as worker:
        for name in asked.networks:
            graph = capture(f"zoo:{name}")
            theirs: list[float] = []
            ours: list[float] = []
            for _ in range(asked.rounds):
                theirs += tool.times_ms(name, asked.seconds)
                # Half of a worker's time goes into profiled runs.
                ours += worker.measure(graph, Effort(seconds=2 * asked.seconds)).times_ms
            one, other = statistics.median(theirs), statistics.median(ours)
            ratios.append(other / one)
            print(f"| {name} | {one:.3f} | {other:.3f} | {other / one:.3f} |", flush=True)
    off = [abs(ratio - 1) for ratio in ratios]
    within = sum(value <= BAR for value in off)
    print(f"\nmedian difference {statistics.median(off):.1%}, worst {max(off):.1%}, "
          f"{within} of {len(off)} within {BAR:.0%}\n")  # fmt: skip


class _Tool:
    """The other side: a process that times networks by the runtime's own means."""

    def __init__(self, runtime: str, threads: int) -> None:
        pools = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
        environment = os.environ | ALLOCATOR_SETTINGS | dict.fromkeys(pools, str(threads))
        environment["LATPROF_PIN"] = ",".join(map(str, cores_for(threads)))
        self._process = subprocess.Popen(
            [sys.executable, __file__, "--tool", runtime, "--threads", str(threads)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment,
        )  # fmt: skip

    def __enter__(self) -> _Tool:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.kill()
        self._process.wait()

    def times_ms(self, network: str, seconds: float) -> list[float]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps([network, seconds]), file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        if not answer:
            raise SystemExit(f"the tool's process ended on {network}; see above")
        return list(json.loads(answer))


def _serve(tool: str, threads: int) -> None:
    os.sched_setaffinity(0, [int(core) for core in os.environ["LATPROF_PIN"].split(",")])
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    kept: dict[str, Callable[[float], list[float]]] = {}
    for line in sys.stdin:
        name, seconds = json.loads(line)
        if name not in kept:
            kept = {name: TOOLS[tool](name, threads)}  # one at a time
        print(json.dumps(kept[name](seconds)), file=answers, flush=True)


def _perf_test(name: str, threads: int) -> Callable[[float], list[float]]:
    import onnxruntime as ort

    from latprof.runtimes.onnx_writer import write_onnx
    from latprof.runtimes.weights import input_values

    graph = capture(f"zoo:{name}")
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    model = write_onnx(graph).SerializeToString()
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    binding: Any = session.io_binding()
    for given, tensor in zip(session.get_inputs(), graph.inputs, strict=True):
        values = ort.OrtValue.ortvalue_from_numpy(input_values(graph.tensors[tensor]))
        binding.bind_ortvalue_input(given.name, values)
    for output in session.get_outputs():
        values = ort.OrtValue.ortvalue_from_shape_and_type(output.shape, "float32")
        binding.bind_ortvalue_output(output.name, values)
    return lambda seconds: list(_timed(lambda: session.run_with_iobinding(binding), seconds))


def _torch_timer(name: str, threads: int) -> Callable[[float], list[float]]:
    import torch
    from torch.utils.benchmark import Timer

    from latprof import zoo

    module, shape = zoo.build(name)[:2]
    module.eval()
    scope = {"module": module, "x": torch.randn(shape)}
    timer = Timer("module(x)", globals=scope, num_threads=threads)

    def times(seconds: float) -> list[float]:
        with torch.inference_mode():
            measured = timer.blocked_autorange(min_run_time=seconds)
        return [time_s * 1e3 for time_s in measured.times]

    return times


def _timed(run: Callable[[], object], seconds: float) -> Iterator[float]:
    for _ in range(_WARM_UP):
        run()
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        started = time.perf_counter_ns()
        run()
        yield (time.perf_counter_ns() - started) / 1e6


TOOLS = {"onnxruntime": _perf_test, "torch-eager": _torch_timer}

if __name__ == "__main__":
    main()
