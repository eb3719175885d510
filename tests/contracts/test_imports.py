"""The folders keep their order, and each framework stays in the files named after it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "latprof"

# From the ground up: a file may import what stands in its own line or in a lower one.
FLOORS = (
    ("errors", "__init__"),
    ("units", "graph", "kernel", "home"),
    ("ops", "zoo"),
    ("builder", "counting", "remembered"),
    ("frontends", "fusion", "sampling"),
    ("runtimes", "tables"),
    ("measurement", "costmodel"),
    ("captured", "report"),
    ("answers",),
    ("account", "prediction"),
    ("profiling",),
    ("launched", "detected"),
    ("api",),
    ("cli",),
    ("__main__",),
)
FLOOR_OF = {name: level for level, names in enumerate(FLOORS) for name in names}

# Library → the files that may import it, as the start of their path.
HOMES = {
    "torch": ("zoo/", "frontends/torch/", "runtimes/torch_", "runtimes/executorch"),
    "onnx": ("runtimes/onnx_", "runtimes/onnxruntime_int8.py"),
    "keras": (),  # its files are read without it
    "onnxruntime": ("runtimes/onnxruntime",),
    "ai_edge_litert": ("runtimes/litert",),
    "flatbuffers": ("runtimes/litert_",),
    "openvino": ("runtimes/openvino",),
    "executorch": ("runtimes/executorch",),
    "sklearn": ("costmodel/fitting.py",),
    "plotly": ("report/charts.py",),
    "click": ("cli/",),
    "jinja2": ("report/html.py",),
}
FILES = sorted(PACKAGE.rglob("*.py"))


def imported(tree: ast.AST) -> Iterator[str]:
    """Every module a file imports when it runs, wherever the import stands."""
    typing_only = {
        node
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and getattr(block.test, "id", "") == "TYPE_CHECKING"
        for node in ast.walk(block)
    }
    for node in ast.walk(tree):
        if node in typing_only:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module == "latprof":
            yield from (f"latprof.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def place(file: Path) -> str:
    return str(file.relative_to(PACKAGE))


@pytest.mark.parametrize("file", FILES, ids=place)
def test_imports_point_down_the_floors(file):
    mine = FLOOR_OF[place(file).split("/")[0].removesuffix(".py")]
    for module in imported(ast.parse(file.read_text())):
        if module.startswith("latprof."):
            below = module.split(".")[1]
            assert FLOOR_OF.get(below, 0) <= mine, f"{place(file)} imports {module}"


@pytest.mark.parametrize("file", FILES, ids=place)
def test_each_framework_stays_at_home(file):
    for module in imported(ast.parse(file.read_text())):
        homes = HOMES.get(module.split(".")[0])
        if homes is not None:
            assert place(file).startswith(homes), f"{place(file)} imports {module}"
