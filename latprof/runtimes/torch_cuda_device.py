"""A GPU as timing needs it: events, a full cache, a queue that waits, recorded launches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import torch

from latprof.errors import RuntimeUnavailable


class Event(Protocol):
    """A moment on the GPU."""

    def record(self) -> None:
        """Mark the end of all that was launched so far."""

    def elapsed_ms(self, later: Any) -> float:
        """Milliseconds to a later event; both have to be over."""


class Device(Protocol):
    """What a session asks of a GPU; a scripted one stands in for it in tests."""

    place: str  # where PyTorch keeps tensors: "cuda"

    def event(self) -> Event: ...

    def synchronise(self) -> None:
        """Wait until everything launched is over."""

    def flush_l2(self) -> None:
        """Push out of the second-level cache whatever the last run left there."""

    def hold(self) -> None:
        """Keep the GPU busy for a moment, so that what is launched next queues up."""

    def capture(self, launch: Callable[[], Any]) -> Callable[[], None]:
        """Record what `launch` launches; calling the result launches all of it at once."""

    def allow_tf32(self, allowed: bool) -> None:
        """Whether products of float32 may be rounded to tf32."""


class CudaEvent:
    """A ``torch.cuda.Event``."""

    def __init__(self) -> None:
        self._event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]

    def record(self) -> None:
        self._event.record()

    def elapsed_ms(self, later: CudaEvent) -> float:
        return float(self._event.elapsed_time(later._event))


class CudaDevice:
    """The current CUDA device. Written after PyTorch's documentation; not run on a GPU yet.

    Raises
    ------
    RuntimeUnavailable
        If there is none, or PyTorch was built without CUDA.
    """

    place = "cuda"
    _HOLD_CYCLES = 20_000_000  # about 10 ms at 2 GHz: longer than a thousand launches take
    _WARM_UP_RUNS = 3  # before a capture, as PyTorch's notes on CUDA graphs ask for

    def __init__(self) -> None:
        if not torch.cuda.is_available():
            built = "" if torch.version.cuda else f": torch {torch.__version__} is built without it"
            raise RuntimeUnavailable(
                f"no CUDA device{built}. Run it where there is an NVIDIA GPU and a PyTorch for "
                "it, or another --runtime; `latprof runtimes` lists what works."
            )
        cache = torch.cuda.get_device_properties(torch.cuda.current_device()).L2_cache_size
        self._flush = torch.empty(2 * cache, dtype=torch.int8, device=self.place)

    def event(self) -> CudaEvent:
        return CudaEvent()

    def synchronise(self) -> None:
        torch.cuda.synchronize()

    def flush_l2(self) -> None:
        self._flush.zero_()

    def hold(self) -> None:
        torch.cuda._sleep(self._HOLD_CYCLES)  # type: ignore[no-untyped-call]

    def capture(self, launch: Callable[[], Any]) -> Callable[[], None]:
        side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(self._WARM_UP_RUNS):
                launch()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            launch()
        return graph.replay

    def allow_tf32(self, allowed: bool) -> None:
        torch.backends.cuda.matmul.allow_tf32 = allowed
        torch.backends.cudnn.allow_tf32 = allowed
