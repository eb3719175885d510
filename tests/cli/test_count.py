from __future__ import annotations

import json

import pytest
import torch
from torch import nn

SMALL = "zoo:mobilenet_v3_small?size=64"


def test_count_as_json(latprof):
    said = latprof("count", SMALL, "--json")
    assert (said.code, said.err) == (0, "")
    answer = json.loads(said.out)
    assert answer["kind"] == "count"
    assert answer["model"]["params"] == 2_542_856
    assert answer["model"]["flops"] == 2 * answer["model"]["macs"]


def test_count_as_text_to_a_depth(latprof, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    shallow = latprof("count", SMALL).out
    deep = latprof("count", SMALL, "--depth", "2").out
    assert "\n  . 3 " in deep
    assert "\n  . 3 " not in shallow
    assert "\n  features " in shallow
    assert "\x1b" not in deep


def test_batch_multiplies(latprof):
    one, four = (
        json.loads(latprof("count", SMALL, "--json", *more).out)["model"]
        for more in ((), ("--batch", "4"))
    )
    assert four["macs"] == 4 * one["macs"]
    assert four["params"] == one["params"]


def test_one_convention_term_by_term(latprof):
    said = latprof("count", SMALL, "--convention", "fvcore")
    assert "batch_norm" in said.out
    assert "source: fvcore" in said.out
    unknown = latprof("count", SMALL, "--convention", "fvcor")
    assert unknown.code == 1
    assert "fvcore" in unknown.err


def test_a_figure_is_explained_and_not_explaining_is_an_answer(latprof):
    said = latprof("count", "zoo:mobilenet_v3_small", "--explain", "57M")
    assert said.code == 0
    assert "multiply-accumulates" in said.out
    odd = latprof("count", "zoo:mobilenet_v3_small", "--explain", "1 TFLOPs")
    assert odd.code == 0
    assert "nothing explains it" in odd.out
    assert latprof("count", SMALL, "--explain", "plenty").code == 2


def test_other_input_sizes_are_captured_for_an_explanation(latprof):
    said = latprof("count", "zoo:mobilenet_v3_small", "--explain", "42.07M")
    assert "at an input of 192×192" in said.out
    assert "capturing it at 192×192 too" in said.err
    assert "capturing" not in said.out


@pytest.fixture
def pruned(tmp_path):
    module = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU()).eval()
    with torch.no_grad():
        module[0].weight[:2] = 0
    path = tmp_path / "pruned.pt2"
    torch.export.save(torch.export.export(module, (torch.zeros(1, 3, 8, 8),)), path)
    return str(path)


def test_zeros_in_a_file(latprof, pruned):
    said = latprof("count", pruned, "--sparsity", "--json")
    found = json.loads(said.out)["sparsity"]
    assert (found["zeros"], found["kept_macs"]) == (54, found["macs"] * 6 // 8)
    assert "2 of 8" in latprof("count", pruned, "--sparsity").out
    none = latprof("count", SMALL, "--sparsity")
    assert none.code == 1
    assert "built without weights" in none.err


def test_a_file_of_one_size_is_explained_at_that_size(latprof, pruned):
    said = latprof("count", pruned, "--explain", "12.3k")
    assert said.code == 0
    assert "nothing explains it" in said.out


def test_page_and_markdown(latprof, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = latprof("count", SMALL, "--html", "page.html")
    assert said.out.rstrip().endswith("report: page.html")
    assert (tmp_path / "page.html").read_text().startswith("<!doctype html>")
    assert latprof("count", SMALL, "--markdown").out.startswith("### latprof count")
