from __future__ import annotations

import inspect

import pytest

from latprof import errors
from latprof.errors import LatprofError, UnknownName

NAMES = ["mobilenet_v1", "mobilenet_v2", "resnet18"]


def test_a_near_name_is_suggested():
    error = UnknownName("zoo model", "resnte18", NAMES)
    assert str(error) == "unknown zoo model 'resnte18'. Did you mean 'resnet18'?"


def test_two_near_names_are_joined_by_or_nearest_first():
    error = UnknownName("zoo model", "mobilenet_v22", NAMES)
    assert str(error).endswith("Did you mean 'mobilenet_v2' or 'mobilenet_v1'?")


def test_three_near_names_have_a_comma_between():
    error = UnknownName("device", "pixel", ["pixel4", "pixel5", "pixel6"])
    assert str(error).endswith("Did you mean 'pixel6', 'pixel5' or 'pixel4'?")


def test_without_a_near_name_all_are_named_in_order():
    error = UnknownName("runtime", "tvm", ["torch-eager", "onnxruntime"])
    assert str(error) == "unknown runtime 'tvm'. Known: onnxruntime, torch-eager."


def test_where_nothing_is_known_the_hint_alone_says_what_to_do():
    error = UnknownName("device", "host", [], hint="Run `latprof measure` first.")
    assert str(error) == "unknown device 'host'. Run `latprof measure` first."


def test_an_unknown_name_keeps_what_it_was_told():
    error = UnknownName("device", "pixle6", {"pixel6", "host"})
    assert (error.kind, error.name, error.known) == ("device", "pixle6", ["host", "pixel6"])


def _classes() -> dict[str, type]:
    found = inspect.getmembers(errors, inspect.isclass)
    return {name: kind for name, kind in found if kind.__module__ == errors.__name__}


def test_the_tree_drawn_in_the_docstring_is_the_tree():
    drawn: dict[str, str] = {}
    above: list[str] = []
    for line in inspect.getdoc(errors).splitlines():  # type: ignore[union-attr]
        words = line.replace("│", " ").split("── ")
        if line.startswith("LatprofError"):
            above = ["LatprofError"]
        elif len(words) == 2:
            depth = line.index("── ") // 4 + 1
            above = [*above[:depth], words[1].split()[0]]
            drawn[above[-1]] = above[-2]
    found = {name: kind.__bases__[0].__name__ for name, kind in _classes().items()}
    del found["LatprofError"]
    assert drawn == found


@pytest.mark.parametrize("name", sorted(_classes()))
def test_every_error_is_one_of_ours_and_says_what_it_is(name):
    kind = _classes()[name]
    assert issubclass(kind, LatprofError)
    assert inspect.getdoc(kind)
