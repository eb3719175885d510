"""Start the measuring process, hand it networks, and survive it."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from latprof.errors import MeasurementError
from latprof.fusion import fuse
from latprof.graph import Graph
from latprof.measurement.environment import ALLOCATOR_SETTINGS, cores_for
from latprof.measurement.network import Effort
from latprof.measurement.times import NetworkTimes
from latprof.measurement.worker import described, from_dict

START_LIMIT_S = 120.0  # importing torch on a cold disk takes most of a minute
_LAST_WORDS_S = 5.0  # for a process that has closed its output to end, and its complaints to come

# Code that lies in the current folder is none of ours (-P), but the worker must import the very
# latprof that asks, installed or not.
_BOOT = """
import sys
if sys.argv[1] not in sys.path:
    sys.path.insert(0, sys.argv[1])
from latprof.measurement.worker import main
main()
"""
_ROOT = str(Path(__file__).parents[2])


class Worker:
    """A measuring process for one runtime and number of threads; use it in a ``with``.

    Parameters
    ----------
    runtime : str
    threads : int
    dtype : str
    limit_s : float
        Longest that one network may take before it counts as hanging.
    """

    def __init__(
        self, runtime: str, *, threads: int, dtype: str = "fp32", limit_s: float = 300.0
    ) -> None:
        self.runtime, self.threads, self.dtype, self.limit_s = runtime, threads, dtype, limit_s
        self._process: subprocess.Popen[str] | None = None
        self._answers: queue.Queue[str | None] = queue.Queue()
        self._complaints: list[str] = []
        self._readers: list[threading.Thread] = []
        self.version = ""

    def __enter__(self) -> Worker:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self, limit_s: float = START_LIMIT_S) -> None:
        """Start the process and learn which library answers, within `limit_s` seconds.

        Raises
        ------
        MeasurementError
            If it does not come up, or the runtime is not installed.
        """
        pools = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
        environment = os.environ | ALLOCATOR_SETTINGS
        environment |= dict.fromkeys(pools, str(self.threads))
        environment["LATPROF_PIN"] = ",".join(map(str, cores_for(self.threads)))
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", _BOOT, _ROOT],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",  # a library may complain in any encoding
            env=environment,
            start_new_session=True,  # Ctrl-C is for the parent to handle
        )
        self._answers, self._complaints = queue.Queue(), []
        self._readers = [
            threading.Thread(target=read, args=(stream, found), daemon=True)
            for read, stream, found in (
                (_read_answers, self._process.stdout, self._answers),
                (_read_complaints, self._process.stderr, self._complaints),
            )
        ]
        for reader in self._readers:
            reader.start()
        try:
            self.version = str(self._ask({"runtime": self.runtime}, limit_s)["version"])
        except BaseException:
            self.stop()
            raise

    def measure(self, graph: Graph, effort: Effort, file: Path | None = None) -> NetworkTimes:
        """Measure one network, starting the process if it is not running.

        Parameters
        ----------
        graph : Graph
        effort : Effort
        file : Path, optional
            What it was read from, to be run as it is.

        Raises
        ------
        MeasurementError
            If the runtime cannot run it, or the process crashed or hung on it; a new process
            has then been started and the next network can be measured.
        """
        if self._process is None:
            self.start()
        answer = self._ask(
            {
                "runtime": self.runtime,
                "threads": self.threads,
                "dtype": self.dtype,
                "graph": graph.to_dict(),
                "effort": vars(effort),
                "file": str(file.resolve()) if file else "",
            },
            self.limit_s,
        )
        if file is not None:
            return from_dict(answer, described(answer))
        return from_dict(answer, fuse(graph, self.runtime, self.dtype))

    def stop(self) -> None:
        """End the process."""
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()
        for reader in self._readers:
            reader.join(_LAST_WORDS_S)
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream is not None:
                with suppress(OSError):  # a job that the process did not live to read
                    stream.close()
        self._process = None

    def _ask(self, job: dict[str, Any], limit_s: float) -> dict[str, Any]:
        process = self._process
        if process is None or process.stdin is None:
            raise MeasurementError("the measuring process is not running; start it first.")
        greeting = "graph" not in job
        try:
            process.stdin.write(json.dumps(job) + "\n")
            process.stdin.flush()
            answer = _parsed(self._answers.get(timeout=limit_s))
        except queue.Empty:
            self._restart(greeting=greeting)
            advice = (
                "Try again, or another --runtime."
                if greeting
                else "A smaller input (--input) or batch may help."
            )
            raise MeasurementError(
                f"{self.runtime} did not answer within {limit_s:g} s; the measuring process was "
                f"ended. {advice}"
            ) from None
        except KeyboardInterrupt:
            self.stop()  # its answer would be taken for that to the next job
            raise
        except OSError:
            answer = None
        if answer is None:
            ended, said = self._last_words(process)
            self._restart(greeting=greeting)
            raise MeasurementError(
                f"the measuring process of {self.runtime} {ended}.{said} If the machine ran out "
                "of memory, a smaller input (--input) helps; else try another --runtime."
            )
        if "error" in answer:
            raise MeasurementError(str(answer["error"]))
        return answer

    def _restart(self, *, greeting: bool) -> None:
        self.stop()
        if not greeting:  # a process that cannot even start is not started again
            self.start()

    def _last_words(self, process: subprocess.Popen[str]) -> tuple[str, str]:
        """How a process ended, and what it said last."""
        try:
            code = process.wait(_LAST_WORDS_S)
        except subprocess.TimeoutExpired:
            return "stopped answering", ""
        for reader in self._readers:
            reader.join(_LAST_WORDS_S)
        said = " ".join(self._complaints[-3:])[-300:]
        signals = {int(known): known.name for known in signal.Signals}
        ended = f"was ended by {signals[-code]}" if -code in signals else f"ended with code {code}"
        return ended, f" It said: {said}" if said else ""


def _parsed(line: str | None) -> dict[str, Any] | None:
    """An answer; None for the end of answers, and for one that the end cut short."""
    try:
        answer = json.loads(line or "")
    except ValueError:
        return None
    return answer if isinstance(answer, dict) else None


def _read_answers(stream: IO[str], answers: queue.Queue[str | None]) -> None:
    for line in stream:
        answers.put(line)
    answers.put(None)


def _read_complaints(stream: IO[str], complaints: list[str]) -> None:
    for line in stream:
        complaints.append(line.strip())
        del complaints[:-20]
