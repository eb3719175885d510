"""Writing in place: what is written is not lost, and who reads it later reads what was written."""

import torch

IMAGE = (2, 8, 6, 6)


def told(graph):
    """Every node as ``output = op(inputs)`` with numbers for names, in running order."""
    numbers = {name: f"x{i}" for i, name in enumerate(graph.inputs)}
    lines = []
    for node in graph.nodes:
        inputs = [numbers.setdefault(name, "c") for name in node.inputs]
        numbers |= {name: f"t{len(lines)}" for name in node.outputs}
        lines.append(f"{node.op}({', '.join(inputs)})")
    return lines


def test_a_part_that_is_overwritten_changes_the_whole(graph_of):
    def function(x, w):
        y = torch.relu(x)
        y[:, 2] = torch.tanh(x[:, 3])
        return y.exp()

    assert told(graph_of(function, IMAGE)) == [
        "relu(x0)", "select(x0)", "tanh(t1)", "copy(t2)", "write(t0, t3)", "exp(t4)",
    ]  # fmt: skip


def test_a_part_of_a_part(graph_of):
    def function(x, w):
        y = torch.relu(x)
        y[0][:, 1:3].mul_(2.0)
        return y + 1

    assert told(graph_of(function, IMAGE)) == [
        "relu(x0)", "select(t0)", "slice(t1)", "mul(t2, c)", "write(t0, t3)", "add(t4, c)",
    ]  # fmt: skip


def test_a_copy_has_memory_of_its_own(graph_of):
    def function(x, w):
        y = x.clone()
        y[:, :2] = 0
        return x.exp(), y

    nodes = graph_of(function, IMAGE).nodes
    (exp,) = [node for node in nodes if node.op == "exp"]
    assert exp.inputs == ("x",)
    assert [node.op for node in nodes] == ["expand", "write", "exp"]


def test_what_is_written_into_something_nobody_reads_again_is_left_out(ops_of):
    def function(x, w):
        y = x.exp().flatten(1)
        return y.relu_()

    assert ops_of(function, IMAGE) == ["exp", "reshape", "relu"]


def test_numbers_written_in_place(ops_of):
    def function(x, w):
        y = torch.empty_like(x)
        y.zero_()
        y[:, :4] = x[:, 4:]
        return y

    assert ops_of(function, IMAGE) == ["expand", "slice", "copy", "write"]
