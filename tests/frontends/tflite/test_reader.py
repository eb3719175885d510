from __future__ import annotations

import struct
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from latprof.counting import count
from latprof.errors import LatprofError, ShapeMismatch, UnreadableModel
from latprof.frontends import read
from latprof.frontends.inputs import parse_input
from latprof.ops import OPS, infer_shapes

from .tflite_writer import Subgraph, content, write

# Converted by litert-torch, weights taken out: see make.py there.
DATA = Path(__file__).parents[2] / "data" / "tflite"
ZOO = ("mobilenet_v2", "mobilenet_v3_large", "shufflenet_v2_x1_0", "efficientnet_b0", "resnet18")
FILES = sorted(path.stem for path in DATA.glob("*.tflite"))


def load(name):
    return read(str(DATA / f"{name}.tflite"))


def folded(graph):
    """Channels of all norms: converters turn scale and shift of each into one bias."""
    norms = [call for call in graph.calls if call.node.op == "batch_norm"]
    return sum(call.outputs[0].shape[1] for call in norms)


def convolutions(graph):
    """What each convolution is, but for where its padding is written."""
    return Counter(
        (
            call.input(1).shape,
            call.outputs[0].shape,
            *map(call.attributes.get, ("stride", "groups")),
        )
        for call in graph.calls
        if call.node.op == "conv"
    )


@pytest.mark.parametrize("name", ZOO)
def test_a_converted_network_costs_what_it_does_in_pytorch(name, zoo_graph):
    ours, theirs = load(name), zoo_graph(name)
    assert count(ours).macs == count(theirs).macs
    assert count(ours).params == count(theirs).params - folded(theirs)
    assert convolutions(ours) == convolutions(theirs)
    assert not count(ours).unknown_ops
    assert not ours.assumptions


@pytest.mark.parametrize(
    ("name", "macs", "params"),
    [
        # As torch counts the networks of make.py. Norms that were never trained fold away: four
        # LayerNorm (4 × 64); a PReLU and a GroupNorm become lone numbers (8 and 2 × 8).
        ("tiny_vit", 553_408, 32_490 - 256),
        ("variety", 1_166_888, 4_806 - 8 - 16),
    ],
)
def test_attention_and_odd_convolutions_cost_what_they_do_in_pytorch(name, macs, params):
    facts = count(load(name))
    assert (facts.macs, facts.params, facts.unknown_ops) == (macs, params, {})


@pytest.mark.parametrize("name", FILES)
def test_operators_infer_the_shapes_that_the_graph_has(name):
    for call in load(name).calls:
        assert infer_shapes(call) == tuple(tensor.shape for tensor in call.outputs)


@pytest.mark.parametrize(
    ("name", "dtypes"),
    [
        ("mobilenet_v2", {"float32": 3_487_816}),
        # Biases are kept apart: of 17,056 channels and 1,000 classes.
        ("mobilenet_v2-int8", {"int8": 3_469_760, "int32": 18_056}),
        ("mobilenet_v2-fp16", {"float16": 3_469_760, "float32": 18_056}),
        ("mobilenet_v3_large-dynamic", {"int8": 5_451_272, "float32": 19_560}),
    ],
)
def test_weights_have_the_dtype_they_are_stored_in(name, dtypes):
    graph = load(name)
    weights = [t for t in graph.tensors.values() if t.role == "parameter"]
    found = Counter()
    for tensor in weights:
        found[tensor.dtype] += tensor.elements
    assert found == dtypes
    assert not {"dequantize", "quantize"} & {node.op for node in graph.nodes}


def test_an_int8_network_computes_in_int8():
    graph = load("mobilenet_v2-int8")
    assert {t.dtype for c in graph.calls for t in c.outputs} == {"int8"}


def test_a_network_kept_in_nhwc_takes_channels_second_and_moves_nothing_first():
    graph = load("mobilenet_v2-nhwc")
    assert [graph.tensors[name].shape for name in graph.inputs] == [(1, 3, 64, 64)]
    assert graph.nodes[0].op == "pad"


