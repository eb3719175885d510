from __future__ import annotations

import json
import subprocess
import sys

import pytest
import torch

from latprof import zoo
from latprof.cli.group import COMMANDS

HEAVY = {"numpy", "pandas", "torch", "sklearn", "plotly", "rich", "onnx", "onnxruntime", "jinja2"}


@pytest.fixture(scope="module")
def small_model(tmp_path_factory):
    """The same small network in the three forms that PyTorch saves."""
    folder = tmp_path_factory.mktemp("models")
    module, shape = zoo.build("mobilenet_v3_small?size=64")[:2]
    example = torch.randn(shape)
    torch.export.save(torch.export.export(module, (example,), strict=False), folder / "m.pt2")
    torch.jit.trace(module, example).save(folder / "script.pt")
    torch.save(module, folder / "pickled.pt")
    return folder


def test_help_names_every_command_and_imports_nothing_heavy():
    program = (
        "import sys\nfrom latprof.cli import run\nrun(['--help'])\n"
        f"print(sorted({HEAVY!r} & set(sys.modules)))"
    )
    said = subprocess.check_output([sys.executable, "-c", program], text=True)
    assert said.rstrip().endswith("[]")
    for command in COMMANDS:
        assert f"  {command} " in said


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(latprof, command):
    said = latprof(command, "--help")
    assert said.code == 0
    assert f"Usage: latprof {command}" in said.out
    assert max(map(len, said.out.splitlines())) <= 80


def test_import_latprof_loads_nothing_heavy():
    program = f"import sys, latprof; print(sorted({HEAVY!r} & set(sys.modules)))"
    assert subprocess.check_output([sys.executable, "-c", program], text=True).strip() == "[]"


def test_predict_as_json_keeps_the_promised_keys(latprof, home):
    said = latprof("predict", "zoo:mobilenet_v3_small?size=64", "--device", "host", "--json")
    assert (said.code, said.err) == (0, "")
    answer = json.loads(said.out)
    model = answer["model"]
    assert model["params"] == 2_542_856
    assert model["flops"] == 2 * model["macs"]
    assert model["inputs"] == [[1, 3, 64, 64]]
    assert {"weight_bytes", "peak_activation_bytes", "name", "source"} <= set(model)
    (prediction,) = answer["predictions"]
    assert (prediction["device"], prediction["coverage"]) == ("host", 0.9)
    assert prediction["low_ms"] < prediction["latency_ms"] < prediction["high_ms"]
    assert sum(prediction["basis"].values()) == pytest.approx(1)
    parts = sum(kernel["latency_ms"] for kernel in prediction["kernels"])
    assert parts + prediction["overhead_ms"] == pytest.approx(prediction["latency_ms"])
    assert sum(kernel["macs"] for kernel in prediction["kernels"]) == model["macs"]
    assert set(prediction["kernels"][0]) >= {"name", "op", "latency_ms", "macs", "basis", "nodes"}


def test_predict_without_a_model_takes_the_last_and_says_which(latprof, home):
    first = latprof("predict", "zoo:shufflenet_v2_x0_5?size=64", "--device", "host", "--json")
    second = latprof("predict", "--device", "host", "--json")
    assert "zoo:shufflenet_v2_x0_5?size=64" in second.err
    one, two = (json.loads(said.out)["predictions"] for said in (first, second))
    assert one == two


def test_text_fits_the_terminal(latprof, home, monkeypatch):
    for width in (80, 120):
        monkeypatch.setenv("COLUMNS", str(width))
        said = latprof("predict", "zoo:mobilenet_v3_small?size=64", "--device", "host")
        shown = [line for line in said.out.splitlines() if not line.startswith("next: ")]
        assert max(map(len, shown)) <= width
        assert "mobilenet_v3_small" in said.out
        assert "\x1b" not in said.out


