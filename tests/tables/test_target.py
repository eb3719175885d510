from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latprof.errors import BadReference
from latprof.tables import Target
from latprof.tables.target import DTYPES, split_device


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("onnxruntime-cpu1-fp32", Target("onnxruntime", "cpu", 1, "fp32")),
        ("torch-eager-cpu16-bf16", Target("torch-eager", "cpu", 16, "bf16")),
        ("litert-gpu-fp16", Target("litert", "gpu", 1, "fp16")),
        ("litert_next-npu-int8", Target("litert_next", "npu", 1, "int8")),
    ],
)
def test_a_name_says_runtime_processor_threads_and_dtype(name, target):
    assert Target.parse(name) == target
    assert target.name == name


def test_a_cpu_has_one_thread_if_none_are_named():
    assert Target.parse("onnxruntime-cpu-fp32").name == "onnxruntime-cpu1-fp32"


@pytest.mark.parametrize(
    "name",
    ["", "host", "cpu1-fp32", "onnxruntime-cpu1", "onnxruntime-cpu1-fp64", "ONNXRuntime-cpu1-fp32",
     "onnxruntime-cpu0-fp32", "onnxruntime-cpu01-fp32", "onnxruntime-cpu-1-fp32",
     "onnxruntime-cpu1-fp32\n", "onnxruntime-cpu١-fp32", "onnxruntime-cpu1-fp32-fast",
     "litert-gpu4-fp16", "../onnxruntime-cpu1-fp32", "onnxruntime-cpu1-fp32/x", "-cpu1-fp32",
     "onnx runtime-cpu1-fp32", "onnxruntime--fp32"],
)  # fmt: skip
def test_what_is_no_target_is_refused_with_an_example(name):
    with pytest.raises(BadReference, match=r"is not a target; .*as in\s+onnxruntime-cpu1-fp32"):
        Target.parse(name)


RUNTIMES = st.from_regex(r"[a-z][a-z0-9_-]{0,12}", fullmatch=True)


@given(RUNTIMES, st.integers(1, 999), st.sampled_from(sorted(DTYPES)))
def test_any_cpu_target_comes_back_from_its_name(runtime, threads, dtype):
    target = Target(runtime, "cpu", threads, dtype)

    assert Target.parse(target.name) == target


@given(st.text(max_size=30) | st.from_regex(r"[a-z-]+-(cpu|gpu)\d*-\w+"))
def test_a_name_is_a_target_or_an_error_of_ours(name):
    try:
        target = Target.parse(name)
    except BadReference:
        return
    assert Target.parse(target.name) == target


@pytest.mark.parametrize(
    ("reference", "parts"),
    [
        ("pixel6", ("pixel6", None)),
        ("pixel6/litert-cpu1-int8", ("pixel6", "litert-cpu1-int8")),
        ("pixel6/", ("pixel6", "")),
        ("pixel6/a/b", ("pixel6", "a/b")),
    ],
)
def test_a_reference_is_a_device_and_perhaps_a_target(reference, parts):
    assert split_device(reference) == parts