def test_a_network_kept_in_nchw_begins_with_moving_its_input():
    first = load("mobilenet_v2").nodes[0]
    assert (first.op, first.attributes["file_order"]) == ("copy", (0, 2, 3, 1))


def test_nodes_and_weights_go_by_the_names_of_the_modules():
    graph = load("mobilenet_v2")
    (conv,) = [node for node in graph.nodes if node.name == "features.1.depthwise.conv"]
    assert (conv.op, conv.module) == ("conv", "features.1.depthwise.conv")
    assert conv.inputs[1:] == (
        "features.1.depthwise.conv.weight", "features.1.depthwise.conv.bias",
    )  # fmt: skip
    (behind,) = graph.consumers[conv.outputs[0]]
    assert (behind.op, behind.module) == ("relu6", "features.1.depthwise.activation")


def test_channels_are_shuffled_as_the_paper_draws_it():
    ops = [node.op for node in load("shufflenet_v2_x1_0").nodes]
    at = ops.index("concat")
    # The converter brings channels to the front, shuffles them, and brings them back.
    assert ops[at : at + 4] == ["concat", "copy", "channel_shuffle", "copy"]


def test_attention_keeps_its_heads_apart():
    calls = [call for call in load("tiny_vit").calls if call.node.op == "matmul"]
    assert [(c.input(0).shape, c.input(1).shape) for c in calls] == [
        ((4, 17, 8), (4, 8, 17)), ((4, 17, 17), (4, 17, 8)),
    ] * 2  # fmt: skip


def test_reading_needs_neither_torch_nor_numpy():
    code = (
        "import sys; from latprof.frontends import read; "
        f"read({str(DATA / 'mobilenet_v2.tflite')!r}); "
        "print({'torch', 'numpy', 'flatbuffers', 'pandas', 'onnx'} & set(sys.modules))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert found.stdout == "set()\n"


# Inputs


@pytest.fixture
def open_network(tmp_path):
    """A classifier whose batch the file leaves open; its shapes are computed while it runs."""
    net = Subgraph()
    x = net.input(1, 16, 16, 3, signature=(-1, 16, 16, 3), name="serving_default_image:0")
    y = net.conv(x, 8, 3, 2)
    shape = net.add("SHAPE", [y], (4,), dtype="int32")
    begin, end, step = net.numbers(0), net.numbers(1), net.numbers(1)
    batch = net.add(
        "STRIDED_SLICE", [shape, begin, end, step], (), dtype="int32", shrink_axis_mask=1
    )
    rest = net.numbers(512, shape=())
    wanted = net.add("PACK", [batch, rest], (2,), dtype="int32", axis=0)
    flat = net.add("RESHAPE", [y, wanted], (1, 512))
    net.outputs = [net.add("FULLY_CONNECTED", [flat, net.weight(10, 512), net.weight(10)], (1, 10))]
    signature = {"inputs": {"image": x}, "outputs": {"classes": net.outputs[0]}}
    return write(tmp_path / "open.tflite", net, signatures=[signature])


def test_a_size_left_open_is_taken_as_one_and_said(open_network):
    graph = read(str(open_network))
    assert graph.tensors[graph.outputs[0]].shape == (1, 10)
    (said,) = graph.assumptions
    assert "'image' open (axis 0); taken as 1x3x16x16" in said


@pytest.mark.parametrize("text", ["4x3x16x16", "image=4x3x16x16"])
def test_a_size_left_open_can_be_given(open_network, text):
    graph = read(str(open_network), inputs=[parse_input(text)])
    assert graph.inputs == ("image",)
    assert graph.tensors[graph.outputs[0]].shape == (4, 10)
    assert [node.op for node in graph.nodes] == ["conv", "reshape", "linear"]
    assert not graph.assumptions


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("4x3x32x32", "has 4x3x16x16 for its input 'image'"),
        ("4x16x16x3", "channels second"),
        ("other=1x3x16x16", "has 'image'"),
    ],
)
def test_a_size_that_the_file_fixes_cannot_be_changed(open_network, text, said):
    with pytest.raises(ShapeMismatch, match=said):
        read(str(open_network), inputs=[parse_input(text)])


