"""What the numbers were measured on: facts of the machine, the runtime and its settings."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

# PyTorch's allocator hands memory back to the system between operators, and page faults then
# cost it a third of its time; with these thresholds it keeps it, as a long-running server does.
ALLOCATOR_SETTINGS = {
    "MALLOC_MMAP_THRESHOLD_": "1000000000",
    "MALLOC_TRIM_THRESHOLD_": "1000000000",
}

_CPU_INFO = Path("/proc/cpuinfo")
_FREQUENCY = Path("/sys/devices/system/cpu/cpu0/cpufreq")
_GOVERNOR = _FREQUENCY / "scaling_governor"
_CACHES = Path("/sys/devices/system/cpu/cpu0/cache")
_CACHE_KINDS = {"Data": "d", "Instruction": "i"}

_TOPOLOGY = Path("/sys/devices/system/cpu")

# What tells one machine from another.
MACHINE = ("cpu", "cores", "caches", "instructions")
# Facts that two tables must share before they may be merged.
IDENTITY = (*MACHINE, "governor", "virtualised", "runtime", "threads", "dtype", "allocator")
# Which of a CPU's instructions decide what kernels a runtime picks, as Linux names them.
_INSTRUCTIONS = (
    "avx2", "fma", "f16c", "avx512f", "avx512_vnni", "avx512_bf16", "avx512_fp16", "avx_vnni",
    "amx_tile", "amx_int8", "amx_bf16", "asimd", "asimdhp", "asimddp", "i8mm", "bf16", "sve",
)  # fmt: skip


def describe_host() -> dict[str, str]:
    """Facts about this machine; what it does not tell is ``unknown``, never guessed."""
    import psutil

    return {
        **describe_machine(),
        "usable_cores": str(len(usable_cores())),
        "frequency": _frequency(),
        "memory_gb": f"{psutil.virtual_memory().total / 1e9:.1f}",
        "governor": _governor(),
        "virtualised": _virtualised(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def describe_machine() -> dict[str, str]:
    """What tells this machine from another, read in a millisecond."""
    return {
        "cpu": cpu_name(),
        "cores": _cores(),
        "caches": _caches(),
        "instructions": _instructions(),
    }


def describe_run(*, runtime: str, threads: int, dtype: str) -> dict[str, str]:
    """`describe_host` with how the measurement runs."""
    return describe_host() | {
        "runtime": runtime,
        "threads": str(threads),
        "dtype": dtype,
        "allocator": " ".join(f"{k}={v}" for k, v in ALLOCATOR_SETTINGS.items()),
        "pinned_to": ",".join(map(str, cores_for(threads))),
    }


def differences(
    one: Mapping[str, str], other: Mapping[str, str], keys: Iterable[str] = IDENTITY
) -> list[str]:
    """Where two environments differ in what matters, in words."""
    return [
        f"{key}: {one.get(key, 'unknown')} then, {other.get(key, 'unknown')} now"
        for key in keys
        if one.get(key) != other.get(key)
    ]


def cpu_name() -> str:
    """The processor's name with family and model, where the name alone says little."""
    facts: dict[str, str] = {}
    try:
        for line in _CPU_INFO.read_text().split("\n\n")[0].splitlines():
            key, _, value = line.partition(":")
            facts[key.strip()] = value.strip()
    except OSError:
        return platform.processor() or "unknown"
    name = facts.get("model name", platform.processor() or "unknown")
    if "cpu family" in facts:
        name += f" (family {facts['cpu family']}, model {facts.get('model', '?')})"
    return name


def _cores() -> str:
    """How many cores there are: threads that share one are counted once."""
    siblings = set()
    for file in _TOPOLOGY.glob("cpu[0-9]*/topology/thread_siblings_list"):
        with suppress(OSError):
            siblings.add(file.read_text().strip())
    return str(len(siblings) or os.cpu_count() or "unknown")


def usable_cores() -> list[int]:
    """Cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def cores_for(threads: int) -> list[int]:
    """Cores to pin to: the last ones, since the first serve most interrupts."""
    return usable_cores()[-threads:]


def _caches() -> str:
    """Size of each cache of the first core, as ``L1d 48K, L1i 32K, L2 2048K, L3 480M``."""
    found = []
    for folder in sorted(_CACHES.glob("index[0-9]*")):
        try:
            level, kind, size = (
                (folder / name).read_text().strip() for name in ("level", "type", "size")
            )
        except OSError:
            continue  # a level that this kernel does not describe
        found.append(f"L{level}{_CACHE_KINDS.get(kind, '')} {size}")
    return ", ".join(found) or "unknown"


def _instructions() -> str:
    """Those of `_INSTRUCTIONS` that the CPU has."""
    try:
        lines = _CPU_INFO.read_text().splitlines()
    except OSError:
        return "unknown"
    listed = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    has = set(listed.partition(":")[2].split())
    return " ".join(name for name in _INSTRUCTIONS if name in has) or "unknown"


def _frequency() -> str:
    """The range that the clock may take in MHz; unknown where no driver tells."""
    try:
        least, most = (
            int((_FREQUENCY / f"scaling_{end}_freq").read_text()) / 1e3 for end in ("min", "max")
        )
    except (OSError, ValueError):
        return "unknown"
    return f"{least:.0f} to {most:.0f} MHz"


def _governor() -> str:
    try:
        return _GOVERNOR.read_text().strip() or "unknown"
    except OSError:
        return "unknown"


def _virtualised() -> str:
    try:
        flags = _CPU_INFO.read_text()
    except OSError:
        return "unknown"
    return "yes" if " hypervisor" in flags else "no"
