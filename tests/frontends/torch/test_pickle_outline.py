import collections
import io
import os
import pickle

import pytest

from latprof.errors import UnreadableModel
from latprof.frontends.torch import pickle_outline
from latprof.frontends.torch.pickle_outline import Global, Made, Pairs, outline

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)


class Layer:
    def __init__(self):
        self.width = 3


def outline_of(value, protocol=2):
    return outline(io.BytesIO(pickle.dumps(value, protocol)), "'test'")


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    "value", [None, True, 7, -(2**70), 2.5, "text", (1, 2, 3, 4), [1, [2]], ((), [])]
)
def test_plain_values_come_out_as_they_are(value, protocol):
    assert outline_of(value, protocol) == value


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_dict_comes_out_as_its_pairs(protocol):
    found = outline_of({"a": 1, (2,): "b"}, protocol)
    assert isinstance(found, Pairs)
    assert found.items == [("a", 1), ((2,), "b")]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_an_object_is_named_with_its_state_and_not_made(protocol):
    found = outline_of(Layer(), protocol)
    assert isinstance(found, Made)
    assert found.class_name == f"{Layer.__module__}.Layer"
    assert found.state.items == [("width", 3)]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_an_ordered_dict_keeps_its_items(protocol):
    found = outline_of(collections.OrderedDict(a=1, b=2), protocol)
    assert found.class_name == "collections.OrderedDict"
    if protocol >= 2:  # before, they are an argument of the call
        assert found.items == [("a", 1), ("b", 2)]


def test_a_shared_object_is_seen_as_one():
    layer = Layer()
    first, second = outline_of([layer, layer])
    assert first is second


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_call_is_noted_and_not_made(protocol, hostile, marker):
    found = outline_of(hostile, protocol)
    assert isinstance(found.maker, (Global, Made))
    assert not marker.exists()


def test_a_function_is_only_named():
    assert outline_of(os.system).name == f"{os.name}.system"


def test_several_pickles_in_one_stream_are_read_one_by_one():
    stream = io.BytesIO(pickle.dumps(1) + pickle.dumps("two"))
    assert outline(stream, "'test'") == 1
    assert outline(stream, "'test'") == "two"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80\x02",
        pickle.dumps([1, 2], 2)[:-1],  # no end
        b"\x80\x02.",  # gives nothing
        b"\x80\x02a.",  # appends to nothing
        b"\x80\x02h\x07.",  # fetches what was never stored
        b"\x80\x02N(K\x01u.",  # half a pair, into what is no dict
        b"\x80\x02X\xff\xff\xff\xffabc.",  # a text longer than the file
        b"\xff\xff",
    ],
)
def test_a_broken_pickle_is_reported(data):
    with pytest.raises(UnreadableModel, match="'test' is broken"):
        outline(io.BytesIO(data), "'test'")


def test_an_endless_pickle_is_given_up(monkeypatch):
    monkeypatch.setattr(pickle_outline, "MAX_INSTRUCTIONS", 10)
    with pytest.raises(UnreadableModel, match="too long"):
        outline_of(list(range(100)))
