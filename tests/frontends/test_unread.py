from latprof.frontends.unread import with_unread
from latprof.graph import Tensor


def graph_of(net):
    x = net.input((1, 4))
    return net.finish([net.linear(x, 2)])


def test_weights_that_are_read_need_no_word(net):
    graph = graph_of(net)
    stored = [tensor for tensor in graph.tensors.values() if tensor.is_weight]
    assert with_unread(graph, stored) == graph


def test_unread_parameters_are_kept_and_said(net):
    graph = with_unread(graph_of(net), [Tensor("aux.weight", (2, 3), role="parameter")])
    assert graph.tensors["aux.weight"].elements == 6
    assert graph.assumptions == (
        "no operation reads 1 weight of the model (aux.weight): 6 parameters, counted with it all "
        "the same",
    )


def test_unread_buffers_are_kept_without_a_word(net):
    counter = Tensor("norm.num_batches_tracked", (), "int64", "buffer")
    graph = with_unread(graph_of(net), [counter])
    assert counter.name in graph.tensors
    assert graph.assumptions == ()
