from __future__ import annotations

import pytest

from latprof.builder import GraphBuilder
from latprof.errors import MeasurementError
from latprof.graph import Graph
from latprof.measurement import headroom
from latprof.measurement.headroom import bytes_needed, check_headroom, free_bytes

MEMINFO = """MemTotal:       24609412 kB
MemFree:         1203344 kB
MemAvailable:   {available} kB
Buffers:          102392 kB
HugePages_Total:       0
"""


def linear(inputs: int, outputs: int) -> Graph:
    builder = GraphBuilder("wide")
    x = builder.input((1, inputs))
    weight = builder.parameter("weight", (outputs, inputs))
    return builder.finish([builder.add_one("linear", [x, weight])])


@pytest.fixture
def memory(tmp_path, monkeypatch):
    """A machine with so much memory free."""

    def set_free(free_bytes: int) -> None:
        (tmp_path / "meminfo").write_text(MEMINFO.format(available=free_bytes // 1024))

    monkeypatch.setattr(headroom, "_MEMORY", tmp_path / "meminfo")
    monkeypatch.setattr(headroom, "_GROUPS", ())
    return set_free


def test_what_a_network_needs():
    # 20 M weights of four bytes, five times over; 10 k numbers in and 2 k out, for two sessions.
    assert bytes_needed(linear(10_000, 2_000)) == 5 * 80_000_000 + 2 * 48_000


def test_memory_that_can_be_had_is_read(memory):
    memory(3_000_000 * 1024)

    assert free_bytes() == 3_072_000_000


def test_a_network_that_does_not_fit_is_refused_with_figures(memory):
    memory(800_000_000)  # of which half a GB stays free: 0.4 GB are too much

    with pytest.raises(
        MeasurementError,
        match=r"'wide' needs about 0\.4 GB of memory .* and 0\.8 GB are free.*--input",
    ):
        check_headroom(linear(10_000, 2_000))


def test_a_network_that_fits_is_let_through(memory):
    memory(1_000_000_000)

    check_headroom(linear(10_000, 2_000))


@pytest.mark.parametrize("text", ["", "MemTotal: 1 kB\n", "MemAvailable: much\n", "no colon\n"])
def test_where_the_system_does_not_tell_nothing_is_refused(memory, text):
    headroom._MEMORY.write_text(text)

    assert free_bytes() is None
    check_headroom(linear(10_000_000, 2_000))


def test_a_container_may_have_less_than_the_machine(memory, tmp_path, monkeypatch):
    memory(20_000_000_000)
    for name, content in (
        ("max", "1000000000\n"),
        ("current", "900000000\n"),
        ("stat", "anon 500000000\ninactive_file 300000000\nactive_file 100000000\n"),
    ):
        (tmp_path / f"memory.{name}").write_text(content)
    monkeypatch.setattr(headroom, "_GROUPS", ((tmp_path, "memory.max", "memory.current"),))

    # Of the 0.9 GB taken, 0.3 GB are files that nobody reads any more.
    assert free_bytes() == 400_000_000

    (tmp_path / "memory.max").write_text("max\n")  # no limit
    assert free_bytes() == pytest.approx(20e9, abs=1024)
