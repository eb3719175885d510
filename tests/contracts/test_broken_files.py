"""Every reader on broken files: a graph or a LatprofError, and nothing else.

A few hundred files of what benchmarks/fuzz/run.py does with a hundred thousand. TorchScript is left
to it: a file that ends torch's loader would end the tests.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

FUZZ = Path(__file__).parents[2] / "benchmarks" / "fuzz"
KINDS = ("onnx", "tflite", "keras", "json", "pt2", "torch_pickle", "safetensors")
FILES = 60

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")


@pytest.fixture(scope="module")
def fuzz():
    """The fuzz runner as a module; its folder is on the path only meanwhile."""
    sys.path.insert(0, str(FUZZ))
    try:
        import run

        yield run
    finally:
        sys.path.remove(str(FUZZ))


@pytest.mark.parametrize("kind", KINDS)
def test_a_broken_file_gives_a_graph_or_an_error_of_ours(kind, fuzz, tmp_path):
    fuzz.make_corpus(tmp_path, [kind])
    sound = sorted((tmp_path / kind).iterdir())
    assert {fuzz.read_one(kind, path) for path in sound} <= {"graph", "refused"}
    seeds = [path.read_bytes() for path in sound]
    found = []
    for number in range(FILES):
        path = tmp_path / "broken"
        path.write_bytes(fuzz.broken_file(kind, seeds, 0, number))
        found.append(fuzz.read_one(kind, path))
    assert set(found) <= {"graph", "refused"}
    assert "refused" in found  # so the files are broken


def test_every_kind_of_file_that_is_read_is_broken_somewhere(fuzz):
    from latprof.frontends import READERS

    assert set(READERS) == set(fuzz.KINDS)