def test_a_shape_made_for_another_batch_is_refused(tmp_path):
    net = Subgraph()
    x = net.input(1, 8, signature=(-1, 8))
    net.outputs = [net.add("RESHAPE", [x, net.numbers(2, 4)], (2, 4))]
    path = write(tmp_path / "net.tflite", net)
    with pytest.raises(ShapeMismatch, match="made for inputs of another size"):
        read(str(path), inputs=[parse_input("3x8")])


def test_buffers_may_lie_behind_the_flatbuffer_as_beyond_2_gb(tmp_path):
    net = Subgraph()
    wanted = net.tensor((2,), "int32", buffer=1)
    net.outputs = [net.add("RESHAPE", [net.input(1, 8), wanted], (1, 1))]
    path = tmp_path / "net.tflite"
    inside = content(net, outside=[(5000, 8)])
    path.write_bytes(inside.ljust(5000, b"\0") + struct.pack("<2i", 4, 2))
    graph = read(str(path))
    assert graph.tensors[graph.outputs[0]].shape == (4, 2)


# What the file cannot tell


def test_an_operator_without_a_name_of_ours_is_listed_under_its_own(tmp_path):
    net = Subgraph()
    y = net.add("CUSTOM", [net.input(1, 8)], (1, 4), custom="MyOp")
    net.outputs = [net.add("SVDF", [y, net.weight(4, 4)], (1, 3))]
    graph = read(str(write(tmp_path / "net.tflite", net)))
    assert [node.op for node in graph.nodes] == ["tflite.MyOp", "tflite.SVDF"]
    assert graph.tensors[graph.outputs[0]].shape == (1, 3)
    assert count(graph).unknown_ops == {"tflite.MyOp": 1, "tflite.SVDF": 1}


def test_a_composite_is_read_as_the_subgraph_that_says_what_it_computes(tmp_path):
    body = Subgraph("body")
    x = body.input(1, 8)
    body.outputs = [body.add("LOGISTIC", [body.add("ADD", [x, body.input(1, 8)], (1, 8))], (1, 8))]
    net = Subgraph()
    x = net.input(1, 8)
    y = net.add("STABLEHLO_COMPOSITE", [x, x], (1, 8), first_subgraph=1)
    net.outputs = [net.add("STABLEHLO_COMPOSITE", [y, x], (1, 8), first_subgraph=1)]
    graph = read(str(write(tmp_path / "net.tflite", net, body)))
    assert [node.op for node in graph.nodes] == ["add", "sigmoid"] * 2
    assert not graph.assumptions


def test_a_composite_may_hand_on_what_it_was_given(tmp_path):
    body = Subgraph("body")
    body.outputs = [body.input(1, 8)]
    net = Subgraph()
    y = net.add("STABLEHLO_COMPOSITE", [net.input(1, 8)], (1, 8), first_subgraph=1)
    net.outputs = [net.add("RELU", [y], (1, 8))]
    graph = read(str(write(tmp_path / "net.tflite", net, body)))
    assert [(node.op, node.inputs) for node in graph.nodes] == [("relu", ("tensor0",))]


def test_a_branch_is_listed_and_said(tmp_path):
    net, one, two = Subgraph(), Subgraph("one"), Subgraph("two")
    x = net.input(1, 8)
    net.outputs = [net.add("IF", [net.input(dtype="bool"), x], (1, 8), first_subgraph=1,
                           second_subgraph=2)]  # fmt: skip
    graph = read(str(write(tmp_path / "net.tflite", net, one, two)))
    assert [node.op for node in graph.nodes] == ["tflite.IF"]
    assert "which branch runs depends on the data" in graph.assumptions[0]


