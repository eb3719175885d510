"""The Python face of latprof: the same answers as the command line, for models in memory too."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latprof.errors import BadReference
from latprof.frontends.inputs import InputSpec, parse_input
from latprof.graph import Graph

if TYPE_CHECKING:
    from latprof.account import Count
    from latprof.costmodel.predictor import Predictor
    from latprof.costmodel.validation import Accuracy
    from latprof.kernel import Kernel
    from latprof.measurement.sweep import Progress
    from latprof.prediction import Latency, Predictions
    from latprof.profiling import Profile

Inputs = str | Sequence[int] | Sequence["str | Sequence[int]"] | None


def read(model: Any, inputs: Inputs = None, *, trust: bool = False, arch: str = "") -> Graph:
    """The graph of a model.

    Parameters
    ----------
    model : str, Path, torch.nn.Module, torch.export.ExportedProgram or Graph
        A file, ``zoo:NAME``, ``timm:NAME``, ``package.module:factory``, or a model in memory:
        a module, or what ``torch.export.export`` gave.
    inputs : str, tuple of int, or a sequence of those
        Shapes of the inputs: ``"1x3x224x224"``, ``"tokens=1x128:int64"`` or ``(1, 3, 224, 224)``.
    trust : bool, default=False
        Whether code that comes with a pickled model may run.
    arch : str, optional
        For a file of weights alone: what builds their network, as ``zoo:NAME``, ``timm:NAME`` or
        ``package.module:factory``.

    Raises
    ------
    ModelError, UnknownName, BadReference
    """
    if isinstance(model, Graph):
        return model
    specs = _specs(inputs)
    if isinstance(model, (str, Path)):
        from latprof.captured import capture

        return capture(str(model), inputs=specs, trust=trust, arch=arch)
    if arch:
        raise BadReference("arch is for files of weights; a model in memory is one already.")
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(model, torch.nn.Module):
        from latprof.frontends.torch.module import capture as capture_module

        name = type(model).__name__
        return capture_module(model, specs, name=name, source=f"nn.Module {name}")
    export = sys.modules.get("torch.export")
    if export is not None and isinstance(model, export.ExportedProgram):
        return _read_program(model, specs)
    raise BadReference(
        f"cannot read a model from {type(model).__name__}; pass a path, 'zoo:NAME', "
        "'package.module:factory', a torch.nn.Module or a latprof Graph."
    )


def _read_program(program: Any, specs: Sequence[InputSpec]) -> Graph:
    from latprof.frontends.inputs import require_inputs
    from latprof.frontends.torch.module import read_program

    graph = read_program(program, name="program", source="torch.export.ExportedProgram")
    advice = "A program has the shapes it was exported for: export it again for others."
    require_inputs(specs, [graph.tensors[name] for name in graph.inputs], advice=advice)
    return graph


def profile(
    model: Any, inputs: Inputs = None, *, trust: bool = False, arch: str = "", **settings: Any
) -> Profile:
    """Measure a model on this machine; settings as in `latprof.profiling.profile`."""
    from latprof import profiling

    return profiling.profile(read(model, inputs, trust=trust, arch=arch), **settings)


def predict(
    model: Any,
    device: str | Sequence[str] = "host",
    inputs: Inputs = None,
    *,
    trust: bool = False,
    arch: str = "",
    **settings: Any,
) -> Predictions:
    """Predict a model's latency; settings as in `latprof.prediction.predict`."""
    from latprof import prediction

    return prediction.predict(read(model, inputs, trust=trust, arch=arch), device, **settings)


def predict_many(
    graphs: Iterable[Graph | Sequence[Kernel]], device: str = "host", **settings: Any
) -> Iterator[Latency]:
    """Predict many captured graphs as they come; settings as in `latprof.prediction`."""
    from latprof import prediction

    return prediction.predict_many(graphs, device, **settings)


def count(
    model: Any,
    inputs: Inputs = None,
    *,
    trust: bool = False,
    arch: str = "",
    explain: str = "",
    sparsity: bool = False,
    **settings: Any,
) -> Count:
    """Parameters, arithmetic and memory of a model.

    Parameters
    ----------
    model, inputs, trust, arch
        As in `read`.
    explain : str, optional
        A figure that somebody quoted, to be explained: ``"0.39G"``.
    sparsity : bool, default=False
        Read the weights' values and count their zeros.
    settings
        ``depth`` and ``convention``, as in `latprof.account.account`.

    Raises
    ------
    ModelError, UnknownName, BadReference
    """
    from latprof import frontends
    from latprof.account import account
    from latprof.frontends.resizing import at_image_size
    from latprof.frontends.zeros.reader import read_zeros

    graph = read(model, inputs, trust=trust, arch=arch)

    def read_again(spec: InputSpec) -> Graph:
        if isinstance(model, (str, Path)):  # not kept: it is not the model that was asked for
            return frontends.read(str(model), inputs=(spec,), trust=trust, arch=arch)
        return read(model, spec.shape, trust=trust)

    def recapture(size: int) -> Graph | None:
        return None if isinstance(model, Graph) else at_image_size(graph, size, read_again)

    zeros = read_zeros(model, trust=trust) if sparsity else None
    return account(graph, explain_figure=explain, recapture=recapture, zeros=zeros, **settings)


def measure(
    runtime: str = "onnxruntime",
    *,
    threads: int = 1,
    dtype: str = "fp32",
    seconds: float = 180.0,
    resume: bool = False,
    report: Callable[[Progress], None] = lambda progress: None,
) -> Path:
    """Build this machine's table for one runtime; the path of the table comes back."""
    from latprof.measurement.sweep import sweep
    from latprof.profiling import target_of

    target = target_of(runtime, threads=threads, dtype=dtype)
    return sweep(target, seconds=seconds, resume=resume, report=report)[0]


def fit(device: str = "host", *, force: bool = False) -> tuple[Predictor, Accuracy]:
    """Fit, judge and save the cost model of a device or target; of grade F only by force."""
    from latprof.costmodel.persistence import save
    from latprof.costmodel.validation import fit_predictor
    from latprof.tables import read_table

    predictor, accuracy = fit_predictor(read_table(device), force=force)
    save(predictor)
    return predictor, accuracy


def _specs(inputs: Inputs) -> tuple[InputSpec, ...]:
    if inputs is None:
        return ()
    if isinstance(inputs, str):
        return (parse_input(inputs),)
    if all(isinstance(size, int) for size in inputs):
        return (_spec(inputs),)  # type: ignore[arg-type]
    return tuple(parse_input(i) if isinstance(i, str) else _spec(i) for i in inputs)  # type: ignore[arg-type]


def _spec(sizes: Sequence[int]) -> InputSpec:
    return parse_input("x".join(map(str, sizes)))
