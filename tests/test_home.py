from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latprof.errors import BadReference
from latprof.home import checked_name, exclusively, home, write_atomically


def test_home_is_where_the_environment_says(monkeypatch, tmp_path):
    monkeypatch.setenv("LATPROF_HOME", str(tmp_path))
    assert home() == tmp_path


def test_a_tilde_is_the_users_folder(monkeypatch):
    monkeypatch.setenv("LATPROF_HOME", "~/latprof")
    assert home() == Path.home() / "latprof"


def test_a_user_that_is_not_there_is_a_bad_reference(monkeypatch):
    monkeypatch.setenv("LATPROF_HOME", "~no-such-user-here/latprof")
    with pytest.raises(BadReference, match=r"no such user\. Name a folder"):
        home()


@pytest.mark.parametrize("asked", [None, ""])
def test_home_is_in_the_platforms_folder_for_user_data(monkeypatch, tmp_path, asked):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    if asked is None:
        monkeypatch.delenv("LATPROF_HOME")
    else:
        monkeypatch.setenv("LATPROF_HOME", asked)
    assert home().name == "latprof"
    assert home().is_absolute()


@pytest.mark.parametrize("name", ["pixel6", "onnxruntime-cpu1-fp32", "v1.2", "a_b", "7"])
def test_plain_names_may_be_part_of_a_path(name):
    assert checked_name("device", name) == name


@pytest.mark.parametrize(
    "name", ["", "../x", "a/b", "a\\b", ".x", "..", "-", "a b", "é", "x\n", "a\0", "~", "c:"]
)
def test_names_that_could_lead_elsewhere_are_refused(name):
    with pytest.raises(BadReference, match="cannot name a device"):
        checked_name("device", name)


@given(st.text(max_size=8))
def test_a_name_that_passes_stays_in_its_folder(name):
    try:
        checked_name("device", name)
    except BadReference:
        return
    folder = Path("/tables")
    assert (folder / name).resolve().parent == folder
    assert not name.startswith(".")


def test_a_file_is_written_with_the_folders_above_it(tmp_path):
    path = tmp_path / "graphs" / "deep" / "last.json"
    write_atomically(path, b"{}")
    assert path.read_bytes() == b"{}"
    assert [p.name for p in path.parent.iterdir()] == ["last.json"]


def test_a_file_is_replaced_whole(tmp_path):
    path = tmp_path / "table.csv"
    path.write_bytes(b"old and longer")
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"


def test_a_crash_before_the_rename_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "table.csv"
    path.write_bytes(b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(BadReference, match=r"No space left on device\. Choose another place"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["table.csv"]


def test_a_file_where_the_folder_should_be_is_left_alone(tmp_path):
    in_the_way = tmp_path / "graphs"
    in_the_way.write_bytes(b"mine")
    with pytest.raises(BadReference, match="set LATPROF_HOME to a folder you may write to"):
        write_atomically(in_the_way / "last.json", b"{}")
    assert in_the_way.read_bytes() == b"mine"
    assert list(tmp_path.iterdir()) == [in_the_way]


def test_a_folder_where_the_file_should_be_is_left_alone(tmp_path):
    folder = tmp_path / "last.json"
    folder.mkdir()
    with pytest.raises(BadReference, match="cannot write"):
        write_atomically(folder, b"{}")
    assert list(tmp_path.iterdir()) == [folder]


def test_what_a_kill_left_behind_is_removed_once_it_is_old(tmp_path):
    old, new, other = (
        tmp_path / name
        for name in (".table.csv.7.partial", ".table.csv.8.partial", ".other.csv.9.partial")
    )
    for file in (old, new, other):
        file.write_text("half a tab")
    for file in (old, other):
        os.utime(file, (0, 0))  # written in 1970

    write_atomically(tmp_path / "table.csv", b"whole")

    assert {path.name for path in tmp_path.iterdir()} == {"table.csv", new.name, other.name}


def test_one_process_at_a_time(tmp_path):
    lock = tmp_path / "a.lock"
    with (
        exclusively(lock, wait=False),
        pytest.raises(BlockingIOError),
        exclusively(lock, wait=False),
    ):
        pass
    with exclusively(lock, wait=True):
        pass


def test_what_is_inside_a_lock_may_fail_as_it_likes(tmp_path):
    with (
        pytest.raises(PermissionError, match="of its own"),
        exclusively(tmp_path / "a.lock", wait=False),
    ):
        raise PermissionError("of its own")
