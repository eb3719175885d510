"""Whether networks that people bring are read whole and counted right.

Captures every network of the zoo and a seeded random sample of timm's classification models on
the meta device (no weights), lists the operators that latprof has no formula for, and holds its
MACs against half of what PyTorch's FlopCounterMode counts. Where the two differ, it names the
nodes that make up the difference.

    python -m venv /tmp/intake && /tmp/intake/bin/pip install -c constraints.txt -e . timm==1.0.31
    /tmp/intake/bin/python benchmarks/intake.py --journal intake.jsonl

With ``--fvcore`` every network with less than 1 GB of weights is also built on the CPU and counted
by fvcore (which cannot count on the meta device), against latprof's convention of that name.

A journal lets a run that was cut short go on where it stopped. timm imports torchvision; where
that is a build whose native library does not load (a CUDA build beside a CPU PyTorch), this script
declares the two operators that torchvision looks for when it is imported. They cannot be called,
and no classification model does.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import resource
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from latprof import zoo
from latprof.counting.conventions import find_convention
from latprof.errors import LatprofError
from latprof.frontends.inputs import InputSpec
from latprof.frontends.torch.module import capture
from latprof.graph import Graph
from latprof.ops import OPS

SEED = 20261124
SAMPLE = 150

MOST_BYTES = 10**9  # of weights, for what has to be built on the CPU

Build = Callable[..., tuple[torch.nn.Module, tuple[int, ...]]]


@dataclass
class Finding:
    """What became of one network."""

    name: str
    nodes: int = 0
    macs: int = 0
    torch_macs: int = 0
    unknown: dict[str, int] = field(default_factory=dict)
    differences: list[str] = field(default_factory=list)
    error: str = ""
    seconds: float = 0.0
    fvcore: int | None = None
    our_fvcore: int | None = None

    @property
    def captured(self) -> bool:
        return not self.error and not self.unknown

    @property
    def agrees(self) -> bool:
        return not self.error and self.macs == self.torch_macs

    @property
    def agrees_with_fvcore(self) -> bool:
        return self.fvcore is not None and self.fvcore == self.our_fvcore


def main() -> None:
    arguments = _arguments()
    journal = Path(arguments.journal) if arguments.journal else None
    done = _read(journal)
    findings: dict[str, list[Finding]] = {}
    for kind, names, build in _networks(arguments):
        findings[kind] = []
        for name in names:
            finding = done.get(f"{kind}:{name}")
            if finding is None:
                finding = examine(f"{kind}:{name}", build(name), with_fvcore=arguments.fvcore)
                _append(journal, finding)
            findings[kind].append(finding)
            print(_line(finding), flush=True)
    print(_report(findings))


def examine(name: str, build: Build, *, with_fvcore: bool = False) -> Finding:
    """Capture and count one network, and count it with PyTorch."""
    finding = Finding(name)
    started = time.monotonic()
    try:
        module, shape = build()
        graph = capture(module, [InputSpec(shape)], name=name)
    except LatprofError as error:
        finding.error = str(error)[:300]
        return finding
    except Exception as error:  # noqa: BLE001 (whatever the network's own code raises)
        finding.error = f"not built: {type(error).__name__}: {error}"[:300]
        return finding
    finding.seconds = round(time.monotonic() - started, 2)
    finding.nodes = len(graph.nodes)
    finding.unknown = dict(Counter(node.op for node in graph.nodes if node.op not in OPS))
    finding.macs = sum(macs_by_node(graph).values())
    module.requires_grad_(False)  # else the counter follows gradients too
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        module.eval()(torch.empty(shape, device="meta"))
    finding.torch_macs = counter.get_total_flops() // 2
    if finding.macs != finding.torch_macs:
        finding.differences = explain(graph, counter, type(module).__name__)
    if with_fvcore:
        finding.our_fvcore = find_convention("fvcore").count(graph).total
        finding.fvcore = count_with_fvcore(module, build, shape)
    return finding


def count_with_fvcore(module: torch.nn.Module, build: Build, shape: tuple[int, ...]) -> int | None:
    """fvcore's total of the network built on the CPU; None if it is too large."""
    from fvcore.nn import FlopCountAnalysis

    if sum(p.numel() for p in module.parameters()) * 4 > MOST_BYTES:
        return None
    on_cpu = build(device="cpu")[0].eval()
    with torch.no_grad():
        analysis = FlopCountAnalysis(on_cpu, torch.zeros(shape))
        analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
        return round(analysis.total())


def macs_by_node(graph: Graph) -> dict[str, int]:
    """MACs of each node that has a formula."""
    return {c.node.name: OPS[c.node.op].macs(c) for c in graph.calls if c.node.op in OPS}


def explain(graph: Graph, counter: FlopCounterMode, root: str) -> list[str]:
    """The innermost modules whose counts differ, with our nodes in them that have MACs."""
    theirs = {
        path.removeprefix(root).removeprefix("."): sum(by_op.values()) // 2
        for path, by_op in counter.get_flop_counts().items()
        if path != "Global"
    }
    ours: Counter[str] = Counter()
    macs = macs_by_node(graph)
    for node in graph.nodes:
        parts = node.module.split(".") if node.module else []
        for depth in range(len(parts) + 1):
            ours[".".join(parts[:depth])] += macs.get(node.name, 0)
    apart = {path for path in {*theirs, *ours} if ours.get(path, 0) != theirs.get(path, 0) and path}
    innermost = [p for p in sorted(apart) if not any(q.startswith(f"{p}.") for q in apart)]
    said = []
    for path in innermost:
        inside = [
            f"{node.name} ({node.op}, {macs[node.name]:,})"
            for node in graph.nodes
            if node.module == path and macs.get(node.name)
        ]
        said.append(
            f"{path}: {ours.get(path, 0):,} against {theirs.get(path, 0):,}: "
            f"{', '.join(inside) or 'no node of ours has MACs there'}"
        )
    return said


