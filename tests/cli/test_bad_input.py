"""Whatever is wrong, the user reads one paragraph with the next step; nothing is left behind."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import torch
from torch import nn

COMMANDS = ("profile", "predict")


def words_for(command: str, model: str) -> list[str]:
    return [command, model] + (["--device", "host"] if command == "predict" else [])


def check_refusal(said, *parts: str, code: int = 1) -> None:
    assert said.code == code
    assert said.out == ""
    assert "Traceback" not in said.err
    assert said.err.count("\n") == 1, said.err
    for part in parts:
        assert part in said.err


class Tiny(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)

    def forward(self, x):
        return self.conv(x)


@pytest.fixture(params=COMMANDS)
def command(request):
    return request.param


def test_a_missing_file(latprof, home, command):
    said = latprof(*words_for(command, "nowhere/model.pt"))
    check_refusal(said, "nowhere/model.pt")


def test_a_text_file_named_pt(latprof, home, command, tmp_path):
    (tmp_path / "model.pt").write_text("this is no model\n")
    check_refusal(latprof(*words_for(command, str(tmp_path / "model.pt"))), "text")


def test_a_truncated_archive(latprof, home, command, tmp_path):
    torch.jit.script(Tiny()).save(tmp_path / "whole.pt")
    whole = (tmp_path / "whole.pt").read_bytes()
    (tmp_path / "cut.pt").write_bytes(whole[: len(whole) // 2])
    check_refusal(latprof(*words_for(command, str(tmp_path / "cut.pt"))), "cut.pt")


def test_a_state_dict_says_what_it_is_and_what_to_pass(latprof, home, command, tmp_path):
    torch.save(Tiny().state_dict(), tmp_path / "weights.pt")
    said = latprof(*words_for(command, str(tmp_path / "weights.pt")))
    check_refusal(said, "weights", "package.module:factory")


def test_a_pickled_module_without_trust_says_how_to_export(latprof, home, command, tmp_path):
    torch.save(nn.Sequential(nn.Conv2d(3, 8, 3)), tmp_path / "module.pt")
    said = latprof(*words_for(command, str(tmp_path / "module.pt")))
    check_refusal(said, "torch.export", "--trust")


def test_an_unknown_zoo_model_suggests_near_names(latprof, home, command):
    check_refusal(latprof(*words_for(command, "zoo:mobilnet_v2")), "mobilenet_v2")


def test_an_unknown_device_suggests_near_names(latprof, home):
    check_refusal(latprof("predict", "zoo:mobilenet_v2", "--device", "hoost"), "'host'")


def test_an_unknown_target_lists_the_known_ones(latprof, home):
    said = latprof("predict", "zoo:mobilenet_v2", "--device", "host/litert-cpu1-int8")
    check_refusal(said, "onnxruntime-cpu1-fp32")


def test_a_device_that_climbs_out_of_the_folder(latprof, home):
    check_refusal(latprof("predict", "zoo:mobilenet_v2", "--device", "../host"))


def test_an_unknown_runtime(latprof, home):
    check_refusal(latprof("profile", "zoo:mobilenet_v2", "--runtime", "onnxruntim"), "onnxruntime")
    check_refusal(latprof("measure", "--runtime", "tensorflow"), "torch-eager")


def test_a_table_with_a_wrong_column(latprof, home):
    table = next((home / "device_tables" / "host").glob("*.csv"))
    table.write_text(table.read_text().replace("latency_ms", "latency_s", 1))
    check_refusal(latprof("fit", "host"), "latency_ms", "latency_s", str(table))


def test_a_table_with_a_wrong_cell_names_the_line(latprof, home):
    table = next((home / "device_tables" / "host").glob("*.csv"))
    lines = table.read_text().splitlines()
    lines[3] = lines[3].replace("kernel", "kernal", 1)
    table.write_text("\n".join(lines))
    check_refusal(latprof("fit", "host"), "line 4", "kernal")


def test_nothing_to_predict(latprof, home):
    check_refusal(latprof("predict", "--device", "host"), "latprof predict zoo:")


def test_nothing_measured_yet(latprof, tmp_path, monkeypatch):
    monkeypatch.setenv("LATPROF_HOME", str(tmp_path / "empty"))
    check_refusal(latprof("fit", "host"), "latprof measure")
    check_refusal(latprof("predict", "zoo:mobilenet_v2", "--device", "host"), "latprof measure")
    check_refusal(latprof("measure", "--resume"), "latprof measure")


def test_measured_but_not_fitted(latprof, home):
    for model in (home / "models").rglob("*.npz"):
        model.unlink()
    said = latprof("predict", "zoo:mobilenet_v2", "--device", "host")
    check_refusal(said, "latprof fit host")


@pytest.mark.parametrize("threads", ["0", "-2", "many"])
@pytest.mark.parametrize("command", [["profile", "zoo:mobilenet_v2"], ["measure"]])
def test_impossible_threads_are_wrong_usage(latprof, home, command, threads):
    said = latprof(*command, "--threads", threads)
    assert said.code == 2
    assert "--threads" in said.err


def test_more_threads_than_cores(latprof, home):
    check_refusal(latprof("profile", "zoo:mobilenet_v2", "--threads", "4096"), "4096 threads")


@pytest.mark.parametrize("shape", ["1x3", "1,3,224,224", "0x3x224x224", "1x3x224x224:float99"])
def test_an_input_that_is_no_shape_is_wrong_usage_or_does_not_fit(latprof, home, shape):
    said = latprof("predict", "zoo:mobilenet_v2", "--device", "host", "--input", shape)
    assert said.code in (1, 2)
    assert "Traceback" not in said.err


def test_a_shape_that_does_not_fit_the_model(latprof, home, command):
    said = latprof(*words_for(command, "zoo:mobilenet_v2"), "--input", "1x5x224x224")
    check_refusal(said, "1x5x224x224")


def test_a_pt2_has_the_shapes_it_was_exported_with(latprof, home, command, tmp_path):
    program = torch.export.export(Tiny().eval(), (torch.randn(1, 3, 32, 32),))
    torch.export.save(program, tmp_path / "model.pt2")
    said = latprof(*words_for(command, str(tmp_path / "model.pt2")), "--input", "1x3x64x64")
    check_refusal(said, "--input")


@pytest.mark.parametrize("time", ["0s", "-3min", "soon", ""])
def test_a_time_that_is_none_is_wrong_usage(latprof, home, time):
    said = latprof("measure", "--time", time)
    assert said.code == 2
    assert "3min" in said.err


def test_a_page_that_cannot_be_written_leaves_nothing(latprof, home, tmp_path):
    (tmp_path / "file").write_text("in the way")
    page = tmp_path / "file" / "report.html"
    said = latprof("predict", "zoo:mobilenet_v2", "--device", "host", "--html", str(page))
    check_refusal(said, str(page))
    assert (tmp_path / "file").read_text() == "in the way"


def test_a_zip_that_is_no_model(latprof, home, command, tmp_path):
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        archive.writestr("holiday.txt", "sea")
    check_refusal(latprof(*words_for(command, str(tmp_path / "photos.zip"))), "photos.zip")


QUANTISED = Path(__file__).parents[1] / "data" / "tflite" / "mobilenet_v2-int8.tflite"


def test_a_quantised_model_is_not_run_in_another_type_in_silence(latprof, home):
    check_refusal(latprof("profile", str(QUANTISED)), "is quantised already", "--runtime litert")


def test_a_quantised_model_is_predicted_with_a_doubt(latprof, home):
    said = latprof("predict", str(QUANTISED), "--device", "host", "--json")
    assert said.code == 0
    (prediction,) = json.loads(said.out)["predictions"]
    assert "computes in or keeps its weights in int8" in prediction["doubts"][0]


def test_no_command_ends_in_a_traceback_as_a_process(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "latprof", "profile", "nowhere.pt"],
        capture_output=True, text=True, cwd=tmp_path, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("latprof: ")
    assert "Traceback" not in done.stderr
