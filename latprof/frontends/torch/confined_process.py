"""The process in which torch loads a file; `latprof.frontends.torch.confined` is its other end.

It confines itself first, and imports torch and the file's own code only then.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from latprof.errors import LatprofError
from latprof.frontends.inputs import InputSpec
from latprof.frontends.torch.confinement import cut_network, die_with_parent, limit_resources
from latprof.graph import Graph


def main() -> None:
    """Answer the one request on standard input."""
    # Code of the file prints as it pleases; only the answer may go where answers go.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    request = json.loads(sys.stdin.buffer.read())
    die_with_parent()
    network_ways = cut_network()
    limit_resources(request["memory_bytes"], request["seconds"])
    sys.path[:] = request["sys_path"]
    answer = _answer(request) | {"network": list(network_ways)}
    answers.write(json.dumps(answer).encode() + b"\n")
    answers.flush()
    os._exit(0)  # whatever the file wants done at the end is not done


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    try:
        return {"graph": _capture(request).to_dict()}
    except LatprofError as error:
        return {"error": type(error).__name__, "message": str(error)}
    except MemoryError:
        message = f"{request['path']!r} takes more memory to load than it may have here."
        return {"error": "UnreadableModel", "message": f"{message} Export it with torch.export."}
    except BaseException as error:  # noqa: BLE001 - sys.exit() and what else a file may do
        message = f"{request['path']!r} cannot be loaded: {type(error).__name__}: {error}"
        return {"error": "UnreadableModel", "message": message[:1000]}


def _capture(request: dict[str, Any]) -> Graph:
    path = Path(request["path"])
    inputs = [InputSpec(tuple(shape), dtype, name) for shape, dtype, name in request["inputs"]]
    if request["reader"] == "torch_script":
        from latprof.frontends.torch.script_capture import capture_script

        return capture_script(path, inputs, trust=request["trust"])
    from latprof.frontends.torch.unpickle import capture_pickled

    return capture_pickled(path, inputs)
