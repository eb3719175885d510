import re

from latprof.report.markdown import LARGEST_CHARACTERS, render_markdown

from .samples import hostile_kernels, many_kernels, predict_answer, profile_answer

# Markup of ours; everything else that looks like a tag came from a name.
OURS = re.compile(r"</?(code|details|summary|sub)>|<!-- -->")


def test_a_comment_is_never_too_long(any_answer):
    assert len(render_markdown(any_answer)) <= LARGEST_CHARACTERS


def test_long_names_in_many_targets_do_not_make_it_too_long():
    kernels = [{**kernel, "name": "|" * 10_000} for kernel in many_kernels(500)]
    answer = predict_answer(targets=tuple(f"d{i}/t" for i in range(200)), kernels=kernels[:40])
    answer["predictions"][0]["doubts"] = ["@" * 100_000] * 100
    text = render_markdown(answer)
    assert len(text) <= LARGEST_CHARACTERS
    assert "*Cut here: the rest does not fit in a comment.*" in text


def test_a_cut_table_says_so():
    text = render_markdown(profile_answer(many_kernels(500)))
    left = int(re.search(r"\*Cut here: (\d+) faster kernels", text)[1])
    listed = text.split("<details>")[1].count("| <code>")
    assert listed + left == 500


def test_no_tag_but_ours(any_answer):
    assert not re.search(r"<\w|</", OURS.sub("", render_markdown(any_answer)))


def test_every_row_of_a_table_has_as_many_cells_as_its_heading(any_answer):
    tables = re.findall(r"(?:^\|.*\n?)+", render_markdown(any_answer), flags=re.MULTILINE)
    for table in tables:
        assert len({line.count("|") for line in table.strip().splitlines()}) == 1


def test_every_kernel_is_in_the_fold():
    text = render_markdown(predict_answer(kernels=hostile_kernels()))
    fold = text.split("<details>")[1]
    assert fold.count("| <code>") == len(hostile_kernels())
    assert "<code>&#60;script&#62;alert(1)&#60;/script&#62;</code>" in fold


def test_the_summary_carries_interval_basis_and_budget():
    text = render_markdown(predict_answer(budget_ms=9.0))
    row = next(line for line in text.splitlines() if line.startswith("| <code>invented"))
    for part in (
        "**14.7 ms**",
        "12.9 – 16.7 ms at 90 %",
        "76 % interpolated",
        "🔴 over the budget",
    ):
        assert part in row
    assert "- no kernel was measured on this device" in text
