from __future__ import annotations

from dataclasses import replace

import pytest

from latprof.counting import count
from latprof.counting.costs import by_kind, by_module, node_costs, total
from latprof.graph import Graph, Tensor


def with_modules(graph: Graph, *modules: str) -> Graph:
    nodes = [replace(n, module=m) for n, m in zip(graph.nodes, modules, strict=True)]
    return replace(graph, nodes=tuple(nodes))


@pytest.fixture
def small(net):
    """A convolution, a norm, an activation; then a linear layer outside."""
    x = net.input((1, 4, 2, 2))
    y = net.conv(x, 8)  # 8×4 + 8 params, 128 MACs, 32 bias additions
    y = net.norm(y)  # 4×8 params, 64 ops
    y = net.add_one("relu", [y])  # 32 ops
    y = net.add_one("reshape", [y], shape=(1, 32))
    y = net.linear(y, 2)  # 64 + 2 params, 64 MACs, 2 bias additions
    return with_modules(net.finish([y]), "body.conv", "body.norm", "body", "", "head")


def test_norms_stand_apart_from_the_rest(small):
    cost = total(node.cost for node in node_costs(small))
    assert (cost.macs, cost.norm_ops, cost.elementwise_ops) == (192, 64, 32 + 32 + 2)
    assert cost.ops == 2 * 192 + 64 + 66
    facts = count(small)
    assert cost.macs == facts.macs
    assert cost.elementwise_ops + cost.norm_ops == facts.elementwise_ops
    assert cost.params == facts.params


def test_each_operator_reads_and_writes_on_its_own(small):
    costs = {node.op: node.cost for node in node_costs(small)}
    conv = costs["pointwise"]
    assert conv.bytes_read == 4 * (16 + 32 + 8)
    assert conv.bytes_written == conv.activation_bytes == 4 * 32
    assert conv.intensity == (2 * 128 + 32) / (4 * (16 + 32 + 8 + 32))
    view = costs["reshape"]
    assert (view.bytes_moved, view.activation_bytes, view.intensity) == (0, 0, None)


def test_kinds_add_up_and_begin_with_the_most_macs(small):
    rows = by_kind(node_costs(small))
    assert [row.name for row in rows][:2] == ["pointwise", "linear"]
    assert total(row.cost for row in rows) == total(node.cost for node in node_costs(small))


def test_a_module_holds_what_is_within_it(small):
    rows = {row.name: row for row in by_module(node_costs(small), depth=2)}
    assert list(rows) == ["", "body", "body.conv", "body.norm", "head"]
    assert rows["body"].cost.macs == rows["body.conv"].cost.macs == 128
    assert rows["body"].cost.nodes == 3
    assert rows[""].cost.nodes == 5  # the view that stands outside is in the whole
    assert [row.depth for row in rows.values()] == [0, 1, 2, 2, 1]


def test_the_tree_ends_at_its_depth(small):
    nodes = node_costs(small)
    assert [row.name for row in by_module(nodes, 1)] == ["", "body", "head"]
    assert [row.name for row in by_module(nodes, 0)] == [""]


def test_modules_that_take_turns_stand_where_they_first_ran(net):
    x = net.input((1, 4))
    for _ in range(4):
        x = net.add_one("relu", [x])
    graph = with_modules(net.finish([x]), "a.x", "b", "a.y", "a.x")
    names = [row.name for row in by_module(node_costs(graph), 2)]
    assert names == ["", "a", "a.x", "a.y", "b"]


def test_a_tied_weight_counts_where_it_is_read_first(net):
    x, shared = net.input((1, 8)), net.weight(8, 8)
    y = net.add_one("linear", [net.add_one("linear", [x, shared]), shared])
    assert [node.cost.params for node in node_costs(net.finish([y]))] == [64, 0]


def test_an_unknown_operator_counts_its_bytes_and_says_so(net):
    (y,) = net.add("aten.fft", [net.input((1, 8))], outputs=[Tensor("t", (1, 16))])
    (node,) = node_costs(net.finish([y]))
    assert (node.op, node.known) == ("aten.fft", False)
    assert (node.cost.macs, node.cost.bytes_read, node.cost.bytes_written) == (0, 32, 64)
