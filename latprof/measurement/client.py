"""Start the measuring process, hand it networks, and survive it."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from types import TracebackType
from typing import Any

from latprof.errors import MeasurementError
from latprof.fusion import fuse
from latprof.graph import Graph
from latprof.measurement.environment import ALLOCATOR_SETTINGS, cores_for
from latprof.measurement.network import Effort, NetworkTimes
from latprof.measurement.worker import from_dict

START_LIMIT_S = 120.0  # importing torch on a cold disk takes most of a minute


class Worker:
    """A measuring process for one runtime and number of threads; use it in a ``with``.

    Parameters
    ----------
    runtime : str
    threads : int
    limit_s : float
        Longest that one network may take before it counts as hanging.
    """

    def __init__(self, runtime: str, *, threads: int, limit_s: float = 300.0) -> None:
        self.runtime, self.threads, self.limit_s = runtime, threads, limit_s
        self._process: subprocess.Popen[str] | None = None
        self._answers: queue.Queue[str | None] = queue.Queue()
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

    def start(self) -> None:
        """Start the process and learn which library answers.

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
            [sys.executable, "-m", "latprof.measurement.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env=environment,
            start_new_session=True,  # Ctrl-C is for the parent to handle
        )
        self._answers = queue.Queue()
        self._complaints: list[str] = []
        threading.Thread(target=self._read_answers, daemon=True).start()
        threading.Thread(target=self._read_complaints, daemon=True).start()
        answer = self._ask({"runtime": self.runtime}, START_LIMIT_S)
        self.version = str(answer["version"])

    def measure(self, graph: Graph, effort: Effort) -> NetworkTimes:
        """Measure one network.

        Raises
        ------
        MeasurementError
            If the runtime cannot run it, or the process crashed or hung on it; a new process
            has then been started and the next network can be measured.
        """
        answer = self._ask(
            {
                "runtime": self.runtime,
                "threads": self.threads,
                "graph": graph.to_dict(),
                "effort": vars(effort),
            },
            self.limit_s,
        )
        return from_dict(answer, fuse(graph, self.runtime))

    def stop(self) -> None:
        """End the process."""
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()
        self._process = None

    def _ask(self, job: dict[str, Any], limit_s: float) -> dict[str, Any]:
        process = self._process
        if process is None or process.stdin is None:
            raise MeasurementError("the measuring process is not running; start it first.")
        try:
            process.stdin.write(json.dumps(job) + "\n")
            process.stdin.flush()
            line = self._answers.get(timeout=limit_s)
        except queue.Empty:
            self._restart(starting="graph" not in job)
            raise MeasurementError(
                f"{self.runtime} did not answer within {limit_s:.0f} s; the measuring process was "
                "ended. A smaller input (--input) or batch may help."
            ) from None
        except BrokenPipeError:
            line = None
        if line is None:
            code = process.wait()
            said = " ".join(self._complaints[-3:])[-300:]
            self._restart(starting="graph" not in job)
            raise MeasurementError(
                f"the measuring process of {self.runtime} ended with code {code}. {said}".strip()
            )
        answer = json.loads(line)
        if "error" in answer:
            raise MeasurementError(str(answer["error"]))
        return dict(answer)

    def _restart(self, *, starting: bool) -> None:
        self.stop()
        if not starting:  # a process that cannot even start is not started again
            self.start()

    def _read_answers(self) -> None:
        answers, process = self._answers, self._process
        if process is not None and process.stdout is not None:
            for line in process.stdout:
                answers.put(line)
        answers.put(None)

    def _read_complaints(self) -> None:
        complaints, process = self._complaints, self._process
        if process is not None and process.stderr is not None:
            for line in process.stderr:
                complaints.append(line.strip())
                del complaints[:-20]
