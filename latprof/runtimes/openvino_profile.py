"""OpenVINO's counters and runtime model → times of our kernels.

A runtime model tells, for each launch, the nodes of the model it was fused from
(``originalLayersNames``); a counter tells the mean time of all runs so far, in whole
microseconds. Launches that OpenVINO put in itself carry no name of ours: reorders are found by
the launch they read from, the rest belongs to whoever reads what it gives.

References
----------
OpenVINO 2026.4, src/plugins/intel_cpu/src/perf_count.h (a counter is the sum of whole
microseconds divided by the number of runs) and graph_dumper.cpp (the runtime model).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from latprof.graph import Graph
from latprof.kernel import Kernel
from latprof.runtimes import opened
from latprof.runtimes.protocol import KernelTimes, Observed, Stray

_NO_LAUNCH = ("Const", "Input", "Output")
_VIEW = "Reshape"
_REORDERS = ("reorder_input", "reorder_output")
_CONVERSION = "cast"
_DTYPES = {
    "f32": "float32", "bf16": "bfloat16", "f16": "float16", "u8": "uint8", "i8": "int8",
}  # fmt: skip


@dataclass(frozen=True)
class Launched:
    """One launch of a runtime model.

    Parameters
    ----------
    name, kind : str
        As OpenVINO says: ``Multiply_8140`` and ``Convolution``.
    originals : tuple of str
        Names of the model's nodes it was fused from.
    layout : str
        Of what it gives; ``acdb`` for channels last.
    sources : tuple of (str, int)
        The launch that gives each operand, and which of its outputs that is.
    precision : str
        What it computes in: ``f32``, ``bf16``, ``u8``.
    """

    name: str
    kind: str
    originals: tuple[str, ...] = ()
    layout: str = ""
    sources: tuple[tuple[str, int], ...] = ()
    precision: str = ""


def kernel_times(
    launched: Sequence[Launched],
    means_us: Mapping[str, Sequence[int]],
    kernels: Sequence[Kernel],
    nodes: frozenset[str],
) -> Observed:
    """Times of each kernel, run by run, and the launches that match no kernel.

    Parameters
    ----------
    launched : sequence of Launched
        The runtime model, in running order.
    means_us : mapping of str to sequence of int
        For each launch its counter after the first, second, ... run.
    kernels : sequence of Kernel
        What fusion predicted, in running order.
    nodes : frozenset of str
        Names of the graph's nodes and inputs.
    """
    names = {launch.name: _names(launch, nodes) for launch in launched}
    owners = _owners(launched, names, kernels)
    found: dict[str, list[tuple[float, ...]]] = defaultdict(list)
    seen: dict[str, list[str]] = defaultdict(list)
    strays: list[Stray] = []
    for launch in launched:
        if launch.kind in _NO_LAUNCH or launch.name not in means_us:
            continue  # the rest is computed once, while loading
        times_ms = tuple(us / 1e3 for us in times_of_runs(means_us[launch.name]))
        owner = owners.get(launch.name)
        if owner is not None:
            found[owner].append(times_ms)
            seen[owner].append(f"{launch.kind} {launch.name}")
        elif any(times_ms):
            strays.append(Stray(launch.name, launch.kind, times_ms))
    matched = tuple(
        KernelTimes(kernel, tuple(map(sum, zip(*found[kernel.name], strict=True))),
                    len(found[kernel.name]), tuple(seen[kernel.name]))
        for kernel in kernels
        if kernel.name in found
    )  # fmt: skip
    return Observed(matched, tuple(strays))


def kernels_as_run(
    launched: Sequence[Launched],
    means_us: Mapping[str, Sequence[int]],
    *,
    graph: Graph,
    nodes: frozenset[str],
) -> Observed:
    """Every launch of a user's own file as a kernel, with the nodes that it was fused from.

    Parameters
    ----------
    launched, means_us, nodes
        As in `kernel_times`.
    graph : Graph
        What the reader made of the file.
    """
    known = {node.name for node in graph.nodes}
    taken: set[str] = set()
    found = []
    for launch in launched:
        if launch.kind in _NO_LAUNCH or launch.name not in means_us:
            continue
        times_ms = tuple(us / 1e3 for us in times_of_runs(means_us[launch.name]))
        mine = (name for name in _names(launch, nodes) if name in known and name not in taken)
        names = tuple(dict.fromkeys(mine))
        if any(times_ms) or (names and launch.kind != _VIEW):
            taken.update(names)
            dtype = _DTYPES.get(launch.precision, "")
            found.append(opened.Launched(launch.name, launch.kind, times_ms, names, dtype))
    return Observed(opened.kernels_of_file(graph, found))


def times_of_runs(means: Sequence[int]) -> tuple[float, ...]:
    """The time of each run, given the running mean, rounded down, after each.

    After n runs the sum is known within n units. The straightest line through what is known
    is taken: a slow run stands out, and where runs are alike the rounding tells nothing.

    Examples
    --------
    >>> times_of_runs([9, 7, 6])
    (9.0, 5.5, 5.5)
    """
    runs = len(means)
    low = [mean * n for n, mean in enumerate(means, 1)]
    high = [mean * n + n - 1 for n, mean in enumerate(means, 1)]
    for n in range(1, runs):  # a sum never falls
        low[n] = max(low[n], low[n - 1])
        high[-n - 1] = min(high[-n - 1], high[-n])
    times: list[float] = []
    start, total = 0, 0.0
    while start < runs:
        end, slope = _straight(low, high, start, total)
        times += [slope] * (end - start)
        start, total = end, total + slope * (end - start)
    return tuple(times)


def _straight(
    low: Sequence[int], high: Sequence[int], start: int, total: float
) -> tuple[int, float]:
    """How far a straight line from (`start`, `total`) can go before it has to bend; its slope."""
    least, most, at_least, at_most = 0.0, float("inf"), start + 1, start + 1
    for n in range(start + 1, len(low) + 1):
        lowest, highest = ((bound[n - 1] - total) / (n - start) for bound in (low, high))
        if lowest > most:
            return at_most, most
        if highest < least:
            return at_least, least
        if lowest >= least:
            least, at_least = lowest, n
        if highest <= most:
            most, at_most = highest, n
    return len(low), (least + most) / 2


def _names(launch: Launched, nodes: frozenset[str]) -> tuple[str, ...]:
    """The graph's nodes that a launch was fused from, in order."""
    found = []
    for original in launch.originals:
        name = original.removesuffix("/WithoutBiases")
        while name and name not in nodes:
            name = name.rpartition("/")[0]  # an inner step: node/step
        found += [name] * bool(name)
    return tuple(found)


