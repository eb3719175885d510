from __future__ import annotations

import sys

import pytest

from latprof.measurement.survey import survey
from latprof.runtimes import registry
from latprof.runtimes.registry import Entry


@pytest.fixture
def entry_of(monkeypatch, tmp_path):
    """A runtime whose module is this text, known to the registry of a measuring process too."""

    def make(text: str, needs: tuple[str, ...] = ()) -> Entry:
        entry = Entry("made-up", "made_up_runtime", "for a test", needs, extra="madeup")
        monkeypatch.setitem(registry.RUNTIMES, "made-up", entry)
        (tmp_path / "made_up_runtime.py").write_text(text)
        boot = (
            f"import sys; sys.path[:0] = [sys.argv[1], {str(tmp_path)!r}]\n"
            "from latprof.runtimes import registry\n"
            "entry = registry.Entry('made-up', 'made_up_runtime', '', (), extra='madeup')\n"
            "registry.RUNTIMES['made-up'] = entry\n"
            "from latprof.measurement.worker import main\n"
            "main()\n"
        )
        monkeypatch.setattr("latprof.measurement.client._BOOT", boot)
        return entry

    return make


def look(entry, limit_s=60.0):
    (presence,) = survey([entry], limit_s)
    return presence


def test_a_runtime_that_works_tells_its_version(entry_of):
    found = look(entry_of("class RUNTIME:\n    version = staticmethod(lambda: 'made-up 1.2')\n"))
    assert (found.works, found.version, found.reason) == (True, "made-up 1.2", "")


def test_a_library_that_is_not_there_is_not_looked_for_twice(entry_of):
    found = look(entry_of("raise SystemExit('loaded')", needs=("no_such_library",)))
    assert found.reason == "no_such_library not installed"
    assert found.to_dict()["install"] == 'pip install "latprof[madeup]"'


def test_a_native_library_that_does_not_load_is_the_reason(entry_of):
    found = look(entry_of("raise OSError('libnone.so.1: cannot open shared object file')"))
    assert found.reason == "libnone.so.1: cannot open shared object file"


def test_a_library_that_ends_its_process_is_survived(entry_of):
    found = look(entry_of("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)"))
    assert found.reason == "the measuring process of made-up was ended by SIGSEGV"


def test_a_library_that_never_comes_back_is_ended(entry_of):
    found = look(entry_of("import time\ntime.sleep(600)"), limit_s=0.7)
    assert found.reason == ("made-up did not answer within 0.7 s; the measuring process was ended")


def test_an_error_that_nobody_foresaw_is_told_too(entry_of):
    found = look(entry_of("raise ValueError('neither numpy 1 nor 2')"))
    assert "neither numpy 1 nor 2" in found.reason


def test_nothing_is_loaded_in_this_process():
    before = set(sys.modules)
    survey([registry.RUNTIMES["onnxruntime"]])
    assert "onnxruntime" not in set(sys.modules) - before
