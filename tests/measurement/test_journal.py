from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from latprof.errors import MeasurementError
from latprof.measurement.journal import Journal

HEADER = {"seed": 0, "environment": {"cpu": "EPYC™ – ünïcode"}}
RECORDS = [{"number": n, "network": f"micro-0-{n}", "text": "µs\n\u2028\udc80"} for n in range(3)]


@pytest.fixture
def journal(tmp_path) -> Journal:
    found = Journal(tmp_path / "folder" / "a.journal.jsonl")
    found.start(HEADER)
    for record in RECORDS:
        found.append(record)
    return found


def test_what_was_written_is_read(journal):
    header, records = journal.read()

    assert header == {"format": "latprof journal", "schema": 2, **HEADER}
    assert records == RECORDS


def test_starting_anew_forgets_what_was_there(journal):
    journal.start({"seed": 9})

    assert journal.read() == ({"format": "latprof journal", "schema": 2, "seed": 9}, [])


def test_a_kill_at_any_byte_costs_the_last_record_alone(journal):
    whole = journal.path.read_bytes()
    start_of_last = whole[:-1].rfind(b"\n") + 1

    for cut in range(start_of_last, len(whole)):
        journal.path.write_bytes(whole[:cut])
        assert journal.read()[1] == RECORDS[:2], cut

        journal.append(RECORDS[2])  # and it goes on as if nothing had happened
        assert journal.read()[1] == RECORDS, cut
        assert journal.path.read_bytes() == whole


def test_a_kill_while_the_header_was_written_leaves_no_journal(journal):
    whole = journal.path.read_bytes()
    for cut in (0, 1, whole.find(b"\n")):
        journal.path.write_bytes(whole[:cut])
        with pytest.raises(MeasurementError, match=r"is not a measurement journal; remove it"):
            journal.read()


@pytest.mark.parametrize("damage", [b"\x00" * 10, b"{]", b'"text"', b"\xff\xfe", b"[1, 2]", b""])
def test_a_line_damaged_in_the_middle_costs_one_record(journal, damage):
    lines = journal.path.read_bytes().split(b"\n")
    lines[2] = damage
    journal.path.write_bytes(b"\n".join(lines))

    assert journal.read()[1] == [RECORDS[0], RECORDS[2]]


def test_a_disk_that_is_full_says_what_to_do_and_keeps_what_was_there(journal, monkeypatch):
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(
            MeasurementError, match=r"No space left on device\..*is kept; free space.*--resume"
        ):
            journal.append({"number": 3})

    assert journal.read()[1][:3] == RECORDS


def test_a_disk_that_fills_up_in_the_middle_of_a_line_costs_that_line(journal):
    with journal.path.open("ab") as file:
        file.write(json.dumps({"number": 3}).encode()[:5])

    journal_of_the_next_run = Journal(journal.path)
    assert journal_of_the_next_run.read()[1] == RECORDS
    journal_of_the_next_run.append({"number": 3})
    assert journal_of_the_next_run.read()[1] == [*RECORDS, {"number": 3}]


def test_a_file_in_place_of_the_folder_is_an_error_of_ours(tmp_path):
    (tmp_path / "home").write_text("in the way")

    with pytest.raises(MeasurementError, match=r"cannot write .*home/device_tables/a\.jsonl"):
        Journal(tmp_path / "home" / "device_tables" / "a.jsonl").start(HEADER)


def test_a_folder_in_place_of_the_file_is_an_error_of_ours(tmp_path):
    (tmp_path / "a.jsonl").mkdir()
    journal = Journal(tmp_path / "a.jsonl")

    for attempt in (lambda: journal.start(HEADER), lambda: journal.append({})):
        with pytest.raises(MeasurementError, match=r"cannot write .*a\.jsonl"):
            attempt()
    with pytest.raises(MeasurementError, match=r"no measurement to go on with"):
        journal.read()


def test_a_torn_line_that_may_not_be_removed_is_an_error_of_ours(journal, monkeypatch):
    with journal.path.open("ab") as file:
        file.write(b'{"cut')

    def refused(path, length):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "truncate", refused)
    with pytest.raises(MeasurementError, match=r"cannot write .*Permission denied"):
        journal.read()


def test_there_may_be_nothing_to_go_on_with(tmp_path):
    with pytest.raises(MeasurementError, match=r"no measurement to go on with at .*none\.jsonl"):
        Journal(tmp_path / "none.jsonl").read()


@pytest.mark.parametrize(
    ("first", "said"),
    [
        ({"some": "json"}, "is not a measurement journal; remove it"),
        ({"format": "latprof journal", "schema": 1}, "another latprof .*1.*measure anew"),
        ({"format": "latprof journal"}, "another latprof .*None.*measure anew"),
    ],
)
def test_what_is_no_journal_of_ours_is_refused(tmp_path, first, said):
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps(first) + "\n")

    with pytest.raises(MeasurementError, match=said):
        Journal(path).read()


# Two at once.


def test_a_second_measurement_into_the_same_journal_is_refused_at_once(journal):
    with journal.locked():
        with (
            pytest.raises(MeasurementError, match=r"another latprof is measuring into .*Wait"),
            Journal(journal.path).locked(),
        ):
            pass
        with Journal(journal.path.with_name("b.journal.jsonl")).locked():
            pass  # another target

    with Journal(journal.path).locked():
        pass  # the first has ended


def test_an_error_inside_frees_the_lock(journal):
    with pytest.raises(KeyboardInterrupt), journal.locked():
        raise KeyboardInterrupt

    with journal.locked():
        pass


def test_where_files_cannot_be_locked_it_goes_on(journal, monkeypatch):
    """As on some network file systems."""

    def unknown(file, how):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", unknown)
    with journal.locked():
        journal.append({"number": 3})

    assert journal.read()[1][-1] == {"number": 3}


@pytest.mark.parametrize("folder", ["/proc/latprof", "/dev/null/latprof"])
def test_a_folder_that_nobody_can_write_is_an_error_before_anything_else(folder):
    with (
        pytest.raises(MeasurementError, match=rf"cannot write {folder}/a\.journal.*LATPROF_HOME"),
        Journal(Path(folder) / "a.journal.jsonl").locked(),
    ):
        pass


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full here")
def test_a_device_that_is_full(tmp_path):
    """The system's own message, not a made-up one."""
    journal = Journal(tmp_path / "a.jsonl")
    journal.path.symlink_to("/dev/full")

    with pytest.raises(MeasurementError, match=r"a\.jsonl: No space left on device\. What was"):
        journal.append({"number": 3})
