"""How far a table is to be trusted is said wherever an answer comes from it."""

from __future__ import annotations

import json
import tomllib
from dataclasses import replace

import pytest
import tomli_w

from latprof.cli import codes
from latprof.costmodel.persistence import load, save
from latprof.errors import TableError
from latprof.measurement.environment import describe_machine
from latprof.prediction import predict
from latprof.sampling import draw_network
from latprof.tables import read_table

TARGET = "onnxruntime-cpu1-fp32"
REASONS = ["drift between the two halves is 40.0 %", "time spent waiting for a core is 35.0 %"]


@pytest.fixture
def table_says(home):
    """Change what the host's table says of itself."""
    path = home / "device_tables" / "host" / "device.toml"

    def change(**facts: object) -> None:
        said = tomllib.loads(path.read_text())
        said["targets"][TARGET] |= facts
        path.write_text(tomli_w.dumps(said))

    return change


@pytest.fixture
def fitted_on(home):
    """Change what the host's cost model knows of its table, as if it had been fitted on such."""

    def change(**facts: object) -> None:
        known = load("host", TARGET)
        save(replace(known, facts={**known.facts, **facts}))

    return change


def doubts() -> list[str]:
    (prediction,) = predict(draw_network(0, 0), "host").predictions
    return [doubt for doubt in prediction.doubts if "machine" in doubt or "grade" in doubt]


def test_a_table_of_grade_f_is_not_fitted_without_force(latprof, table_says):
    table_says(grade="F", grade_reasons=REASONS)

    said = latprof("fit", "host")

    assert said.code == codes.COULD_NOT
    assert said.out == ""
    assert said.err == (
        f"latprof: the table of host/{TARGET} has grade F, and what is learned from it would be as "
        f"wrong: {'; '.join(REASONS)}. Measure again on a quiet machine, longer (--time) or with "
        f"more --visits; or take it as it is with `latprof fit host/{TARGET} --force`.\n"
    )


def test_what_was_fitted_by_force_is_doubted(latprof, table_says):
    table_says(grade="F", grade_reasons=REASONS)

    assert latprof("fit", f"host/{TARGET}", "--force").code == 0

    assert doubts() == [
        "the table behind it has grade F, and its cost model was fitted by force: "
        f"{'; '.join(REASONS)}"
    ]
    answer = json.loads(latprof("predict", "zoo:mobilenet_v3_small?size=64", "--device", "host",
                                "--json").out)  # fmt: skip
    assert doubts()[0] in answer["predictions"][0]["doubts"]


@pytest.mark.parametrize(
    ("letter", "said"),
    [("A", []), ("C", []), ("D", [f"the table behind it has grade D: {REASONS[0]}"])],
)
def test_a_grade_of_d_is_doubted_and_better_ones_are_not(fitted_on, letter, said):
    fitted_on(grade=letter, grade_reasons=REASONS[:1])

    assert doubts() == said


def test_a_host_that_is_another_machine_is_doubted_with_the_difference(fitted_on):
    here = describe_machine()
    fitted_on(environment=here | {"cpu": "Z80", "cores": "64", "governor": "performance"})

    assert doubts() == [
        f"this is not the machine that was measured as host (cpu: Z80 then, {here['cpu']} now; "
        f"cores: 64 then, {here['cores']} now): measure this one with `latprof measure`, then "
        "`latprof fit host`"
    ]


def test_the_machine_that_was_measured_is_not_doubted(fitted_on):
    fitted_on(environment=describe_machine())

    assert doubts() == []


def test_what_a_table_does_not_say_of_its_machine_is_not_held_against_it(fitted_on):
    fitted_on(environment={"cpu": describe_machine()["cpu"], "runtime": "onnxruntime 1.31"})

    assert doubts() == []


def test_a_table_of_an_earlier_latprof_is_to_be_measured_again(home):
    path = home / "device_tables" / "host" / f"{TARGET}.csv"
    header, *lines = path.read_text().splitlines()
    assert header.endswith(",runs,grade")
    path.write_text("\n".join(line.rpartition(",")[0] for line in (header, *lines)) + "\n")

    with pytest.raises(
        TableError,
        match=r"line 1, lacks the column 'grade'\. Was it written by an earlier latprof\? Then "
        r"measure it again with `latprof measure`\.",
    ):
        read_table("host")
