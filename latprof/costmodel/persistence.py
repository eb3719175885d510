"""Fitted predictors on disk: parse, audit, build. Nothing is ever unpickled.

The file is an ``.npz`` archive of plain arrays and one JSON text. It is read with pickling
refused, every entry is checked against a list of what belongs there, and only then are objects
made.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from latprof.costmodel.coverage import RANGED, Coverage
from latprof.costmodel.features import FAMILY_NAMES, feature_names
from latprof.costmodel.model import FALLBACK, CostModel, Fitted
from latprof.costmodel.predictor import Predictor
from latprof.costmodel.roofline import Roofline
from latprof.costmodel.trees import Trees
from latprof.errors import CostModelError
from latprof.home import checked_name, home, write_atomically

SCHEMA = 1
MAX_BYTES = 64_000_000  # unpacked; a real one has about 2 MB
_TREE_ARRAYS = {
    "roots": "int32",
    "feature": "int32",
    "left": "int32",
    "right": "int32",
    "threshold": "float64",
    "value": "float64",
}
_ARRAYS = {
    "held_out_ms": "float64",
    "scores": "float64",
    "hashes": "uint64",
    "table_latency_ms": "float64",
    "ranges": "float64",
}


def model_path(device: str, target: str) -> Path:
    """Where the fitted predictor of a target is kept."""
    folder = home() / "models" / checked_name("device", device)
    return folder / f"{checked_name('target', target)}.npz"


def save(predictor: Predictor) -> Path:
    """Keep a fitted predictor; its path comes back."""
    fitted = predictor.model.fitted_
    ops = sorted(fitted.coverage.ranges)
    arrays: dict[str, Any] = {
        "held_out_ms": predictor.held_out_ms,
        "scores": predictor.scores,
        "hashes": fitted.coverage.hashes,
        "table_latency_ms": fitted.coverage.latency_ms,
        "ranges": np.stack([fitted.coverage.ranges[op] for op in ops]),
    }
    for family, trees in fitted.trees.items():
        for name, dtype in _TREE_ARRAYS.items():
            arrays[f"{family}.{name}"] = getattr(trees, name).astype(dtype)
    said = {
        "format": "latprof cost model",
        "schema": SCHEMA,
        "device": predictor.device,
        "target": predictor.target,
        "params": predictor.model.get_params(),
        "run_ms": predictor.run_ms,
        "factor": predictor.factor,
        "roofline": fitted.roofline.to_dict(),
        "ops": list(fitted.ops),
        "activations": list(fitted.activations),
        "families": {
            family: {"baseline": trees.baseline, "clip": list(fitted.clip[family])}
            for family, trees in fitted.trees.items()
        },
        "features": feature_names(fitted.ops, fitted.activations),
        "covered_ops": {op: fitted.coverage.rows[op] for op in ops},
        "facts": dict(predictor.facts),
    }
    text = json.dumps(said, ensure_ascii=False).encode()
    arrays["json"] = np.frombuffer(text, dtype=np.uint8)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    path = model_path(predictor.device, predictor.target)
    write_atomically(path, buffer.getvalue())
    return path


def load(device: str, target: str) -> Predictor:
    """The fitted predictor of a target.

    Raises
    ------
    CostModelError
        If there is none, or the file does not hold exactly what a cost model holds.
    """
    path = model_path(device, target)
    if not path.is_file():
        raise CostModelError(
            f"no cost model has been fitted for {device}/{target}. Run `latprof fit "
            f"{device}/{target}`."
        )
    try:
        return _build(*_audited(path))
    except CostModelError:
        raise
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile, EOFError) as error:
        raise _broken(path, repr(error)) from error


def _audited(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the file says and its arrays, with names, types and sizes checked."""
    with zipfile.ZipFile(path) as archive:
        if sum(entry.file_size for entry in archive.infolist()) > MAX_BYTES:
            raise _broken(path, f"it unpacks to more than {MAX_BYTES} bytes")
    with np.load(path, allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    said = json.loads(arrays.pop("json").tobytes())
    if said.get("format") != "latprof cost model":
        raise _broken(path, "it is no cost model")
    if said.get("schema") != SCHEMA:
        raise CostModelError(
            f"{path} has schema {said.get('schema')!r}; this latprof reads {SCHEMA}. "
            f"Run `latprof fit {said.get('device')}/{said.get('target')}` again."
        )
    if not set(said["families"]) <= {*FAMILY_NAMES, FALLBACK}:
        raise _broken(path, "it names an unknown family of kernels")
    wanted = dict(_ARRAYS)
    for family in said["families"]:
        wanted |= {f"{family}.{name}": dtype for name, dtype in _TREE_ARRAYS.items()}
    if set(arrays) != set(wanted):
        odd = sorted(set(arrays) ^ set(wanted))
        raise _broken(path, f"it holds or lacks the entries {odd[:3]}")
    for name, dtype in wanted.items():
        if arrays[name].dtype != np.dtype(dtype):
            raise _broken(path, f"entry {name!r} is {arrays[name].dtype}, not {dtype}")
    if said["features"] != feature_names(said["ops"], said["activations"]):
        raise CostModelError(
            f"{path} was fitted by a latprof that saw kernels otherwise. Run `latprof fit "
            f"{said['device']}/{said['target']}` again."
        )
    return said, arrays


def _build(said: Mapping[str, Any], arrays: Mapping[str, Any]) -> Predictor:
    trees = {
        family: Trees(
            baseline=float(facts["baseline"]),
            **{name: arrays[f"{family}.{name}"] for name in _TREE_ARRAYS},
        )
        for family, facts in said["families"].items()
    }
    width = len(said["features"])
    if any(t.feature.min() < 0 or t.feature.max() >= width for t in trees.values()):
        raise CostModelError("a tree of this cost model asks about a feature that does not exist.")
    ops = sorted(said["covered_ops"])
    if arrays["ranges"].shape != (len(ops), 2, len(RANGED)):
        raise CostModelError("the ranges of this cost model do not fit its operators.")
    coverage = Coverage(
        ranges=dict(zip(ops, arrays["ranges"], strict=True)),
        rows={op: int(said["covered_ops"][op]) for op in ops},
        hashes=arrays["hashes"],
        latency_ms=arrays["table_latency_ms"],
    )
    model = CostModel(**said["params"])
    model.fitted_ = Fitted(
        roofline=Roofline(**{key: float(value) for key, value in said["roofline"].items()}),
        ops=tuple(map(str, said["ops"])),
        activations=tuple(map(str, said["activations"])),
        trees=trees,
        clip={f: (float(v["clip"][0]), float(v["clip"][1])) for f, v in said["families"].items()},
        coverage=coverage,
    )
    return Predictor(
        device=str(said["device"]),
        target=str(said["target"]),
        model=model,
        run_ms=float(said["run_ms"]),
        factor=float(said["factor"]),
        held_out_ms=arrays["held_out_ms"],
        scores=arrays["scores"],
        facts=dict(said["facts"]),
    )


def _broken(path: Path, why: str) -> CostModelError:
    return CostModelError(f"{path} is not a cost model of latprof: {why}. Fit it again.")
