from __future__ import annotations

import pytest

from latprof.runtimes.failures import failed, first_line


def test_a_failure_says_what_where_and_what_to_do_next():
    error = failed("ONNX Runtime", "load", "tiny", ValueError("no such operator: Warp.\nat 0x7f"))

    assert str(error) == (
        "ONNX Runtime cannot load 'tiny': no such operator: Warp. Try another --runtime, or "
        "predict instead of measuring."
    )


@pytest.mark.parametrize(
    ("said", "line"), [("", ""), ("\n \n", ""), ("\nworse. ", "worse"), ("x" * 999, "x" * 300)]
)
def test_the_first_line_that_says_something(said, line):
    assert first_line(said) == line
