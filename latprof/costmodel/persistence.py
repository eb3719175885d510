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

from latprof.costmodel.coverage import Coverage
from latprof.costmodel.features import FAMILY_NAMES, feature_names
from latprof.costmodel.interval import CAUSES
from latprof.costmodel.law import Law, term_names
from latprof.costmodel.model import FALLBACK, CostModel, Expert, Fitted
from latprof.costmodel.predictor import Predictor
from latprof.costmodel.roofline import LEVELS, Roofline
from latprof.costmodel.surface import Surface
from latprof.costmodel.trees import Trees
from latprof.errors import CostModelError
from latprof.home import checked_name, home, write_atomically

SCHEMA = 2
MAX_BYTES = 64_000_000  # unpacked; a real one has about 2 MB
MAX_OCTAVES = 64.0  # off the law; beyond, a number of milliseconds would be none
_TREE_ARRAYS = {
    "roots": "int32",
    "feature": "int32",
    "left": "int32",
    "right": "int32",
    "threshold": "float64",
    "value": "float64",
}
_TREES = ("off_law", "above_bound")
_SURFACE_ARRAYS = {
    "scale": "float64",
    "least": "float64",
    "greatest": "float64",
    "points": "float32",
    "weights": "float64",
}
_ARRAYS = {
    "expected": "float64",
    "scores": "float64",
    "hashes": "uint64",
    "table_latency_ms": "float64",
    "law_shared": "float64",
    "law_by_op": "float64",
}


_MOST_LOADED = 8
_LOADED: dict[Path, tuple[tuple[int, int], Predictor]] = {}  # by path: its version, and what it is


def model_path(device: str, target: str) -> Path:
    """Where the fitted predictor of a target is kept."""
    folder = home() / "models" / checked_name("device", device)
    return folder / f"{checked_name('target', target)}.npz"


