"""ETDumps recorded with ExecuTorch 1.5.1 → events."""

from __future__ import annotations

from pathlib import Path

import pytest

from latprof.errors import UnreadableModel
from latprof.runtimes.executorch_etdump import DELEGATE, OPERATOR, WHOLE, read_etdump

DATA = Path(__file__).parents[1] / "data" / "executorch"
SHUFFLE = DATA / "block_shuffle_v2.etdump"


def test_every_run_has_its_own_events():
    runs = read_etdump(SHUFFLE.read_bytes())
    assert len(runs) == 3
    assert [[e.name for e in run].count(WHOLE) for run in runs] == [1, 1, 1]


def test_events_tell_their_instruction_and_what_ran_in_it():
    events = read_etdump(SHUFFLE.read_bytes())[0]
    assert [e.instruction for e in events if e.name == OPERATOR] == [0]
    assert [e.instruction for e in events if e.name == DELEGATE] == [1]
    inside = [e.inside for e in events if e.inside]
    assert inside[:2] == ["Transpose (ND, X32) #1", "Transpose (ND, X32) #2"]
    assert "Convolution (NHWC, F32) DWConv #1" in inside


def test_parts_of_a_run_do_not_take_longer_than_the_run():
    for run in read_etdump(SHUFFLE.read_bytes()):
        whole = next(e.duration_ns for e in run if e.name == WHOLE)
        parts = sum(e.duration_ns for e in run if e.name in (OPERATOR, DELEGATE))
        assert 0 < parts <= whole


def test_a_dump_reads_the_same_without_the_size_before_it():
    data = SHUFFLE.read_bytes()
    assert read_etdump(data[4:]) == read_etdump(data)


@pytest.mark.parametrize("kept", [0, 1, 7, 12, 100, 1000])
def test_a_dump_cut_short_says_that_it_is_broken(kept):
    with pytest.raises(UnreadableModel, match=r"the ETDump is a broken ETDump"):
        read_etdump(SHUFFLE.read_bytes()[:kept])


def test_a_byte_changed_gives_events_or_an_error_of_ours():
    data = SHUFFLE.read_bytes()
    outcomes = set()
    for place in range(0, len(data), 7):
        changed = data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :]
        try:
            outcomes.add(type(read_etdump(changed)))
        except UnreadableModel:
            outcomes.add(UnreadableModel)
    assert outcomes == {list, UnreadableModel}
