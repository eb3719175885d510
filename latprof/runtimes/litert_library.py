"""LiteRT's C library, as far as needed: load a model, run it, read its profiler.

The Python classes of ai-edge-litert cannot read the profiler; the C library that comes with them
can. With a profiler attached, XNNPACK reports the time of every operator that it runs
(XNN_FLAG_BASIC_PROFILING), in whole microseconds rounded down.

References
----------
LiteRT 2.3, litert/c: litert_environment.h, litert_model.h, litert_options.h,
litert_opaque_options.h, litert_compiled_model.h, litert_tensor_buffer.h, litert_profiler.h,
litert_profiler_event.h; options are passed as TOML (litert/c/options/litert_cpu_options.cc,
litert_runtime_options.cc).
"""

from __future__ import annotations

import ctypes
from ctypes import byref, c_char_p, c_int, c_int64, c_size_t, c_void_p
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import ai_edge_litert
import numpy as np

from latprof.errors import MeasurementError

Array = np.ndarray[Any, Any]

_NAMES = ("libLiteRt.so", "libLiteRt.dylib", "libLiteRt.dll", "LiteRt.dll")
_CPU = 1  # kLiteRtHwAcceleratorCpu
_ACCELERATORS, _SEVERITY, _ERRORS_ONLY = 24, 25, 3  # options of an environment
_INT = 2  # kLiteRtAnyTypeInt
_READ, _WRITE = 0, 1  # LiteRtTensorBufferLockMode
_DEFAULT, _OPERATOR, _DELEGATE_OPERATOR = 1, 1 << 1, 1 << 3  # kinds of event
_KIND_BITS = 0xFFFFFFFF  # an enumeration of four bytes in a place of eight
_TYPE_BYTES = 512  # room for a LiteRtRankedTensorType, which only passes through
_MOST_EVENTS = 1 << 20

_Delete = ctypes.CFUNCTYPE(None, c_void_p)
_keep_payload = _Delete(lambda payload: None)  # payloads are ours


class _Option(ctypes.Structure):
    """LiteRtEnvOption with a whole number: a tag, and a union with its type before it."""

    _fields_ = (("tag", c_int64), ("type", c_int64), ("value", c_int64))


# ProfiledEventData; each use of memory is told in three numbers.
_EVENT = np.dtype(
    [
        ("tag", "u8"), ("kind", "i8"), ("start_us", "u8"), ("elapsed_us", "u8"),
        ("memory", "u8", 6), ("index", "u8"), ("more", "u8"), ("source", "i8"),
    ]
)  # fmt: skip


class Event(NamedTuple):
    """An operator that ran.

    Parameters
    ----------
    tag : str
        ``Convolution (NHWC, F32) DWConv``, or an operator's name in TensorFlow Lite.
    in_xnnpack : bool
        Whether XNNPACK ran it, else TensorFlow Lite's own kernel did.
    number : int
        Which one, counted in XNNPACK's part of the network or in the whole.
    """

    tag: str
    in_xnnpack: bool
    number: int


class Library:
    """The C functions, each checked for the status that it gives."""

    def __init__(self) -> None:
        folder = Path(str(ai_edge_litert.__file__)).parent
        found = [folder / name for name in _NAMES if (folder / name).is_file()]
        if not found:
            raise ImportError(f"{folder} holds no C library of LiteRT")
        self._c = ctypes.CDLL(str(found[0]))
        missing = [name for name in _NEEDED if not hasattr(self._c, name)]
        if missing:
            raise ImportError(f"{found[0].name} lacks {missing[0]}: another version of LiteRT")
        options = (_Option * 2)(
            _Option(_ACCELERATORS, _INT, _CPU), _Option(_SEVERITY, _INT, _ERRORS_ONLY)
        )
        self.environment = self.new("LiteRtCreateEnvironment", c_int(2), options)

    def call(self, name: str, *arguments: Any) -> None:
        """Call a function.

        Raises
        ------
        MeasurementError
            If it does not give kLiteRtStatusOk.
        """
        status = getattr(self._c, name)(*arguments)
        if status != 0:
            raise MeasurementError(f"{name} of LiteRT gave status {status}")

    def new(self, name: str, *arguments: Any) -> c_void_p:
        """What a function gives through its last argument."""
        given = c_void_p()
        self.call(name, *arguments, byref(given))
        return given

    def free(self, name: str, thing: c_void_p) -> None:
        getattr(self._c, name)(thing)


