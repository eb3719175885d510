import psutil
import pytest
import torch
from torch import nn

from latprof.errors import BadReference, CaptureFailed, ShapeMismatch
from latprof.frontends.inputs import InputSpec
from latprof.frontends.torch.module import capture, read_program


class TwoInputs(nn.Module):
    def forward(self, image, scale):
        return image * scale


def capture_small(module, *shapes):
    return capture(module, [InputSpec(shape) for shape in shapes], name="net", source="here")


@pytest.mark.parametrize(
    ("name", "macs"),
    # MobileNetV2 at 224 pixels has 300,774,272 MACs, 1,280,000 of them in its last layer; all
    # others shrink with the area, and 224 and 32 pixels divide by every stride.
    [("mobilenet_v2", (300_774_272 - 1_280_000) // 49 + 1_280_000)],
)
def test_counts_of_a_network(name, macs, captured, counts):
    found = counts(captured(name))
    assert found["macs"] == macs
    assert found["params"] == 3_504_872


def test_names_and_paths_are_those_of_the_module():
    graph = capture_small(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()), (1, 3, 8, 8))
    assert [(node.op, node.module) for node in graph.nodes] == [("conv", "0"), ("relu", "1")]
    assert graph.nodes[0].inputs == ("input", "0.weight", "0.bias")
    assert (graph.name, graph.source) == ("net", "here")
    assert graph.tensors["0.weight"].role == "parameter"


class MakesTensors(nn.Module):
    """Makes a tensor as it runs, and keeps one that is no buffer."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(6))
        self.steps = torch.arange(6.0)

    def forward(self, x):
        return x * self.weight + self.steps + torch.arange(6)


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_tensors_of_the_modules_own_making_are_where_it_is(device):
    with torch.device(device):
        module = MakesTensors()
    graph = capture_small(module, (2, 6))
    assert [node.op for node in graph.nodes] == ["mul", "add", "add"]
    assert module.weight.device.type == device


def test_dropout_is_not_in_the_graph_even_if_the_module_was_training():
    module = nn.Sequential(nn.Dropout(), nn.ReLU().eval())
    graph = capture_small(module, (1, 4))
    assert [node.op for node in graph.nodes] == ["relu"]
    assert [part.training for part in module.modules()] == [True, True, False]  # as before


def test_the_input_is_guessed_and_said():
    graph = capture_small(nn.Conv2d(5, 4, 3))
    assert graph.tensors[graph.inputs[0]].shape == (1, 5, 224, 224)
    assert graph.assumptions[0].startswith("input shape assumed to be 1x5x224x224")


def test_inputs_go_by_name_or_by_order():
    by_order = [InputSpec((2, 4)), InputSpec((4,))]
    by_name = [InputSpec((4,), name="scale"), InputSpec((2, 4), name="image")]
    graph = capture(TwoInputs(), by_order, name="net")
    assert graph.tensors["image"].shape == (2, 4)
    assert capture(TwoInputs(), by_name, name="net").tensors == graph.tensors


@pytest.mark.parametrize(
    ("inputs", "error", "said"),
    [
        ([InputSpec((1, 9, 8, 8))], CaptureFailed, "does not run on inputs 1x9x8x8"),
        ([InputSpec((1, 3, 8, 8))] * 2, CaptureFailed, "does not run"),
        ([InputSpec((1, 3, 8, 8), name="img")], ShapeMismatch, "no input 'img'; it takes input"),
        ([InputSpec((1, 3, 8, 8), "int4")], BadReference, "no inputs of dtype int4"),
    ],
)
def test_inputs_that_do_not_fit(inputs, error, said):
    with pytest.raises(error) as caught:
        capture(nn.Conv2d(3, 4, 3), inputs, name="net")
    assert said in str(caught.value)


def test_a_network_that_decides_by_contents_cannot_be_captured():
    class ByContents(nn.Module):
        def forward(self, x):
            return x + 1 if x.sum() > 0 else x

    with pytest.raises(CaptureFailed, match="'net' does not run"):
        capture_small(ByContents(), (2,))


def test_shared_frozen_and_unread_weights(odd_weights, weights_told):
    module, tokens = odd_weights
    graph = capture(module, [InputSpec(tuple(tokens.shape), "int64")], name="net")
    assert weights_told(graph) == weights_told(None)


def test_shared_weights_are_known_on_the_meta_device_too(odd_weights, weights_told):
    with torch.device("meta"):
        module = type(odd_weights[0])()
    graph = capture(module, [InputSpec((1, 5), "int64")], name="net")
    assert weights_told(graph) == weights_told(None)


def test_floats_come_in_the_dtype_of_the_weights():
    graph = capture_small(nn.Linear(4, 2).half(), (1, 4))
    assert graph.tensors[graph.inputs[0]].dtype == "float16"
    assert capture_small(nn.Linear(4, 2).half()).inputs == graph.inputs


def test_several_inputs_are_not_guessed_but_named():
    with pytest.raises(CaptureFailed, match=r"takes 2 inputs \(image, scale\).*--input image="):
        capture_small(TwoInputs())


def test_tokens_given_as_floats_bring_up_their_dtype():
    with pytest.raises(CaptureFailed, match="it looks up tokens: 1x128:int64"):
        capture_small(nn.Embedding(10, 4), (1, 128))


def test_several_inputs_with_names_and_dtypes():
    class Masked(nn.Module):
        def forward(self, tokens, mask):
            return torch.where(mask, tokens, 0)

    wanted = [InputSpec((1, 8), "bool", "mask"), InputSpec((1, 8), "int64", "tokens")]
    graph = capture(Masked(), wanted, name="net")
    found = {name: graph.tensors[name].dtype for name in graph.inputs}
    assert found == {"tokens": "int64", "mask": "bool"}


def test_capturing_does_not_copy_the_weights():
    module = nn.Sequential(*(nn.Linear(1000, 1000, bias=False) for _ in range(30)))  # 120 MB
    capture_small(nn.Linear(1000, 2), (1, 1000))  # what torch.export itself needs
    before = psutil.Process().memory_info().rss
    capture_small(module, (1, 1000))
    assert psutil.Process().memory_info().rss - before < 30e6


def test_answers_that_are_numbers_are_no_outputs():
    class WithNumber(nn.Module):
        def forward(self, x):
            return x + 1, x.shape[0], None

    class OnlyNumber(nn.Module):
        def forward(self, x):
            return x.shape[0]

    assert len(capture_small(WithNumber(), (2,)).outputs) == 1
    with pytest.raises(CaptureFailed, match="gives no tensor"):
        capture_small(OnlyNumber(), (2,))


def test_open_sizes_of_a_program_are_taken_as_exported():
    batch = {0: torch.export.Dim("batch")}
    program = torch.export.export(
        nn.Flatten().eval(), (torch.zeros(3, 2, 2),), dynamic_shapes=(batch,)
    )
    graph = read_program(program, name="net")
    assert graph.tensors[graph.outputs[0]].shape == (3, 4)