def test_of_several_networks_the_first_is_read_and_said(tmp_path):
    nets = [Subgraph(name) for name in ("main", "decode", "prefill")]
    for net in nets:
        net.outputs = [net.add("RELU", [net.input(1, 8)], (1, 8))]
    (said,) = read(str(write(tmp_path / "net.tflite", *nets))).assumptions
    assert said == (
        "the file holds 3 networks; the first, 'main', is read, and not 'decode', 'prefill'"
    )


def test_shapes_that_operators_contradict_go_by_the_operators(tmp_path):
    net = Subgraph()
    y = net.add("RELU", [net.input(1, 8)], (1, 9))
    net.outputs = [y]
    graph = read(str(write(tmp_path / "net.tflite", net)))
    assert graph.tensors[graph.outputs[0]].shape == (1, 8)
    assert "another shape than the file says" in graph.assumptions[0]


# Broken files


def test_a_file_without_a_network_is_refused(tmp_path):
    path = write(tmp_path / "net.tflite")
    with pytest.raises(UnreadableModel, match="holds no network"):
        read(str(path))


def test_an_operator_of_too_few_inputs_is_refused(tmp_path):
    net = Subgraph()
    net.outputs = [net.add("CONV_2D", [net.input(1, 8, 8, 3)], (1, 8, 8, 4))]
    with pytest.raises(UnreadableModel, match="cannot read the CONV_2D that makes 'tensor1'"):
        read(str(write(tmp_path / "net.tflite", net)))


def test_a_tensor_computed_twice_or_not_yet_is_refused(tmp_path):
    net = Subgraph()
    x = net.input(1, 8)
    y = net.add("RELU", [x], (1, 8))
    net.operators.append(net.operators[0])
    net.outputs = [y]
    with pytest.raises(UnreadableModel, match="two operators compute 'tensor1'"):
        read(str(write(tmp_path / "net.tflite", net)))
    net.operators = [{**net.operators[0], "inputs": [y]}]
    with pytest.raises(UnreadableModel, match="before anything has computed it"):
        read(str(write(tmp_path / "net.tflite", net)))


def test_composites_that_call_each_other_are_refused(tmp_path):
    nets = [Subgraph("main"), Subgraph("one"), Subgraph("two")]
    for net, called in zip(nets, (1, 2, 1), strict=True):
        y = net.add("STABLEHLO_COMPOSITE", [net.input(1, 8)], (1, 8), first_subgraph=called)
        net.outputs = [y]
    with pytest.raises(UnreadableModel, match="as if in a circle"):
        read(str(write(tmp_path / "net.tflite", *nets)))


def test_composites_that_multiply_are_refused(tmp_path):
    nets = []
    for level in range(20):
        net = Subgraph(f"level{level}")
        y = net.input(1, 8)
        for _ in range(8):
            y = net.add("STABLEHLO_COMPOSITE", [y], (1, 8), first_subgraph=level + 1)
        net.outputs = [y]
        nets.append(net)
    last = Subgraph("last")
    last.outputs = [last.add("RELU", [last.input(1, 8)], (1, 8))]
    with pytest.raises(UnreadableModel, match="multiply"):
        read(str(write(tmp_path / "net.tflite", *nets, last)))


@pytest.mark.parametrize("name", ["variety", "tiny_vit"])
def test_a_broken_file_gives_a_graph_or_an_error_of_ours(name, tmp_path):
    import random

    sound = (DATA / f"{name}.tflite").read_bytes()
    path, draw = tmp_path / "broken.tflite", random.Random(0)
    for _ in range(150):
        broken = bytearray(sound)
        for _ in range(draw.choice((1, 2, 8))):
            at = draw.randrange(8, len(broken) - 4)
            width = draw.choice((1, 4))
            broken[at : at + width] = draw.choice((b"\0\0\0\0", b"\xff\xff\xff\x7f",
                                                   draw.randbytes(4)))[:width]  # fmt: skip
        path.write_bytes(broken)
        try:
            graph = read(str(path))
        except LatprofError:
            continue
        assert all(node.op in OPS or node.op.startswith("tflite.") for node in graph.nodes)
