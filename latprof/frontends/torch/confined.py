"""Capture a file that torch has to load: in a process of its own, with little to do harm with.

The process has limits of memory and time, no network where the system can forbid it, and none of
the environment that may hold secrets. It answers with a graph as JSON, which is read and checked
like any other graph; nothing of the file is unpickled on this side. Files of the user it can read
and write: that is what ``--trust`` still trusts.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

from latprof import errors
from latprof.errors import LatprofError, UnreadableModel
from latprof.frontends.bounded import MAX_BYTES, parse_json
from latprof.frontends.graph_json import checked_graph
from latprof.frontends.inputs import InputSpec
from latprof.graph import Graph


@dataclass(frozen=True)
class Limits:
    """What the process may take.

    Parameters
    ----------
    memory_bytes : int
        Weights are not kept; the largest single tensor is held for a moment.
    seconds : float
        From start to answer. Importing torch from a cold disk alone may take one minute.
    """

    memory_bytes: int = 4 * 2**30
    seconds: float = 300.0


_WATCH_S = 0.02
_LAST_WORDS_S = 5.0  # for an answer to come through after its process has ended
_LONGEST_MESSAGE = 4000

# Variables that Python and torch need to start. Others may hold passwords.
_KEPT = (
    "PATH", "HOME", "USERPROFILE", "LANG", "LC_ALL", "LC_CTYPE", "TMPDIR", "TEMP", "TMP",
    "SYSTEMROOT", "PYTHONPATH", "PYTHONHOME", "PYTHONDONTWRITEBYTECODE", "VIRTUAL_ENV",
    "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH",
)  # fmt: skip
_SETTINGS = {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}

# The process must import the very latprof that asks, installed or not, and nothing by accident.
_BOOT = """
import sys
if sys.argv[1] not in sys.path:
    sys.path.insert(0, sys.argv[1])
from latprof.frontends.torch.confined_process import main
main()
"""
_ROOT = str(Path(__file__).parents[3])

# What the process may say went wrong; everything else counts as unreadable.
_ERRORS = (
    "UnreadableModel",
    "UntrustedModel",
    "NoGraph",
    "CaptureFailed",
    "ShapeMismatch",
    "BadReference",
)


def capture_confined(
    path: Path,
    inputs: Sequence[InputSpec],
    reader: str,
    limits: Limits | None = None,
    *,
    trust: bool = True,
) -> Graph:
    """The graph of the file at `path`, which is loaded in a process of its own.

    Parameters
    ----------
    path : Path
    inputs : sequence of InputSpec
    reader : str
        ``torch_pickle`` or ``torch_script``.
    limits : Limits, optional
    trust : bool
        Whether code of the file may run, in that process.

    Raises
    ------
    ModelError
        As when the file is read here; UnreadableModel if the process exceeds its limits or ends
        without an answer.
    """
    limits = limits or Limits()
    request = {
        "path": str(path),
        "inputs": [[list(spec.shape), spec.dtype, spec.name] for spec in inputs],
        "reader": reader,
        "trust": trust,
        "sys_path": sys.path,
        # A mapped file counts as memory to the system, if not to us.
        "memory_bytes": limits.memory_bytes + path.stat().st_size,
        "seconds": int(limits.seconds) + 1,
    }
    answer, why = _ask(json.dumps(request).encode(), limits)
    if not answer.strip():
        raise UnreadableModel(
            f"{str(path)!r} could not be loaded: {why}. Load it yourself, and save the network "
            "with torch.export.save."
        )
    said = parse_json(answer, f"the process that loaded {str(path)!r}")
    graph = _graph(said, path)
    if said.get("network") or not trust:
        return graph
    doubt = "the code in the file could have used the network: this system cannot forbid it"
    return replace(graph, assumptions=(*graph.assumptions, doubt))


def _graph(said: Any, path: Path) -> Graph:
    if not isinstance(said, dict) or not ("graph" in said or "error" in said):
        raise UnreadableModel(
            f"{str(path)!r} could not be loaded: its code spoiled the answer of the process that "
            "loaded it. Save the network with torch.export.save."
        )
    if "error" in said:
        kind: type[LatprofError] = UnreadableModel
        if said["error"] in _ERRORS:
            kind = getattr(errors, said["error"])
        raise kind(str(said.get("message"))[:_LONGEST_MESSAGE])
    return checked_graph(said["graph"], repr(str(path)))


def _ask(request: bytes, limits: Limits) -> tuple[bytes, str]:
    """What the process answers, and why it does not, if it does not."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", _BOOT, _ROOT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # whatever the file's code prints is not ours to say
        env={key: os.environ[key] for key in _KEPT if key in os.environ} | _SETTINGS,
        start_new_session=True,
        bufsize=0,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    answer = bytearray()
    listener = threading.Thread(target=_listen, args=(process.stdout, answer), daemon=True)
    listener.start()
    try:
        with suppress(OSError):  # it may have ended already
            process.stdin.write(request)
            process.stdin.close()
        why = _watch(process, listener, limits)
    finally:
        _end(process)
        listener.join(_LAST_WORDS_S)
    if not listener.is_alive():  # else something that it started holds the other end
        process.stdout.close()
    whole = bytes(answer) if answer.endswith(b"\n") else b""
    return (b"", why) if why else (whole, _how_it_ended(process))


def _listen(stream: IO[bytes], answer: bytearray) -> None:
    """Collect one line, of a length that a graph may have."""
    with suppress(OSError, ValueError):  # the process was ended
        while len(answer) <= MAX_BYTES and (part := stream.read(2**20)):
            answer += part
            if part.endswith(b"\n"):
                return


def _watch(process: subprocess.Popen[bytes], listener: threading.Thread, limits: Limits) -> str:
    """Wait for the answer; a reason to stop waiting comes back if there is one."""
    import psutil

    deadline = time.monotonic() + limits.seconds
    while listener.is_alive() and process.poll() is None:
        listener.join(_WATCH_S)
        if time.monotonic() > deadline:
            return f"it was still at it after {limits.seconds:g} s"
        with suppress(psutil.Error):
            watched = psutil.Process(process.pid)
            parts = [watched, *watched.children(recursive=True)]
            if sum(part.memory_info().rss for part in parts) > limits.memory_bytes:
                return f"it took more than {limits.memory_bytes / 2**30:.1f} GiB of memory"
    return ""


def _end(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, 9)  # what it started is in its group
        else:
            process.kill()
    process.wait()


def _how_it_ended(process: subprocess.Popen[bytes]) -> str:
    code = process.returncode
    how = f"signal {-code}" if code < 0 else f"exit code {code}"
    return f"the process that loaded it ended without an answer ({how})"
