"""Which ways of running a graph there are, told without importing any of them."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING

from latprof.errors import BadReference, RuntimeUnavailable, UnknownName

if TYPE_CHECKING:
    from latprof.runtimes.protocol import Runtime


@dataclass(frozen=True)
class Entry:
    """One way of running graphs.

    Parameters
    ----------
    name : str
        As in a target's name.
    module : str
        The module whose `RUNTIME` implements the protocol.
    about : str
        What it is, in a few words.
    needs : tuple of str
        Modules of other projects that have to be installed.
    extra : str
        What brings them: ``pip install "latprof[extra]"``; empty where latprof itself does.
    dtypes : tuple of str
        What it runs in, as in a target's name; the first is its default.
    processor : str
        ``cpu`` or ``gpu``.
    aliases : tuple of str
        Short forms of the name.
    tools : tuple of str
        Programs that it calls.
    opens : str
        Kind of file that it runs as it is, as `latprof.frontends.sniff` calls it.
    devices : tuple of str
        Files of which one has to be there: what the driver of its processor makes.
    """

    name: str
    module: str
    about: str
    needs: tuple[str, ...]
    extra: str = ""
    dtypes: tuple[str, ...] = ("fp32",)
    processor: str = "cpu"
    aliases: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    opens: str = ""

    @property
    def install(self) -> str:
        """What to type where something is missing."""
        return f'pip install "latprof[{self.extra}]"' if self.extra else "pip install latprof"


# What NVIDIA's driver makes: on Linux, and under Windows's subsystem for it.
_CUDA_DEVICES = ("/dev/nvidia0", "/dev/dxg")

_ENTRIES = (
    Entry(
        "onnxruntime", "latprof.runtimes.onnxruntime", "ONNX Runtime, CPU provider",
        needs=("onnxruntime", "onnx"), dtypes=("fp32", "int8"), aliases=("ort",),
        opens="onnx",
    ),
    Entry(
        "openvino", "latprof.runtimes.openvino", "OpenVINO, CPU plugin",
        needs=("openvino", "onnx"), extra="openvino", aliases=("ov",),
        dtypes=("fp32", "bf16", "fp16"), opens="onnx",
    ),
    Entry(
        "torch-eager", "latprof.runtimes.torch_eager", "PyTorch, operator by operator",
        needs=("torch",), aliases=("eager", "torch"), dtypes=("fp32", "bf16", "fp16"),
    ),
    Entry(
        "torch-compile", "latprof.runtimes.torch_compile", "PyTorch, compiled by inductor, CPU",
        needs=("torch",), aliases=("inductor",), tools=("g++",),
    ),
    *(
        Entry(
            name, "latprof.runtimes." + name.replace("-", "_"), about, needs=("torch",),
            dtypes=("fp32", "tf32", "fp16", "bf16"), processor="gpu", aliases=(alias,),
            devices=_CUDA_DEVICES,
        )
        for name, alias, about in (
            ("torch-cuda", "cuda", "PyTorch, operator by operator, CUDA"),
            ("torch-cuda-compile", "cuda-compile", "PyTorch, compiled by inductor, CUDA"),
            ("torch-cuda-graphs", "cuda-graphs", "PyTorch, recorded as a CUDA graph"),
        )
    ),
    Entry(
        "litert", "latprof.runtimes.litert", "LiteRT (TensorFlow Lite) with XNNPACK",
        needs=("ai_edge_litert", "flatbuffers"), extra="litert", dtypes=("fp32", "fp16", "int8"),
        aliases=("tflite", "xnnpack"), opens="tflite",
    ),
    Entry(
        "executorch", "latprof.runtimes.executorch", "ExecuTorch with XNNPACK",
        needs=("executorch", "torch"), extra="executorch", aliases=("et",),
    ),
)  # fmt: skip
RUNTIMES = {entry.name: entry for entry in _ENTRIES}
ALIASES = {alias: entry.name for entry in _ENTRIES for alias in entry.aliases}


def runtime_name(asked: str) -> str:
    """The full name of a runtime, given it or a short form.

    Raises
    ------
    UnknownName
        If there is no such runtime.
    """
    name = ALIASES.get(asked, asked)
    if name not in RUNTIMES:
        raise UnknownName("runtime", asked, [*RUNTIMES, *ALIASES])
    return name


def check_dtype(asked: str, dtype: str) -> None:
    """Refuse a dtype that a runtime does not run in.

    Raises
    ------
    UnknownName
        If there is no such runtime.
    BadReference
    """
    name = runtime_name(asked)
    dtypes = RUNTIMES[name].dtypes
    if dtype not in dtypes:
        others = [entry.name for entry in _ENTRIES if dtype in entry.dtypes]
        other = f" {dtype} runs under --runtime {' or '.join(others)}." if others else ""
        raise BadReference(
            f"{name} cannot run {dtype} here. Pass --dtype {' or '.join(dtypes)}.{other}"
        )


def missing(asked: str) -> str | None:
    """Why a runtime cannot be loaded here and what would help; None if nothing is missing.

    Only looks for its libraries; whether they work is known once they are loaded.

    Raises
    ------
    UnknownName
    """
    entry = RUNTIMES[runtime_name(asked)]
    lacking = [module for module in entry.needs if find_spec(module) is None]
    if lacking:
        return f"{' and '.join(lacking)} not installed: {entry.install}"
    tools = [tool for tool in entry.tools if which(tool) is None]
    if tools:
        return (
            f"{' and '.join(tools)} not found: install a C++ compiler (on Debian: apt-get install "
            f"{' '.join(tools)})"
        )
    if entry.devices and not any(Path(device).exists() for device in entry.devices):
        return "no CUDA device: run it on a machine with an NVIDIA GPU and its driver"
    return None


def load(asked: str) -> Runtime:
    """The runtime of that name; only its own library is imported.

    Raises
    ------
    UnknownName
        If there is no such runtime.
    RuntimeUnavailable
        If its library is not installed, or does not work here.
    """
    entry = RUNTIMES[runtime_name(asked)]
    try:
        runtime: Runtime = import_module(entry.module).RUNTIME
    except (ImportError, OSError) as error:  # OSError: a native library that does not load
        raise RuntimeUnavailable(
            f"{entry.name} does not work here: {error}. Try `{entry.install}`, or another "
            "--runtime; `latprof runtimes` lists what works."
        ) from error
    return runtime
