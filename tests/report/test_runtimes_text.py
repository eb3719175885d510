from __future__ import annotations

import pytest

from latprof.report.runtimes_text import render_runtimes, render_runtimes_markdown

WORKING = {
    "name": "torch-compile", "about": "PyTorch, compiled for the CPU", "aliases": ["compile"],
    "works": True, "version": "torch 2.13.0+cpu", "reason": "", "install": "",
    "dtypes": ["fp32", "fp16", "bf16"], "processor": "cpu", "most_threads": 2,
}  # fmt: skip
ABSENT = WORKING | {
    "name": "litert", "about": "LiteRT with XNNPACK", "aliases": [], "works": False, "version": "",
    "reason": "ai_edge_litert not installed", "install": 'pip install "latprof[litert]"',
    "dtypes": ["fp32", "int8"],
}  # fmt: skip


def test_what_works_stands_in_a_table_and_the_rest_says_what_to_type():
    said = render_runtimes([ABSENT, WORKING], width=80, color=False)
    assert said.splitlines() == [
        "works here     version           dtypes            on   threads",
        "torch-compile  torch 2.13.0+cpu  fp32, fp16, bf16  cpu  1 to 2",
        "",
        "does not work here",
        "litert · LiteRT with XNNPACK · fp32, int8",
        "  ai_edge_litert not installed",
        '  pip install "latprof[litert]"',
    ]


def test_a_wide_terminal_also_says_what_each_is_and_its_short_names():
    row = render_runtimes([WORKING], width=120, color=False).splitlines()[1]
    assert row.startswith("torch-compile (compile)  ")
    assert row.endswith("PyTorch, compiled for the CPU")


@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_long_reason_is_wrapped(width):
    broken = ABSENT | {"reason": "undefined symbol: _ZN2at4_ops5zeros4callEv " * 6}
    said = render_runtimes([broken], width=width, color=False)
    assert max(map(len, said.splitlines())) <= width


def test_markdown_names_reason_and_remedy():
    answer = {"runtimes": [WORKING, ABSENT], "latprof": "1", "command": "latprof runtimes"}
    said = render_runtimes_markdown(answer)
    assert "torch 2.13.0+cpu" in said
    assert "pip install" in said
    assert said.count("\n|") == 4
