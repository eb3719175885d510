from __future__ import annotations

import pytest

from latprof.report.zoo_text import render_zoo, render_zoo_entry

TOY = {
    "name": "toy",
    "family": "Toys",
    "input": [1, 3, 8, 8],
    "params": 1500,
    "macs": None,
    "paper": "Doe et al. 2020, arXiv:2001.00001; size: Roe 2021, arXiv:2101.00001",
    "reference": "zoo:toy?flag=true",
    "summary": "A network to play with.",
    "arguments": {"flag": True, "out_channels": None},
    "fixed_arguments": {},
    "compared": "",
    "commands": ["latprof profile 'zoo:toy?flag=true'"],
}


def test_a_wide_table_cites_the_first_paper_and_a_narrow_one_its_number():
    wide = render_zoo([TOY], width=100, color=False).splitlines()
    assert wide[1:] == [
        "Toys",
        "  toy   1.50 k     –  1×3×8×8  Doe et al. 2020, arXiv:2001.00001",
    ]
    narrow = render_zoo([TOY], width=50, color=False).splitlines()
    assert narrow[-1].endswith("  arXiv:2001.00001")


def test_a_paper_without_a_number_is_cut():
    no_number = TOY | {"paper": "a book of many pages that is nowhere on the net"}
    (*_, row) = render_zoo([no_number], width=50, color=False).splitlines()
    assert len(row) <= 50
    assert "…" in row


def test_one_entry():
    assert render_zoo_entry(TOY, width=60, color=False) == (
        "toy?flag=true · Toys\n"
        "  A network to play with.\n"
        "\n"
        "  params     1,500 (1.50 k)\n"
        "  MACs       –\n"
        "  input      1×3×8×8\n"
        "  arguments  flag=true, out_channels (as channels), size=8\n"
        "             or input=1x3x8x8\n"
        "  paper      Doe et al. 2020, arXiv:2001.00001; size: Roe\n"
        "             2021, arXiv:2101.00001\n"
        "\n"
        "  latprof profile 'zoo:toy?flag=true'\n"
    )


def test_an_input_that_is_no_square_has_no_size():
    text = render_zoo_entry(TOY | {"input": [1, 3, 8, 4]}, width=80, color=False)
    assert "out_channels (as channels), input=1x3x8x4" in text


@pytest.mark.parametrize("render", [render_zoo, lambda e, **how: render_zoo_entry(e[0], **how)])
def test_colour_changes_no_letter(render):
    painted = render([TOY], width=60, color=True)
    assert "\x1b[1m" in painted
    plain = painted.replace("\x1b[1m", "").replace("\x1b[2m", "").replace("\x1b[0m", "")
    assert plain == render([TOY], width=60, color=False)
