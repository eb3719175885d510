from __future__ import annotations

import os
import platform

import pytest

from latprof.measurement import environment
from latprof.measurement.environment import (
    IDENTITY,
    MACHINE,
    cores_for,
    cpu_name,
    describe_host,
    describe_run,
    differences,
    usable_cores,
)

RUN = {
    "cpu": "EPYC", "cores": "2", "caches": "L2 1M", "instructions": "avx2 fma",
    "governor": "unknown", "virtualised": "yes", "runtime": "onnxruntime 1.31", "threads": "1",
    "dtype": "fp32", "allocator": "a=1", "system": "Linux 6", "pinned_to": "1",
}  # fmt: skip


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    """A machine that tells nothing of itself."""
    monkeypatch.setattr(environment, "_CPU_INFO", tmp_path / "no cpuinfo")
    monkeypatch.setattr(environment, "_GOVERNOR", tmp_path / "no governor")
    monkeypatch.setattr(environment, "_FREQUENCY", tmp_path / "no frequency")
    monkeypatch.setattr(environment, "_CACHES", tmp_path / "no caches")
    monkeypatch.setattr(environment, "_TOPOLOGY", tmp_path / "no topology")
    monkeypatch.setattr(platform, "processor", lambda: "")
    return tmp_path


def test_facts_are_text_for_every_key():
    facts = describe_run(runtime="onnxruntime 1.31", threads=1, dtype="fp32")

    assert set(IDENTITY) <= facts.keys()
    assert describe_host().keys() <= facts.keys()
    assert all(isinstance(fact, str) and fact for fact in facts.values())
    assert (facts["runtime"], facts["threads"], facts["dtype"]) == ("onnxruntime 1.31", "1", "fp32")


def test_what_a_machine_does_not_tell_is_unknown(nowhere, monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: None)

    facts = describe_host()

    untold = ("cpu", "cores", "governor", "virtualised", "caches", "instructions", "frequency")
    assert {facts[key] for key in untold} == {"unknown"}


def test_a_governor_that_may_not_be_read_is_unknown(nowhere, monkeypatch):
    (nowhere / "folder").mkdir()
    monkeypatch.setattr(environment, "_GOVERNOR", nowhere / "folder")
    assert describe_host()["governor"] == "unknown"

    (nowhere / "governor").write_text("performance\n")
    monkeypatch.setattr(environment, "_GOVERNOR", nowhere / "governor")
    assert describe_host()["governor"] == "performance"


def test_a_processor_is_named_with_family_and_model(nowhere, monkeypatch):
    (nowhere / "cpuinfo").write_text(
        "processor\t: 0\ncpu family\t: 25\nmodel\t\t: 17\nmodel name\t: AMD EPYC\n"
        "flags\t\t: fpu hypervisor avx\n\nprocessor\t: 1\nmodel name\t: another\n"
    )
    monkeypatch.setattr(environment, "_CPU_INFO", nowhere / "cpuinfo")

    assert cpu_name() == "AMD EPYC (family 25, model 17)"
    assert describe_host()["virtualised"] == "yes"


def test_a_processor_without_a_name_is_unknown(nowhere, monkeypatch):
    """As on many ARM boards."""
    (nowhere / "cpuinfo").write_text("processor\t: 0\nBogoMIPS\t: 108.00\nFeatures\t: fp asimd\n")
    monkeypatch.setattr(environment, "_CPU_INFO", nowhere / "cpuinfo")

    assert cpu_name() == "unknown"
    assert describe_host()["virtualised"] == "no"


def test_threads_that_share_a_core_are_counted_once(nowhere, monkeypatch):
    for number, siblings in enumerate(("0,2", "1,3", "0,2", "1,3")):
        folder = nowhere / f"cpu{number}" / "topology"
        folder.mkdir(parents=True)
        (folder / "thread_siblings_list").write_text(siblings + "\n")
    (nowhere / "cpufreq").mkdir()
    monkeypatch.setattr(environment, "_TOPOLOGY", nowhere)

    assert describe_host()["cores"] == "2"