def save(predictor: Predictor) -> Path:
    """Keep a fitted predictor; its path comes back."""
    fitted = predictor.model.fitted_
    law, own = fitted.law, list(fitted.law.by_op)
    arrays: dict[str, Any] = {
        "expected": predictor.expected,
        "scores": predictor.scores,
        "hashes": fitted.coverage.hashes,
        "table_latency_ms": fitted.coverage.latency_ms,
        "law_shared": law.shared,
        "law_by_op": np.array([law.by_op[op] for op in own]).reshape(len(own), len(law.shared)),
    }
    for family, expert in fitted.experts.items():
        for which in _TREES:
            for name, dtype in _TREE_ARRAYS.items():
                arrays[f"{family}.{which}.{name}"] = getattr(getattr(expert, which), name).astype(
                    dtype
                )
        for name, dtype in _SURFACE_ARRAYS.items():
            arrays[f"{family}.surface.{name}"] = getattr(expert.surface, name).astype(dtype)
    said = {
        "format": "latprof cost model",
        "schema": SCHEMA,
        "device": predictor.device,
        "target": predictor.target,
        "params": predictor.model.get_params(),
        "run_ms": predictor.run_ms,
        "call_ms": predictor.call_ms,
        "factor": predictor.factor,
        "roofline": fitted.roofline.to_dict(),
        "ops": list(fitted.ops),
        "activations": list(fitted.activations),
        "layouts": list(fitted.layouts),
        "dtypes": list(fitted.dtypes),
        "families": {
            family: {
                "baselines": {which: getattr(expert, which).baseline for which in _TREES},
                "clip": list(expert.clip),
                "cap": expert.cap,
                "reach": expert.reach,
            }
            for family, expert in fitted.experts.items()
        },
        "features": feature_names(*fitted.words),
        "terms": term_names(law.activations, law.layouts),
        "law_ops": own,
        "octaves": {word: list(found.items()) for word, found in law.octaves.items()},
        "covered_ops": dict(fitted.coverage.rows),
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
    """The fitted predictor of a target; read once, unless its file changes.

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
    status = path.stat()
    version = (status.st_mtime_ns, status.st_size)
    if path in _LOADED and _LOADED[path][0] == version:
        return _LOADED[path][1]
    try:
        predictor = _build(*_audited(path))
    except CostModelError:
        raise
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile, EOFError) as error:
        raise _broken(path, repr(error)) from error
    if len(_LOADED) >= _MOST_LOADED:
        _LOADED.clear()
    _LOADED[path] = (version, predictor)
    return predictor


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
        for which in _TREES:
            wanted |= {f"{family}.{which}.{n}": dtype for n, dtype in _TREE_ARRAYS.items()}
        wanted |= {f"{family}.surface.{name}": dtype for name, dtype in _SURFACE_ARRAYS.items()}
    if set(arrays) != set(wanted):
        odd = sorted(set(arrays) ^ set(wanted))
        raise _broken(path, f"it holds or lacks the entries {odd[:3]}")
    for name, dtype in wanted.items():
        if arrays[name].dtype != np.dtype(dtype):
            raise _broken(path, f"entry {name!r} is {arrays[name].dtype}, not {dtype}")
    words = (said["activations"], said["layouts"])
    alike = said["features"] == feature_names(said["ops"], *words, said["dtypes"])
    if not alike or said["terms"] != term_names(*words):
        raise CostModelError(
            f"{path} was fitted by a latprof that saw kernels otherwise. Run `latprof fit "
            f"{said['device']}/{said['target']}` again."
        )
    return said, arrays


def _build(said: Mapping[str, Any], arrays: Mapping[str, Any]) -> Predictor:
    width = len(said["features"])
    experts = {
        family: _expert(family, facts, arrays, width) for family, facts in said["families"].items()
    }
    words = (tuple(map(str, said["activations"])), tuple(map(str, said["layouts"])))
    model = CostModel(**said["params"])
    model.fitted_ = Fitted(
        roofline=_roofline(said["roofline"]),
        law=_law(said, arrays, *words),
        ops=tuple(map(str, said["ops"])),
        activations=words[0],
        layouts=words[1],
        dtypes=tuple(map(str, said["dtypes"])),
        experts=experts,
        coverage=_coverage(said, arrays),
    )
    expected, scores = arrays["expected"], arrays["scores"]
    if expected.shape != (CAUSES,) or scores.ndim != 1:
        raise CostModelError("the interval of this cost model does not fit together.")
    _check_numbers("interval", expected, scores)
    return Predictor(
        device=str(said["device"]),
        target=str(said["target"]),
        model=model,
        run_ms=_number(said["run_ms"]),
        call_ms=_number(said["call_ms"]),
        factor=_number(said["factor"]),
        expected=expected,
        scores=scores,
        facts=dict(said["facts"]),
    )


def _expert(family: str, facts: Any, arrays: Mapping[str, Any], width: int) -> Expert:
    trees = {
        which: Trees(
            baseline=float(facts["baselines"][which]),
            **{name: arrays[f"{family}.{which}.{name}"] for name in _TREE_ARRAYS},
        )
        for which in _TREES
    }
    if any(t.feature.min() < 0 or t.feature.max() >= width for t in trees.values()):
        raise CostModelError("a tree of this cost model asks about a feature that does not exist.")
    surface = Surface(**{n: arrays[f"{family}.surface.{n}"] for n in _SURFACE_ARRAYS})
    if surface.scale.shape != (width,) or not len(surface.points):
        raise CostModelError("the surface of this cost model has other features than its trees.")
    low, high = (float(value) for value in facts["clip"])
    if not -MAX_OCTAVES <= low <= high <= MAX_OCTAVES:
        raise CostModelError("the range of this cost model's answers is no range.")
    return Expert(
        **trees,
        surface=surface,
        clip=(low, high),
        cap=_number(facts["cap"]),
        reach=_number(facts["reach"]),
    )


def _roofline(said: Any) -> Roofline:
    levels = tuple(_number(value) for value in said["level_bytes_per_ms"])
    rates = (_number(said["peak_macs_per_ms"]), *levels, _number(said["launch_ms"]))
    if len(levels) != len(LEVELS) + 1 or min(rates) <= 0:
        raise CostModelError("the roofline of this cost model is not one.")
    return Roofline(rates[0], levels, rates[-1])


def _law(
    said: Any, arrays: Mapping[str, Any], activations: tuple[str, ...], layouts: tuple[str, ...]
) -> Law:
    shared, by_op, own = (
        arrays["law_shared"],
        arrays["law_by_op"],
        list(map(str, said["law_ops"])),
    )
    count = len(said["terms"])
    if shared.shape != (count,) or by_op.shape != (len(own), count):
        raise CostModelError("the law of this cost model does not fit its terms.")
    _check_numbers("law", shared, by_op)
    octaves = {
        str(word): {_number(window): float(value) for window, value in found}
        for word, found in said["octaves"].items()
    }
    steps = [step for found in octaves.values() for step in found.items()]
    if not all(window >= 1 and abs(value) <= MAX_OCTAVES for window, value in steps):
        raise CostModelError("the law of this cost model holds a value that cannot be.")
    return Law(activations, layouts, shared, dict(zip(own, by_op, strict=True)), octaves)


def _coverage(said: Any, arrays: Mapping[str, Any]) -> Coverage:
    hashes, times = arrays["hashes"], arrays["table_latency_ms"]
    if hashes.ndim != 1 or hashes.shape != times.shape:
        raise CostModelError("the measured kernels of this cost model do not fit their times.")
    _check_numbers("table", times)
    if sorted(said["covered_ops"]) != sorted(said["ops"]):
        raise CostModelError("the operators of this cost model are not those of its table.")
    return Coverage(
        rows={str(op): int(rows) for op, rows in said["covered_ops"].items()},
        hashes=hashes,
        latency_ms=times,
    )


def _check_numbers(what: str, *arrays: Any) -> None:
    """Refuse what is infinite, no number, or below 0: no time or error is."""
    if not all(np.isfinite(array).all() and (array >= 0).all() for array in arrays):
        raise CostModelError(f"the {what} of this cost model holds a value that cannot be.")


def _number(value: Any) -> float:
    number = float(value)
    _check_numbers("description", np.array(number))
    return number


def _broken(path: Path, why: str) -> CostModelError:
    return CostModelError(f"{path} is not a cost model of latprof: {why}. Fit it again.")
