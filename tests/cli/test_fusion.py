from __future__ import annotations

import json

import pytest

SMALL = "zoo:mobilenet_v3_small?size=64"


@pytest.mark.parametrize("runtime", ["onnxruntime", "torch-eager"])
def test_predicted_stands_beside_actual(latprof, runtime):
    said = latprof("fusion", SMALL, "--runtime", runtime, "--time", "50ms", "--json")
    assert (said.code, said.err) == (0, "")
    answer = json.loads(said.out)
    assert answer["kind"] == "fusion"
    assert answer["target"] == f"{runtime}-cpu1-fp32"
    assert answer["kernels_matched_fraction"] > 0.98
    assert answer["time_matched_fraction"] > 0.995
    assert answer["kernels"][0]["covers"][0] == "conv"


def test_the_prediction_alone_needs_no_runtime(latprof, monkeypatch):
    monkeypatch.setattr("latprof.runtimes.registry.find_spec", lambda name: None)
    monkeypatch.setenv("COLUMNS", "80")
    said = latprof("fusion", SMALL, "--predicted", "--all")
    assert said.code == 0
    assert "kernels predicted; not run" in said.out
    assert max(map(len, said.out.splitlines())) <= 80
    refused = latprof("fusion", SMALL)
    assert refused.code == 1
    assert "--predicted" in refused.err


def test_fusion_as_markdown(latprof):
    said = latprof("fusion", SMALL, "--predicted", "--markdown")
    assert said.out.startswith("### latprof fusion: <code>")