def test_a_machine_that_tells_no_topology_has_as_many_cores_as_threads(nowhere, monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 8)

    assert describe_host()["cores"] == "8"


def test_what_tells_machines_apart_is_part_of_what_tables_must_share():
    assert set(environment.describe_machine()) == set(MACHINE) <= set(IDENTITY)
    assert differences(RUN, RUN | {"cpu": "Xeon", "dtype": "int8"}, MACHINE) == [
        "cpu: EPYC then, Xeon now"
    ]


def test_caches_are_told_level_by_level(nowhere, monkeypatch):
    # As Linux 6.1 told of an AMD EPYC (family 26), 2026-11.
    told = [("1", "Data", "48K"), ("1", "Instruction", "32K"), ("2", "Unified", "1024K"),
            ("3", "Unified", "32768K")]  # fmt: skip
    for number, facts in enumerate(told):
        folder = nowhere / "cache" / f"index{number}"
        folder.mkdir(parents=True)
        for name, fact in zip(("level", "type", "size"), facts, strict=True):
            (folder / name).write_text(fact + "\n")
    (nowhere / "cache" / "index9").mkdir()  # one that tells nothing
    monkeypatch.setattr(environment, "_CACHES", nowhere / "cache")

    assert describe_host()["caches"] == "L1d 48K, L1i 32K, L2 1024K, L3 32768K"


@pytest.mark.parametrize(
    ("line", "known"),
    [
        ("flags\t\t: fpu sse2 avx2 avx512f avx512_vnni fma", "avx2 fma avx512f avx512_vnni"),
        ("Features\t: fp asimd asimddp i8mm", "asimd asimddp i8mm"),  # as on ARM
        ("flags\t\t: fpu", "unknown"),
    ],
)
def test_instructions_that_choose_kernels_are_told(nowhere, monkeypatch, line, known):
    (nowhere / "cpuinfo").write_text(f"processor\t: 0\n{line}\n\nprocessor\t: 1\n{line}\n")
    monkeypatch.setattr(environment, "_CPU_INFO", nowhere / "cpuinfo")

    assert describe_host()["instructions"] == known


def test_the_range_of_the_clock_is_told_where_a_driver_knows_it(nowhere, monkeypatch):
    for end, khz in (("min", "800000"), ("max", "4700000")):
        (nowhere / f"scaling_{end}_freq").write_text(khz + "\n")
    monkeypatch.setattr(environment, "_FREQUENCY", nowhere)

    assert describe_host()["frequency"] == "800 to 4700 MHz"


def test_threads_are_pinned_to_the_last_cores(monkeypatch):
    monkeypatch.setattr(environment, "usable_cores", lambda: [0, 2, 4, 6])

    assert cores_for(1) == [6]
    assert cores_for(3) == [2, 4, 6]
    assert cores_for(9) == [0, 2, 4, 6]


def test_a_system_without_affinity_uses_every_core(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 4)

    assert usable_cores() == [0, 1, 2, 3]


def test_environments_that_agree_in_what_matters_do_not_differ():
    assert (
        differences(RUN, RUN | {"system": "Linux 7", "pinned_to": "0", "usable_cores": "1"}) == []
    )


@pytest.mark.parametrize("key", IDENTITY)
def test_each_fact_that_matters_is_named_with_both_values(key):
    assert differences(RUN, RUN | {key: "other"}) == [f"{key}: {RUN[key]} then, other now"]


def test_a_fact_that_one_side_lacks_is_unknown_there():
    then = {key: value for key, value in RUN.items() if key != "allocator"}

    assert differences(then, RUN) == ["allocator: unknown then, a=1 now"]
    assert differences(RUN, then) == ["allocator: a=1 then, unknown now"]
