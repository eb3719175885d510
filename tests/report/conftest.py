"""Answers that every renderer must survive."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from .samples import hostile_kernels, many_kernels, model, network, predict_answer, profile_answer


def _without_figures() -> dict[str, Any]:
    answer = predict_answer()
    answer["model"] = {"name": None, "params": None, "macs": float("nan")}
    for kernel in answer["predictions"][0]["kernels"]:
        kernel.update(latency_ms=None, macs=None, params=None, bytes_moved=None, bound_ms=None)
    answer["predictions"][0].update(
        latency_ms=None, low_ms=None, high_ms=math.inf, basis=None, roofline=None, overhead_ms=None
    )
    return answer


def _tiny() -> dict[str, Any]:
    kernels = [{**kernel, "latency_ms": 1e-9 * kernel["latency_ms"]} for kernel in network()]
    return profile_answer(kernels)


def _negative() -> dict[str, Any]:
    answer = profile_answer()
    answer["reconciliation"] = {
        "sum_of_kernels_ms": 15.4,
        "overhead_ms": None,
        "unexplained_ms": -0.6,
    }
    return answer


ANSWERS: dict[str, Callable[[], dict[str, Any]]] = {
    "predict": predict_answer,
    "budget": lambda: predict_answer(budget_ms=15.0),
    "three targets": lambda: predict_answer(targets=("a/b", "c/d", "e/f"), budget_ms=20.0),
    "profile": profile_answer,
    "hostile": lambda: predict_answer(kernels=hostile_kernels()),
    "hostile profile": lambda: profile_answer(hostile_kernels()),
    "500 kernels": lambda: profile_answer(many_kernels(500)),
    "one kernel": lambda: predict_answer(kernels=network()[:1]),
    "no kernels": lambda: predict_answer(kernels=[]),
    "only additions": lambda: predict_answer(kernels=[k for k in network() if k["op"] == "add"]),
    "figures missing": _without_figures,
    "tiny": _tiny,
    "negative remainder": _negative,
    "no predictions": lambda: {"schema": 1, "kind": "predict", "model": model(), "predictions": []},
    "empty": dict,
}


@pytest.fixture(params=ANSWERS)
def any_answer(request: pytest.FixtureRequest) -> dict[str, Any]:
    return ANSWERS[request.param]()
