"""What a runtime says when it fails, in words of ours."""

from __future__ import annotations

from latprof.errors import MeasurementError

_LONGEST = 300  # of what a library says: some append the whole model


def failed(library: str, doing: str, network: str, said: Exception | str) -> MeasurementError:
    """The error to raise when a library cannot load, run, compile or quantise a network.

    Parameters
    ----------
    library : str
        As its users call it: ``ONNX Runtime``.
    doing : str
        ``load``, ``run``, ...
    network : str
    said : Exception or str
        By the library; the first line is told.
    """
    return MeasurementError(
        f"{library} cannot {doing} {network!r}: {first_line(said)}. Try another --runtime, or "
        "predict instead of measuring."
    )


def first_line(said: Exception | str) -> str:
    """The first line that says something, without the full stop at its end."""
    line = (str(said).strip().splitlines() or [""])[0]
    return line[:_LONGEST].rstrip(". ")
