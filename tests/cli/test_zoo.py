from __future__ import annotations

import json
import shlex
import subprocess
import sys

import pytest

from latprof.zoo import ENTRIES


def test_every_network_and_block_has_a_line(latprof):
    said = latprof("zoo")
    assert said.code == 0
    first_words = [line.split()[0] for line in said.out.splitlines() if line]
    assert set(ENTRIES) <= set(first_words)
    assert len(first_words) == len(set(first_words))  # no family is told twice


def test_a_line_tells_params_macs_input_and_paper(latprof):
    (line,) = (line for line in latprof("zoo").out.splitlines() if "  inception_v3 " in line)
    assert line.split("  ")[-1] == "arXiv:1512.00567"
    assert [word for word in line.split("  ") if word][:4] == [
        "inception_v3", "23.83 M", " 5.71 G", "1×3×299×299",
    ]  # fmt: skip


@pytest.mark.parametrize("width", [40, 80, 120])
def test_the_table_fits_the_terminal(latprof, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    said = latprof("zoo")
    assert max(map(len, said.out.splitlines())) <= width
    assert "\x1b" not in said.out
    assert ("Howard et al. 2017" in said.out) == (width == 120)


def test_listing_imports_nothing_heavy():
    program = (
        "import sys\nfrom latprof.cli import run\nrun(['zoo', 'mobilenet'])\n"
        "print({'torch', 'numpy', 'pandas', 'rich'} & set(sys.modules))"
    )
    said = subprocess.check_output([sys.executable, "-c", program], text=True, timeout=60)
    assert said.splitlines()[-1] == "set()"


def test_a_part_of_a_name_or_family_lists_what_has_it(latprof):
    out = latprof("zoo", "MobileNet").out
    assert "mobilenet_v1" in out
    assert "resnet" not in out
    blocks = latprof("zoo", "block", "--json").out
    assert {entry["kind"] for entry in json.loads(blocks)["entries"]} == {"block"}


def test_networks_stand_before_blocks(latprof):
    kinds = [entry["kind"] for entry in json.loads(latprof("zoo", "--json").out)["entries"]]
    assert kinds == sorted(kinds, reverse=True)


def test_one_entry_is_told_in_full(latprof):
    out = latprof("zoo", "resnet50").out
    assert "25,557,032 (25.56 M)" in out
    assert "4,089,184,256 (4.09 G)" in out
    assert "num_classes=1000, in_channels=3, stride_in_1x1=false, size=224 or" in out
    assert "torchvision 0.28.0" in out
    assert "  latprof predict zoo:resnet50 --device host\n" in out


def test_fixed_arguments_and_channels_that_follow_are_said(latprof):
    assert "fixed      width_multiplier=0.5" in latprof("zoo", "shufflenet_v2_x0_5").out
    assert "out_channels (as channels)" in latprof("zoo", "block/standard").out


def test_arguments_are_counted_and_claim_no_comparison(latprof, own_home):
    said = latprof("zoo", "zoo:mobilenet_v2?width_multiplier=0.5&size=160", "--json")
    (entry,) = json.loads(said.out)["entries"]
    assert (entry["params"], entry["macs"], entry["flops"]) == (1_968_680, 50_184_000, 100_368_000)
    assert entry["input"] == [1, 3, 160, 160]
    assert entry["arguments"]["width_multiplier"] == 0.5
    assert entry["compared"] == ""


@pytest.mark.parametrize("name", ["resnet18", "block/separable", "block/shuffle_v1", "vit_tiny"])
def test_the_suggested_arguments_work(latprof, name):
    (entry,) = json.loads(latprof("zoo", name, "--json").out)["entries"]
    _, *words = shlex.split(entry["commands"][-1])
    assert "?" in words[-1]
    assert latprof(*words).code == 0


def test_json_lists_the_same_counts(latprof):
    answer = json.loads(latprof("zoo", "--json").out)
    assert (answer["schema"], answer["kind"]) == (1, "zoo")
    counts = {entry["name"]: (entry["params"], entry["macs"]) for entry in answer["entries"]}
    assert counts == {name: (entry.params, entry.macs) for name, entry in ENTRIES.items()}


@pytest.mark.parametrize(
    ("name", "near"), [("mobilenet_v9", "mobilenet_v2"), ("block/seperable", "block/separable")]
)
def test_an_unknown_name_brings_up_its_neighbours(latprof, name, near):
    for asked in (name, f"{name}?size=96"):
        said = latprof("zoo", asked)
        assert (said.code, said.out) == (1, "")
        assert f"'{near}'" in said.err
        assert "`latprof zoo` lists them all" in said.err


def test_a_name_like_no_other_is_not_answered_with_all_of_them(latprof):
    said = latprof("zoo", "qqqq")
    assert said.code == 1
    assert len(said.err) < 100
