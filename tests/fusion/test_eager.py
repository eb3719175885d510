from __future__ import annotations

from latprof.fusion import FUSIONS
from latprof.fusion.eager import fuse


def test_eager_launches_node_by_node(net):
    x = net.input((1, 32, 8, 8))
    y = net.norm(net.conv(x, 32, 3, bias=False))
    y = net.add_one("relu", [y], inplace=True)
    y = net.add_up(net.add_one("reshape", [y], shape=(1, 32, 64)), net.weight(1, 32, 64))
    kernels = fuse(net.finish([y]))
    assert [k.op for k in kernels] == ["conv", "batch_norm", "relu", "reshape", "add"]
    assert [k.nodes for k in kernels] == [(k.name,) for k in kernels]
    assert [k.inplace for k in kernels] == [False, False, True, False, False]
    assert {k.layout for k in kernels} == {"nchw"}
    assert not any(k.residual or k.activation for k in kernels)


def test_an_identity_is_no_launch(net):
    x = net.add_one("identity", [net.input((1, 32))])
    assert [k.op for k in fuse(net.finish([net.add_one("relu", [x])]))] == ["relu"]


def test_a_shuffle_is_one_launch_of_one_movement(net):
    x = net.conv(net.input((1, 8, 4, 4)), 8)
    graph = net.finish([net.add_one("channel_shuffle", [x], groups=2)])
    for kernels in (FUSIONS[name](graph) for name in FUSIONS):
        (shuffle,) = [kernel for kernel in kernels if kernel.op == "channel_shuffle"]
        assert (shuffle.groups, shuffle.macs, shuffle.elementwise_ops) == (2, 0, 0)
        assert shuffle.nodes == ("channel_shuffle",)
        assert shuffle.bytes_moved == 2 * 4 * 8 * 16  # every element is read and written once
