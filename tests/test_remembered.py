from __future__ import annotations

import gc

from latprof import remembered as module
from latprof.remembered import remembered
from latprof.sampling import draw_network


def test_what_follows_from_a_graph_is_worked_out_once():
    graph, calls = draw_network(7, 0), []
    for _ in range(3):
        assert remembered(graph, "answer", lambda: calls.append(1) or 42) == 42
    assert len(calls) == 1


def test_two_graphs_and_two_keys_are_told_apart():
    one, two = draw_network(7, 0), draw_network(7, 0)
    said = [
        remembered(g, key, lambda g=g, key=key: (id(g), key)) for g in (one, two) for key in "ab"
    ]
    assert len(set(said)) == 4


def test_nothing_is_kept_of_a_graph_that_is_gone():
    before = len(module._FOUND)
    graph = draw_network(7, 1)
    remembered(graph, "answer", lambda: 1)
    assert len(module._FOUND) == before + 1
    del graph
    gc.collect()
    assert len(module._FOUND) == before