_NEEDED = (
    "LiteRtCreateEnvironment", "LiteRtCreateModelFromBuffer", "LiteRtCreateOptions",
    "LiteRtSetOptionsHardwareAccelerators", "LiteRtCreateOpaqueOptions", "LiteRtAddOpaqueOptions",
    "LiteRtCreateCompiledModel", "LiteRtGetModelSignature",
    "LiteRtGetSignatureInputTensorByIndex", "LiteRtGetSignatureOutputTensorByIndex",
    "LiteRtGetRankedTensorType", "LiteRtGetCompiledModelInputBufferRequirements",
    "LiteRtGetCompiledModelOutputBufferRequirements", "LiteRtLockTensorBuffer",
    "LiteRtCreateManagedTensorBufferFromRequirements", "LiteRtUnlockTensorBuffer",
    "LiteRtRunCompiledModel", "LiteRtCompiledModelGetProfiler", "LiteRtStartProfiler",
    "LiteRtGetNumProfilerEvents", "LiteRtGetProfilerEvents", "LiteRtDestroyCompiledModel",
    "LiteRtDestroyModel", "LiteRtDestroyOptions", "LiteRtDestroyTensorBuffer",
)  # fmt: skip


@cache
def library() -> Library:
    """The library, loaded once."""
    return Library()


