from __future__ import annotations

import json

import pytest

from latprof.runtimes import RUNTIMES


def test_every_runtime_is_listed(latprof, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    said = latprof("runtimes")
    assert (said.code, said.err) == (0, "")
    assert all(name in said.out for name in RUNTIMES)
    assert max(map(len, said.out.splitlines())) <= 80


def test_runtimes_as_json(latprof):
    answer = json.loads(latprof("runtimes", "--json").out)
    assert [runtime["name"] for runtime in answer["runtimes"]] == list(RUNTIMES)
    eager = next(r for r in answer["runtimes"] if r["name"] == "torch-eager")
    assert eager["works"]
    assert eager["version"].startswith("torch 2")


@pytest.mark.parametrize("words", [(), ("--markdown",)])
def test_where_nothing_is_installed_it_says_what_to_type(latprof, monkeypatch, words):
    monkeypatch.setattr("latprof.runtimes.registry.find_spec", lambda name: None)
    said = latprof("runtimes", *words)
    assert said.code == 0
    assert "onnxruntime and onnx not installed" in said.out
