from __future__ import annotations

import pytest

from latprof.builder import GraphBuilder
from latprof.graph import Graph
from latprof.runtimes.kept import Kept


def graph(weights: int = 1) -> Graph:
    builder = GraphBuilder("net")
    x = builder.input((1, weights))
    weight = builder.parameter("w", (1, weights))
    return builder.finish([builder.add_one("linear", [x, weight])])


@pytest.fixture
def written() -> list[bytes]:
    return []


def writer(written: list[bytes], file: bytes):
    def write() -> bytes:
        written.append(file)
        return file

    return write


def test_a_graph_opened_again_is_not_written_again(written):
    kept, net = Kept(len), graph()

    assert kept.of(net, "fp32", writer(written, b"one")) == b"one"
    assert kept.of(net, "fp32", writer(written, b"other")) == b"one"
    assert written == [b"one"]


def test_dtypes_and_graphs_of_one_name_are_kept_apart(written):
    kept, net = Kept(len), graph()

    kept.of(net, "fp32", writer(written, b"one"))

    assert kept.of(net, "int8", writer(written, b"two")) == b"two"
    assert kept.of(graph(), "fp32", writer(written, b"three")) == b"three"


def test_the_one_not_used_for_longest_goes_first(written):
    kept = Kept(len, room_bytes=20)
    first, second, third = graph(), graph(), graph()
    kept.of(first, "fp32", writer(written, b"8 bytes!"))
    kept.of(second, "fp32", writer(written, b"8 bytes."))
    kept.of(first, "fp32", writer(written, b""))

    kept.of(third, "fp32", writer(written, b"8 bytes?"))

    assert kept.of(first, "fp32", writer(written, b"")) == b"8 bytes!"
    assert kept.of(second, "fp32", writer(written, b"again")) == b"again"


def test_room_is_made_before_a_large_one_is_written():
    kept, small, large = Kept(len, room_bytes=100), graph(), graph(weights=1000)
    kept.of(small, "fp32", lambda: b"small")

    def write_large() -> bytes:
        assert kept.of(small, "fp32", lambda: b"was gone") == b"was gone"
        return b"large"

    assert kept.of(large, "fp32", write_large) == b"large"


def test_the_latest_is_kept_however_large_it_is(written):
    kept, net = Kept(len, room_bytes=2), graph()
    kept.of(net, "fp32", writer(written, b"large"))

    assert kept.of(net, "fp32", writer(written, b"again")) == b"large"