def _networks(
    arguments: argparse.Namespace,
) -> Iterator[tuple[str, list[str], Callable[[str], Build]]]:
    if arguments.only in (None, "zoo"):
        yield "zoo", list(zoo.ENTRIES), _of_zoo
    if arguments.only in (None, "timm"):
        timm = _import_timm()
        names = sorted(timm.list_models())
        chosen = random.Random(arguments.seed).sample(names, min(arguments.sample, len(names)))
        yield "timm", sorted(chosen), _of_timm


def _of_zoo(name: str) -> Build:
    def build(device: str = "meta") -> tuple[torch.nn.Module, tuple[int, ...]]:
        with torch.device(device):
            return zoo.build(name)

    return build


def _of_timm(name: str) -> Build:
    def build(device: str = "meta") -> tuple[torch.nn.Module, tuple[int, ...]]:
        timm = _import_timm()
        try:
            with torch.device(device):
                model = timm.create_model(name)
        except (RuntimeError, NotImplementedError):  # its constructor computes with its weights
            model = timm.create_model(name).to(device)
        return model, (1, *timm.data.resolve_model_data_config(model)["input_size"])

    return build


def _import_timm() -> Any:
    with contextlib.suppress(ImportError):
        import timm

        return timm
    raise SystemExit("timm is not installed here; see the top of this script.")


def _let_torchvision_import() -> None:
    """Declare what a torchvision without its native library asks for at import."""
    try:
        import torchvision  # noqa: F401
    except ImportError:
        return
    except RuntimeError:  # "operator torchvision::nms does not exist"
        import sys

        for loaded in [m for m in sys.modules if m.split(".")[0] == "torchvision"]:
            del sys.modules[loaded]
        library = torch.library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _KEPT.append(library)


_KEPT: list[Any] = []  # a library is gone once nobody holds it


def _read(journal: Path | None) -> dict[str, Finding]:
    if journal is None or not journal.is_file():
        return {}
    lines = journal.read_text().splitlines()
    return {finding.name: finding for finding in (Finding(**json.loads(line)) for line in lines)}


def _append(journal: Path | None, finding: Finding) -> None:
    if journal is not None:
        with journal.open("a") as file:
            file.write(json.dumps(asdict(finding)) + "\n")


def _line(finding: Finding) -> str:
    if finding.error:
        return f"{finding.name}: {finding.error}"
    said = f"{finding.name}: {finding.nodes} nodes, {finding.macs:,} MACs, {finding.seconds:.1f} s"
    if finding.unknown:
        said += "; unknown " + ", ".join(f"{n} × {op}" for op, n in finding.unknown.items())
    if not finding.agrees:
        said += f"; FlopCounterMode/2 {finding.torch_macs:,}"
        said += "".join(f"\n    {difference}" for difference in finding.differences[:6])
    return said


def _report(findings: dict[str, list[Finding]]) -> str:
    lines = [
        "",
        "| networks | captured, no unknown operator | MACs = FlopCounterMode/2 | = fvcore | nodes "
        "| seconds |",
        "|---|---|---|---|---|---|",
    ]
    for kind, found in findings.items():
        whole = sum(finding.captured for finding in found)
        same = sum(finding.agrees for finding in found)
        counted = [finding for finding in found if finding.fvcore is not None]
        fvcore = f"{sum(f.agrees_with_fvcore for f in counted)} of {len(counted)}"
        lines.append(
            f"| {kind} | {whole} of {len(found)} ({whole / len(found):.1%}) | {same} | "
            f"{fvcore if counted else '–'} | "
            f"{sum(f.nodes for f in found):,} | {sum(f.seconds for f in found):.0f} |"
        )
    every = [finding for found in findings.values() for finding in found]
    causes: Counter[str] = Counter()
    for finding in every:
        causes.update({f"unknown {op}" for op in finding.unknown})
        if finding.error:
            causes[finding.error.split(":")[0] if ":" in finding.error else finding.error] += 1
    lines += ["", *(f"- {count} × {cause}" for cause, count in causes.most_common())]
    lines += [f"- differs: {f.name}" for f in every if not f.error and not f.agrees]
    lines += [
        f"- differs from fvcore: {f.name}, {f.our_fvcore or 0:,} against {f.fvcore:,}"
        for f in every
        if f.fvcore is not None and not f.agrees_with_fvcore
    ]
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return "\n".join([*lines, "", f"Peak memory of the whole run: {peak_mb:,.0f} MB."])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=("zoo", "timm"))
    parser.add_argument("--sample", type=int, default=SAMPLE)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--fvcore", action="store_true", help="count with fvcore too (slow)")
    parser.add_argument("--journal", help="keep findings here, and skip those that are in it")
    return parser.parse_args()


if __name__ == "__main__":
    _let_torchvision_import()
    main()
