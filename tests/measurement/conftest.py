"""A scripted clock, and a runtime that needs no model to run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest

from latprof.builder import GraphBuilder
from latprof.graph import Graph
from latprof.kernel import Kernel
from latprof.runtimes.protocol import KernelTimes, Observed, Stray

MS = 1_000_000


@dataclass
class Clock:
    """Stands still but for what runs on it; runs take as long as the script says."""

    now_ns: int = 0

    def __call__(self) -> int:
        return self.now_ns

    def running(self, times_ms: Iterable[float]) -> Callable[[], None]:
        """Something to run: its n-th run takes the n-th of `times_ms`."""
        left = iter(times_ms)

        def run() -> None:
            self.now_ns += round(next(left) * MS)

        return run


@pytest.fixture
def clock() -> Clock:
    return Clock()


@dataclass
class FakeSession:
    """Takes scripted times; its kernels take theirs, run by run."""

    run_once: Callable[[], None]
    log: list[str]
    name: str
    kernel_times_ms: dict[Kernel, Callable[[int], float]] = field(default_factory=dict)
    strays: tuple[Stray, ...] = ()
    runs: int = 0

    def run(self) -> tuple[Any, ...]:
        self.log.append(self.name)
        self.runs += 1
        self.run_once()
        return ()

    def finish(self) -> Observed:
        self.log.append(f"{self.name} closed")
        if not self.kernel_times_ms:
            return Observed()
        found = tuple(
            KernelTimes(kernel, tuple(map(time_of, range(self.runs))))
            for kernel, time_of in self.kernel_times_ms.items()
        )
        return Observed(found, self.strays)


@dataclass
class StoppingSession(FakeSession):
    """A profiled session that goes on as a plain one."""

    then: Callable[[], None] = lambda: None

    def stop_profiling(self) -> Observed:
        found = super().finish() if self.kernel_times_ms else Observed()
        if self.kernel_times_ms:
            self.log.pop()  # it is not closed yet
            self.kernel_times_ms, self.run_once, self.name = {}, self.then, "plain"
        return found

    def finish(self) -> Observed:
        self.log.append("profiled closed")
        return self.stop_profiling()


@dataclass
class FakeRuntime:
    """Runs any graph in scripted time, under the fusion rules of eager PyTorch.

    Parameters
    ----------
    clock : Clock
    plain_ms, profiled_ms : iterable of float
        How long each run takes.
    kernel_ms : callable
        A kernel's time from its name and the number of the run, from 0.
    skipped : sequence of str
        Kernels that the runtime does not launch.
    """

    clock: Clock
    plain_ms: Iterable[float]
    profiled_ms: Iterable[float]
    kernel_ms: Callable[[str, int], float] = lambda name, run: 1.0
    skipped: Sequence[str] = ()
    strays: tuple[Stray, ...] = ()
    log: list[str] = field(default_factory=list)
    name: str = "torch-eager"
    stops: bool = False

    def version(self) -> str:
        return "fake 1.0"

    def open(
        self,
        graph: Graph,
        kernels: Sequence[Kernel],
        *,
        threads: int,
        profiled: bool,
        dtype: str = "fp32",
    ) -> FakeSession:
        times = self.profiled_ms if profiled else self.plain_ms
        if not profiled:
            return FakeSession(self.clock.running(times), self.log, "plain")
        kind = partial(StoppingSession, then=self.clock.running(self.plain_ms))
        return (kind if self.stops else FakeSession)(
            self.clock.running(times),
            self.log,
            "profiled",
            {k: lambda run, n=k.name: self.kernel_ms(n, run) for k in kernels
             if k.name not in self.skipped},
            self.strays,
        )  # fmt: skip


@pytest.fixture
def log() -> list[str]:
    """What ran, in order."""
    return []


@pytest.fixture
def fake_runtime(clock, log) -> Callable[..., FakeRuntime]:
    return lambda *args, **settings: FakeRuntime(clock, *args, log=log, **settings)


@pytest.fixture
def stopping_runtime(fake_runtime) -> Callable[..., FakeRuntime]:
    """A runtime whose profiled sessions can stop profiling."""
    return partial(fake_runtime, stops=True)


@pytest.fixture
def canary(clock, log) -> Callable[[Iterable[float]], FakeSession]:
    """A canary whose runs take these times."""
    return lambda times_ms: FakeSession(clock.running(times_ms), log, "canary")


@pytest.fixture
def tiny_graph() -> Graph:
    """A convolution and an activation of 8 channels: microseconds to run."""
    builder = GraphBuilder("tiny")
    x = builder.input((1, 8, 6, 6))
    x = builder.add_one(
        "conv", [x, builder.parameter("w", (8, 8, 3, 3))],
        stride=(1, 1), padding=((1, 1), (1, 1)), dilation=(1, 1), groups=1,
    )  # fmt: skip
    return builder.finish([builder.add_one("tanh", [builder.add_one("exp", [x])])])
