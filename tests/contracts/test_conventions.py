"""What holds for every convention: a new one is tested on arrival."""

from __future__ import annotations

import pytest

from latprof.counting import count
from latprof.counting.conventions import CONVENTIONS, find_convention, register, totals
from latprof.errors import BadReference, UnknownName
from latprof.ops import OPS
from latprof.zoo import ENTRIES


@pytest.mark.parametrize("name", CONVENTIONS)
def test_a_convention_says_what_it_counts_and_where_that_is_written(name):
    convention = CONVENTIONS[name]
    assert convention.name == name
    assert convention.means
    assert convention.source
    assert {*convention.rules, *convention.unreproduced} <= OPS.keys()
    assert not convention.unreproduced & set(convention.rules)


@pytest.mark.parametrize("name", CONVENTIONS)
def test_terms_add_up_and_no_total_is_below_the_products(name, zoo_graph):
    for network in ("mobilenet_v2", "mobilenet_v3_small", "shufflenet_v2_x0_5"):
        graph = zoo_graph(network)
        counted = CONVENTIONS[name].count(graph)
        assert counted.total == sum(counted.terms.values())
        assert counted.total >= count(graph).macs
        assert set(counted.to_dict()) >= {"convention", "total", "called", "terms", "source"}


@pytest.mark.parametrize("network", ENTRIES)
def test_every_network_of_the_zoo_is_counted_by_every_convention(network, zoo_graph):
    counted = {total.convention.name: total for total in totals(zoo_graph(network))}
    assert counted.keys() == CONVENTIONS.keys()
    assert list(counted)[:2] == ["latprof", "paper"]
    macs = ENTRIES[network].macs
    assert counted["latprof"].total == counted["paper"].total == macs
    assert counted["torch"].total == 2 * macs


def test_an_operator_whose_rule_is_not_followed_leaves_no_total(net):
    x = net.input((1, 8, 16))
    y = net.add_one("layer_norm", [x, net.weight(16), net.weight(16)], axes=1, eps=1e-5)
    counted = CONVENTIONS["keras"].count(net.finish([y]))
    assert counted.total is None
    assert counted.missing == {"layer_norm": 1}


def test_a_name_is_taken_once():
    with pytest.raises(BadReference, match="'fvcore' is registered already"):
        register(CONVENTIONS["fvcore"])


def test_an_unknown_convention_brings_up_its_neighbours():
    with pytest.raises(UnknownName, match="fvcore"):
        find_convention("fvcor")