def _owners(
    launched: Sequence[Launched],
    names: Mapping[str, tuple[str, ...]],
    kernels: Sequence[Kernel],
) -> dict[str, str]:
    """The kernel behind each launch that has one."""
    kernel_of = {node: kernel.name for kernel in kernels for node in kernel.nodes}
    reorders = {k.name for k in kernels if k.op in (*_REORDERS, _CONVERSION)}
    owners: dict[str, str] = {}
    given_by = dict(names)  # a conversion passes on what another launch computes
    for launch in launched:
        if launch.kind == "Reorder" and launch.sources:
            source, port = launch.sources[0]
            giver = given_by.get(source, ())
            op = _REORDERS[0] if launch.layout == "acdb" else _REORDERS[1]
            given = giver[-1] if giver else source
            name = f"{given}/{port}/{op}" if port else f"{given}/{op}"
            if name not in reorders:
                name = f"{given}/{_CONVERSION}"
            if name in reorders:
                reorders.remove(name)
                owners[launch.name] = name
        elif not names[launch.name] and _converted(launch, names) in reorders:
            owners[launch.name] = _converted(launch, names)
            given_by[launch.name] = names[launch.sources[0][0]]
            reorders.remove(owners[launch.name])
        else:
            mine = (kernel_of[name] for name in names[launch.name] if name in kernel_of)
            owner = next(mine, None)
            if owner is not None:
                owners[launch.name] = owner
    owners |= _by_reader(launched, names, owners)
    return owners | _between_neighbours(launched, names, owners, kernels)


def _converted(launch: Launched, names: Mapping[str, tuple[str, ...]]) -> str:
    """The conversion that a nameless launch stands for, if it stands for one."""
    giver = names.get(launch.sources[0][0], ()) if launch.sources else ()
    return f"{giver[-1]}/{_CONVERSION}" if giver else ""


def _by_reader(
    launched: Sequence[Launched],
    names: Mapping[str, tuple[str, ...]],
    owners: Mapping[str, str],
) -> dict[str, str]:
    """Nameless launches belong to the kernel that reads what they give, views between or not."""
    reader: dict[str, Launched] = {}
    for launch in launched:
        for source, _ in launch.sources:
            reader.setdefault(source, launch)
    found: dict[str, str] = {}
    for launch in launched:
        if launch.kind in (*_NO_LAUNCH, "Reorder") or names[launch.name] or launch.name in owners:
            continue
        after = reader.get(launch.name)
        while after is not None and after.kind == _VIEW:
            after = reader.get(after.name)
        if after is not None and after.name in owners:
            found[launch.name] = owners[after.name]
    return found


def _between_neighbours(
    launched: Sequence[Launched],
    names: Mapping[str, tuple[str, ...]],
    owners: Mapping[str, str],
    kernels: Sequence[Kernel],
) -> dict[str, str]:
    """Nameless launches that are left: kernels not yet seen that run between the same two others.

    An operator that is moved past a view loses its name, and so does the reorder behind it.
    """
    place = {kernel.name: index for index, kernel in enumerate(kernels)}
    left = {k.name: k.op for k in kernels if k.name not in owners.values()}
    found: dict[str, str] = {}
    places = [place.get(owners.get(launch.name, ""), -1) for launch in launched]
    for index, launch in enumerate(launched):
        if launch.kind in (*_NO_LAUNCH, _VIEW) or launch.name in owners or names[launch.name]:
            continue
        first = next((p for p in reversed(places[:index]) if p >= 0), -1)
        last = next((p for p in places[index:] if p >= 0), len(kernels))
        reorders = launch.kind == "Reorder"
        for kernel in kernels[first + 1 : last]:
            if kernel.name in left and (left[kernel.name] in _REORDERS) == reorders:
                found[launch.name] = kernel.name
                break
    return found