def test_page_and_markdown(latprof, home, tmp_path):
    page = tmp_path / "deep" / "report.html"
    said = latprof("predict", "zoo:mobilenet_v3_small?size=64", "--device", "host",
                   "--html", str(page))  # fmt: skip
    assert said.out.rstrip().endswith(f"report: {page}")
    assert page.read_text().lower().startswith("<!doctype html>")
    said = latprof("predict", "--device", "host", "--markdown")
    assert "| " in said.out
    assert not list(tmp_path.glob("*.html"))


def test_html_without_a_file_goes_under_reports(latprof, home, tmp_path):
    latprof("predict", "zoo:mobilenet_v3_small?size=64", "--device", "host", "--html")
    pages = list((tmp_path / "work" / "reports").glob("*.html"))
    assert [page.name for page in pages] == ["mobilenet_v3_small-size-64-host.html"]


def test_a_broken_budget_is_answered_with_code_3(latprof, home):
    words = ("predict", "zoo:mobilenet_v3_small?size=64", "--device", "host", "--json")
    assert latprof(*words, "--budget", "10s").code == 0
    broken = latprof(*words, "--budget", "1us")
    assert broken.code == 3
    assert json.loads(broken.out)["predictions"][0]["budget_ms"] == 0.001


def test_several_devices_in_one_answer(latprof, home):
    target = "host/onnxruntime-cpu1-fp32"
    said = latprof("predict", "zoo:mobilenet_v3_small?size=64", "--device", "host", "--device",
                   target, "--json")  # fmt: skip
    one, two = json.loads(said.out)["predictions"]
    assert one["latency_ms"] == two["latency_ms"]


def test_batch_replaces_the_first_size(latprof, home):
    said = latprof("predict", "zoo:mobilenet_v3_small?size=64", "--device", "host", "--batch", "4",
                   "--json")  # fmt: skip
    assert json.loads(said.out)["model"]["inputs"] == [[4, 3, 64, 64]]


def test_fit_prints_accuracy_by_network_and_saves(latprof, home):
    said = latprof("fit", "host", "--json")
    answer = json.loads(said.out)
    assert answer["accuracy"]["networks"] == 40
    assert 0 < answer["accuracy"]["network_mape"] < 0.5
    text = latprof("fit", "host").out
    assert "held out" in text
    assert "within ±10 %" in text


@pytest.mark.parametrize("runtime", ["onnxruntime", "torch-eager"])
def test_profile_adds_up(latprof, home, small_model, runtime):
    said = latprof("profile", str(small_model / "m.pt2"), "--runtime", runtime, "--time", "500ms",
                   "--json")  # fmt: skip
    assert said.code == 0, said.err
    answer = json.loads(said.out)
    measured, parts = answer["measured"], answer["reconciliation"]
    assert measured["runs"] >= 10
    assert measured["p10_ms"] <= measured["latency_ms"] <= measured["p90_ms"]
    assert measured["grade"] in "ABCDF"
    assert {"cpu", "runtime", "threads", "allocator"} <= set(measured["environment"])
    assert sum(parts.values()) == pytest.approx(measured["latency_ms"])
    kernels = sum(kernel["latency_ms"] for kernel in answer["kernels"])
    assert kernels == pytest.approx(parts["sum_of_kernels_ms"])
    assert sum(kernel["macs"] for kernel in answer["kernels"]) == answer["model"]["macs"]


@pytest.mark.parametrize("form", [["m.pt2"], ["script.pt"], ["pickled.pt", "--trust"]])
def test_the_three_forms_are_the_same_network(latprof, home, small_model, form):
    file, *more = form
    said = latprof("predict", str(small_model / file), *more, "--device", "host", "--json",
                   *([] if file == "m.pt2" else ["--input", "1x3x64x64"]))  # fmt: skip
    assert said.code == 0, said.err
    answer = json.loads(said.out)
    reference = latprof("predict", "zoo:mobilenet_v3_small?size=64", "--device", "host", "--json")
    expected = json.loads(reference.out)
    for key in ("params", "macs", "elementwise_ops", "peak_activation_bytes"):
        assert answer["model"][key] == expected["model"][key]
    mine, theirs = (
        [kernel["op"] for kernel in a["predictions"][0]["kernels"]] for a in (answer, expected)
    )
    assert mine == theirs
