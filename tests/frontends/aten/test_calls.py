import pytest

from latprof.errors import CaptureFailed
from latprof.frontends.aten import AtenCall, Ref, Translator, module_path, target_name, translate
from latprof.graph import Tensor


@pytest.fixture
def translator():
    """Holds an input ``x`` and a weight shown as ``fc.weight``, known to calls as ``p``."""
    translator = Translator("net", "net.pt2")
    translator.add_input(Tensor("x", (2, 3), role="input"))
    translator.add_input(Tensor("fc.weight", (4, 3), role="parameter"), known_as="p")
    return translator


def call(target, output, shape, **arguments):
    return AtenCall(target, arguments, (Tensor(output, shape),), "fc")


@pytest.mark.parametrize(
    ("target", "operator"),
    [
        ("conv2d.default", "conv2d"),
        ("add_.Tensor", "add"),
        ("relu_", "relu"),
        ("__and__.Tensor", "__and__"),
        ("torchvision.nms.default", "torchvision.nms"),
    ],
)
def test_operator_of_a_call(target, operator):
    assert AtenCall(target, {}, ()).operator == operator


@pytest.mark.parametrize(
    ("written", "target"),
    [
        ("torch.ops.aten.add.Tensor", "add.Tensor"),
        ("aten.relu_.default", "relu_.default"),
        ("torch.ops.higher_order.cond", "cond"),
        ("torch.ops.torchvision.nms.default", "torchvision.nms.default"),
        ("torchvision.nms.default", "torchvision.nms.default"),
    ],
)
def test_target_name(written, target):
    assert target_name(written) == target


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ("", ""),
        ("features.0", "features.0"),
        ("L__self__.features", "features"),
        ("L['self'].features", "features"),
        ("_empty_nn_module_stack_from_metadata_hook", ""),
    ],
)
def test_module_path(written, path):
    assert module_path(written) == path


def test_weights_are_shown_by_their_path(translator):
    translate(translator, call("linear.default", "y", (2, 4), input=Ref("x"), weight=Ref("p")))
    (node,) = translator.finish(["y"]).nodes
    assert (node.inputs, node.outputs, node.module) == (("x", "fc.weight"), ("y",), "fc")


def test_a_result_called_like_a_weight_is_numbered(translator):
    translator.add_input(Tensor("mean", (3,), role="buffer"), known_as="b")
    translate(translator, call("mean.dim", "mean", (2,), self=Ref("x"), dim=(1,)))
    translate(translator, call("sub.Tensor", "y", (2, 3), self=Ref("x"), other=Ref("b")))
    translate(translator, call("mul.Tensor", "z", (2, 3), self=Ref("y"), other=Ref("mean")))
    graph = translator.finish(["z"])
    assert [node.inputs for node in graph.nodes] == [("x",), ("x", "mean"), ("y", "mean_1")]


def test_a_transposed_weight_is_a_node_only_if_somebody_wants_it(translator):
    translate(translator, call("t.default", "wt", (3, 4), self=Ref("p")))
    translate(translator, call("mm.default", "y", (2, 4), self=Ref("x"), mat2=Ref("wt")))
    assert [node.op for node in translator.finish(["y"]).nodes] == ["linear"]
    assert [node.op for node in translator.finish(["wt"]).nodes] == ["transpose"]


def test_a_renamed_transposed_weight_is_still_one(translator):
    translate(translator, call("t.default", "wt", (3, 4), self=Ref("p")))
    translate(translator, call("clone.default", "copy", (3, 4), self=Ref("wt")))
    translate(translator, call("mm.default", "y", (2, 4), self=Ref("x"), mat2=Ref("copy")))
    assert [node.op for node in translator.finish(["y"]).nodes] == ["linear"]


def test_names_given_in_a_circle_end(translator):
    translator.rename("a", Ref("b"))
    translator.rename("b", Ref("a"))
    assert translator.name_of(Ref("a")) == "b"


def test_many_results_of_one_name_are_numbered_in_passing(translator):
    for _ in range(3000):
        translate(translator, call("relu.default", "x", (2, 3), self=Ref("x")))
    assert len(translator.finish(["x"]).nodes) == 3000


def test_numbers_become_constants(translator):
    translate(translator, call("add.Tensor", "y", (2, 3), self=Ref("x"), other=1.5))
    graph = translator.finish(["y"])
    assert graph.tensors[graph.nodes[0].inputs[1]].values == (1.5,)


def test_a_call_without_tensors_computes_nothing(translator):
    translate(translator, AtenCall("sym_size.int", {"self": Ref("x"), "dim": 0}, ()))
    assert translator.finish(["x"]).nodes == ()


def test_arguments_that_are_not_the_operators_own(translator):
    with pytest.raises(CaptureFailed, match=r"cannot read the call of aten\.linear"):
        translate(translator, call("linear.default", "y", (2, 4), input=Ref("x")))
