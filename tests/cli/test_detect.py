from __future__ import annotations

import functools
import json

import pytest

from latprof.detected import detected
from latprof.measurement.pairs import Pair


def test_a_model_and_detection_exclude_each_other(latprof):
    assert latprof("fusion").code == 2
    assert latprof("fusion", "zoo:mobilenet_v2", "--detect").code == 2


@pytest.fixture
def one_pair(monkeypatch):
    """One pair and two rounds, for which there is time in a test."""
    quick = functools.partial(detected, pairs=(Pair("conv", "relu"),), rounds=2)
    monkeypatch.setattr("latprof.detected.detected", quick)


def test_detection_says_what_it_found_and_what_the_rules_say(latprof, one_pair):
    said = latprof("fusion", "--detect", "--json")
    assert said.code == 0
    assert "round 2 of 2" in said.err
    (pair,) = json.loads(said.out)["pairs"]
    assert (pair["name"], pair["known"], pair["said"]) == ("conv+relu", True, "unclear")
    text = latprof("fusion", "--detect").out
    assert "only 2 rounds" in text
    assert max(map(len, text.splitlines())) <= 80
    assert "| conv" in latprof("fusion", "--detect", "--markdown").out
