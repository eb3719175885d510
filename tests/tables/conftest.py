"""Rows of a table, folders for the user's tables and for the shipped ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from latprof.home import home
from latprof.kernel import COLUMNS, Kernel
from latprof.tables import store

Row = Callable[..., dict[str, Any]]


@pytest.fixture
def own() -> Path:
    """Where the user's tables are."""
    return home() / "device_tables"


@pytest.fixture
def shipped(tmp_path, monkeypatch) -> Path:
    """Where shipped tables are, for this test."""
    folder = tmp_path / "shipped"
    monkeypatch.setattr(store, "shipped_tables", lambda: folder)
    return folder


@pytest.fixture(scope="session")
def row() -> Row:
    """One row of a table, with everything a row must have."""
    return _row


def _row(kernel: Kernel | None = None, **cells: object) -> dict[str, Any]:
    kernel = kernel or Kernel("relu", "relu")
    return {
        "level": "kernel",
        "network": "micro-0-7",
        "name": kernel.name,
        **{column: getattr(kernel, column) for column in COLUMNS},
        "launches": 1,
        "latency_ms": 1.5,
        "spread_fraction": 0.05,
        "uncertainty_fraction": 0.01,
        "runs": 12,
        "grade": "A",
    } | cells


@pytest.fixture
def rows() -> list[dict[str, Any]]:
    """A convolution, an addition, and the network they belong to."""
    conv = Kernel(
        "conv", "conv", in_channels=3, in_height=224, in_width=224, out_channels=32,
        out_height=112, out_width=112, kernel_height=3, kernel_width=3, stride_height=2,
        stride_width=2, activation="relu6", residual=True, macs=10_838_016, params=864,
    )  # fmt: skip
    return [
        _row(conv, latency_ms=0.123456),
        _row(Kernel("add", "add", operands=2, inplace=True), latency_ms=2.5),
        _row(Kernel("", "network"), level="model", latency_ms=2.7),
    ]
