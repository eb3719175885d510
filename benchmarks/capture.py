"""How long and how large: whole processes that capture a model, from start to exit.

    python benchmarks/capture.py [--runs 5]

Every run is a fresh process with an empty LATPROF_HOME, so nothing comes from an earlier capture.
Memory is the most that the process held at one time (ru_maxrss); processor seconds show how much
of the time a busy machine took.
Exits with 1 if a bar is missed.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
# Without its weights, which no reader looks at.
TFLITE = HERE.parent / "tests" / "data" / "tflite" / "mobilenet_v2.tflite"


@dataclass(frozen=True)
class Case:
    """One process to time, and the most that it may take; None for no bar."""

    name: str
    code: str
    seconds: float | None = None
    megabytes: float | None = None


_LEAN = "\nimport sys; assert 'torch' not in sys.modules, 'torch was imported'"
_READ = "import latprof; latprof.read({path!r}{more})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=int, default=5, help="processes per row (default 5)")
    parser.add_argument("--write", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    runs = options.runs
    if options.write:
        write_models(options.write)
        return
    missed = []
    print("| whole process | median s | worst s | bar s | processor s | peak MB | bar MB |")
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        # By a process of its own: what this one holds would count as its children's.
        write = [sys.executable, __file__, "--write", folder]
        subprocess.run(write, check=True, stdout=subprocess.DEVNULL)
        for case in cases(Path(folder)):
            try:
                taken = [run(case, folder) for _ in range(runs)]
            except RuntimeError as error:
                print(f"| {case.name} | skipped: {error} |")
                continue
            seconds = [one[0] for one in taken]
            median, worst = statistics.median(seconds), max(seconds)
            processor = statistics.median(one[1] for one in taken)
            megabytes = max(one[2] for one in taken)
            bars = (case.seconds or "", case.megabytes or "")
            print(f"| {case.name} | {median:.2f} | {worst:.2f} | {bars[0]} | {processor:.2f} | "
                  f"{megabytes:.0f} | {bars[1]} |", flush=True)  # fmt: skip
            if median > (case.seconds or median) or megabytes > (case.megabytes or megabytes):
                missed.append(case.name)
    if missed:
        sys.exit(f"missed: {', '.join(missed)}")


def run(case: Case, folder: str) -> tuple[float, float, float]:
    """Seconds, seconds of processor time and megabytes of one process.

    Raises
    ------
    RuntimeError
        If it fails; with the last line that it says.
    """
    with tempfile.TemporaryDirectory(dir=folder) as home:
        started = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-c", case.code],
            env=os.environ | {"LATPROF_HOME": home},
            cwd=HERE,
            stderr=subprocess.PIPE,
        )
        assert process.stderr is not None
        said = process.stderr.read().decode(errors="replace").strip()
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        process.stderr.close()
    if process.returncode != 0:
        raise RuntimeError(said.splitlines()[-1][:200] if said else "it died in silence")
    processor = usage.ru_utime + usage.ru_stime
    return seconds, processor, usage.ru_maxrss / 1024  # Linux counts in kB


def write_models(folder: Path) -> None:
    """Write the files that the processes read."""
    import torch

    from latprof.zoo import build

    model, shape = build("mobilenet_v2")
    x = torch.zeros(shape)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(model, (x,), folder / "mobilenet_v2.onnx", dynamo=False)
        torch.export.save(torch.export.export(model, (x,)), folder / "mobilenet_v2.pt2")
        torch.jit.trace(model, x).save(folder / "mobilenet_v2_script.pt")
        torch.save(model.state_dict(), folder / "mobilenet_v2_weights.pt")
        torch.save(model, folder / "mobilenet_v2_pickled.pt")


def cases(folder: Path) -> list[Case]:
    """Everything to time."""

    def read(name: str, more: str = "", lean: str = "") -> str:
        return _READ.format(path=str(folder / name), more=more) + lean

    resnet = "from latprof.zoo import build; m, shape = build('resnet50')\n"
    resnet += "import latprof; latprof.read(m, shape)"
    tflite = _READ.format(path=str(TFLITE), more="")
    decoder = "import latprof; graph = latprof.read('decoder:seven_billion', '1x128:int64')\n"
    decoder += "assert latprof.count(graph).params == 6_738_415_616"
    return [
        Case("python -c pass", "pass"),
        Case("MobileNetV2 .onnx, no torch", read("mobilenet_v2.onnx", lean=_LEAN), 0.4),
        Case("MobileNetV2 .pt2, no torch", read("mobilenet_v2.pt2", lean=_LEAN), 0.4),
        Case("MobileNetV2 .tflite, no torch", tflite + _LEAN, 0.4),
        Case("ResNet-50 nn.Module, with weights", resnet, 3.0),
        Case("7-billion-parameter decoder, a factory", decoder, 60.0, 1500.0),
        Case("MobileNetV2 TorchScript", read("mobilenet_v2_script.pt", ", '1x3x224x224'")),
        Case(
            "MobileNetV2 state dict, --arch",
            read("mobilenet_v2_weights.pt", ", arch='zoo:mobilenet_v2'"),
        ),
        Case(
            "MobileNetV2 pickled, --trust",
            read("mobilenet_v2_pickled.pt", ", '1x3x224x224', trust=True"),
        ),
        Case("import torch", "import torch"),
    ]


if __name__ == "__main__":
    main()