class CompiledModel:
    """A model made ready to run on the CPU, with buffers for what goes in and out.

    Parameters
    ----------
    model : bytes
        A .tflite file.
    inputs, outputs : sequence of ndarray
        One array for each tensor; inputs are copied in, outputs only say shape and type.
    threads : int
    profiled : bool
    """

    def __init__(
        self, model: bytes, inputs: list[Array], outputs: list[Array], *, threads: int,
        profiled: bool,
    ) -> None:  # fmt: skip
        self._lib = library()
        self._freed: list[tuple[str, c_void_p]] = []
        self._model_bytes = model  # read in place
        try:
            self._open(threads=threads, profiled=profiled)
            self._in = self._buffers("Input", inputs)
            self._out = self._buffers("Output", outputs)
        except BaseException:
            self.close()
            raise
        self._outputs = outputs
        self._profiler = None
        if profiled:
            self._profiler = self._lib.new("LiteRtCompiledModelGetProfiler", self._compiled)

    def _own(self, destroy: str, name: str, *arguments: Any) -> c_void_p:
        thing = self._lib.new(name, *arguments)
        self._freed.append((destroy, thing))
        return thing

    def _open(self, *, threads: int, profiled: bool) -> None:
        lib = self._lib
        data, size = c_char_p(self._model_bytes), c_size_t(len(self._model_bytes))
        self._model = self._own(
            "LiteRtDestroyModel", "LiteRtCreateModelFromBuffer", lib.environment, data, size
        )
        options = self._own("LiteRtDestroyOptions", "LiteRtCreateOptions")
        lib.call("LiteRtSetOptionsHardwareAccelerators", options, c_int(_CPU))
        said = {b"xnnpack": f"num_threads = {threads}\n"}
        if profiled:
            said[b"runtime_options_string"] = "enable_profiling = true\n"
        self._payloads = [ctypes.create_string_buffer(text.encode()) for text in said.values()]
        for name, payload in zip(said, self._payloads, strict=True):
            opaque = lib.new("LiteRtCreateOpaqueOptions", c_char_p(name), payload, _keep_payload)
            lib.call("LiteRtAddOpaqueOptions", options, opaque)
        self._compiled = self._own(
            "LiteRtDestroyCompiledModel", "LiteRtCreateCompiledModel", lib.environment,
            self._model, options,
        )  # fmt: skip

    def _buffers(self, side: str, arrays: list[Array]) -> Any:
        lib, first = self._lib, c_size_t(0)
        signature = lib.new("LiteRtGetModelSignature", self._model, first)
        made = []
        for index, array in enumerate(arrays):
            which = c_size_t(index)
            tensor = lib.new(f"LiteRtGetSignature{side}TensorByIndex", signature, which)
            tensor_type = (ctypes.c_char * _TYPE_BYTES)()
            lib.call("LiteRtGetRankedTensorType", tensor, tensor_type)
            needs = f"LiteRtGetCompiledModel{side}BufferRequirements"
            required = lib.new(needs, self._compiled, first, which)
            made.append(
                self._own(
                    "LiteRtDestroyTensorBuffer",
                    "LiteRtCreateManagedTensorBufferFromRequirements",
                    lib.environment, tensor_type, required,
                )
            )  # fmt: skip
            if side == "Input":
                address = self._lock(made[-1], _WRITE)
                stored = np.ascontiguousarray(array)
                ctypes.memmove(address, stored.ctypes.data, stored.nbytes)
                lib.call("LiteRtUnlockTensorBuffer", made[-1])
        return (c_void_p * len(made))(*made)

    def _lock(self, buffer: c_void_p, mode: int) -> int:
        address = c_void_p()
        self._lib.call("LiteRtLockTensorBuffer", buffer, byref(address), c_int(mode))
        return int(address.value or 0)

    def run(self) -> None:
        """Run it once; a profiler starts afresh."""
        lib = self._lib
        if self._profiler is not None:
            lib.call("LiteRtStartProfiler", self._profiler)
        ins, outs = c_size_t(len(self._in)), c_size_t(len(self._out))
        lib.call(
            "LiteRtRunCompiledModel", self._compiled, c_size_t(0), ins, self._in, outs, self._out
        )

    def results(self) -> list[Array]:
        """What the last run gave, copied."""
        found = []
        for pointer, like in zip(self._out, self._outputs, strict=True):
            buffer = c_void_p(pointer)
            address = self._lock(buffer, _READ)
            given = np.empty_like(like)
            ctypes.memmove(given.ctypes.data, address, given.nbytes)
            self._lib.call("LiteRtUnlockTensorBuffer", buffer)
            found.append(given)
        return found

    def _events(self) -> tuple[Array, int]:
        """The profiler's entries on the operators of the last run, and the µs of all of it."""
        lib, count = self._lib, c_int()
        lib.call("LiteRtGetNumProfilerEvents", self._profiler, byref(count))
        if not 0 < count.value < _MOST_EVENTS:
            raise MeasurementError(f"the profiler of LiteRT tells of {count.value} events")
        entries = np.zeros(count.value, _EVENT)
        address = c_void_p(entries.ctypes.data)
        lib.call("LiteRtGetProfilerEvents", self._profiler, count, address)
        kinds = entries["kind"] & _KIND_BITS
        # LiteRT's own steps are told in the same way; the longest is the network itself.
        whole = int(entries["elapsed_us"][kinds == _DEFAULT].max(initial=0))
        return entries[(kinds == _OPERATOR) | (kinds == _DELEGATE_OPERATOR)], whole

    def operators(self) -> list[Event]:
        """What ran in the last run, in its order."""
        return [
            Event(
                ctypes.string_at(int(entry["tag"])).decode(errors="replace"),
                int(entry["kind"]) & _KIND_BITS == _DELEGATE_OPERATOR,
                int(entry["index"]),
            )
            for entry in self._events()[0]
        ]

    def times_us(self) -> Array:
        """Microseconds of each operator of the last run, in its order.

        XNNPACK rounds each down; what that leaves of the time of the whole is spread over them,
        at most the one microsecond that rounding can take.
        """
        entries, whole = self._events()
        times = entries["elapsed_us"].astype(float)
        rounded = (entries["kind"] & _KIND_BITS) == _DELEGATE_OPERATOR
        if rounded.any():
            times[rounded] += min(max(whole - times.sum(), 0.0) / rounded.sum(), 1.0)
        return times

    def close(self) -> None:
        """Give everything back."""
        while self._freed:
            destroy, thing = self._freed.pop()
            self._lib.free(destroy, thing)
