"""ONNX files: what is read from them, and what a broken or hostile one is answered."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from latprof.counting import count
from latprof.errors import ShapeMismatch, UnreadableModel
from latprof.frontends.inputs import parse_input
from latprof.frontends.onnx import reader as onnx_file

node = helper.make_node
WEIGHT = np.ones((4, 3, 3, 3), np.float32)
IMAGE = {"x": (1, 3, 8, 8)}


def shape(graph, name: str = "") -> tuple[int, ...]:
    return graph.tensors[name or graph.outputs[0]].shape


def test_a_convolution_is_read(read_onnx):
    graph = read_onnx(
        [node("Conv", ["x", "stem.weight"], ["y"], name="/stem/Conv", pads=[1, 1, 1, 1])],
        IMAGE,
        initializers={"stem.weight": WEIGHT},
    )
    (call,) = graph.calls
    assert (call.node.op, call.node.module, shape(graph)) == ("conv", "stem", (1, 4, 8, 8))
    assert [(t.name, t.role) for t in call.weights] == [("stem.weight", "parameter")]
    assert (graph.name, graph.assumptions) == ("small", ())


def test_reading_imports_no_framework(read_onnx, tmp_path):
    read_onnx([node("Relu", ["x"], ["y"])], IMAGE)
    script = (
        "import sys, latprof.frontends as f; f.read(sys.argv[1]);"
        "heavy = {'torch', 'onnx', 'google', 'pandas'};"
        "print(sorted(heavy & {m.split('.')[0] for m in sys.modules}))"
    )
    words = [sys.executable, "-c", script, str(tmp_path / "small.onnx")]
    assert subprocess.run(words, capture_output=True, text=True, check=True).stdout == "[]\n"


def test_roles_follow_use(read_onnx):
    channels = np.ones(4, np.float32)
    graph = read_onnx(
        [
            node("Conv", ["x", "w"], ["c"]),
            node("BatchNormalization", ["c", "scale", "shift", "mean", "var"], ["b"]),
            node("Mul", ["b", "gamma"], ["m"]),
            node("Add", ["m", "one"], ["y"]),
        ],
        IMAGE,
        initializers={
            "w": WEIGHT, "scale": channels, "shift": channels, "mean": channels, "var": channels,
            "gamma": np.ones((4, 1, 1), np.float32), "one": np.float32(1),
        },
    )  # fmt: skip
    roles = {t.name: t.role for t in graph.tensors.values() if t.is_weight}
    assert roles == {
        "w": "parameter", "scale": "parameter", "shift": "parameter", "mean": "buffer",
        "var": "buffer", "gamma": "parameter", "one": "constant",
    }  # fmt: skip
    assert graph.tensors["one"].values == (1.0,)


def test_a_stored_matrix_makes_a_linear_layer(read_onnx):
    matrix, bias = np.ones((8, 5), np.float32), np.ones(5, np.float32)
    nodes = [node("MatMul", ["x", "fc.weight"], ["p"]), node("Add", ["p", "fc.bias"], ["y"])]
    graph = read_onnx(nodes, {"x": (2, 7, 8)}, initializers={"fc.weight": matrix, "fc.bias": bias})
    (call,) = graph.calls
    assert call.node.op == "linear"
    assert [t.shape for t in call.weights] == [(5, 8), (5,)]
    assert count(graph).macs == 2 * 7 * 8 * 5


@pytest.mark.parametrize("turned", [0, 1])
def test_gemm_is_linear_whichever_way_its_weight_lies(read_onnx, turned):
    matrix = np.ones((5, 8) if turned else (8, 5), np.float32)
    graph = read_onnx(
        [node("Gemm", ["x", "w", "b"], ["y"], transB=turned)],
        {"x": (2, 8)},
        initializers={"w": matrix, "b": np.ones((1, 5), np.float32)},
    )
    assert [[t.shape for t in call.weights] for call in graph.calls] == [[(5, 8), (5,)]]


def test_a_tied_embedding_is_one_tensor(read_onnx):
    table = np.ones((100, 8), np.float32)
    graph = read_onnx(
        [
            node("Gather", ["table", "ids"], ["e"]),
            node("Transpose", ["table"], ["turned"], perm=[1, 0]),
            node("MatMul", ["e", "turned"], ["y"]),
        ],
        {"ids": (1, 6, "int64")},
        initializers={"table": table},
    )
    assert [n.op for n in graph.nodes] == ["embedding", "linear"]
    assert count(graph).params == 800


def test_modules_come_from_the_names_of_torch_and_tensorflow(read_onnx):
    graph = read_onnx(
        [
            node("Relu", ["x"], ["a"], name="/features/features.0/features.0.1/Relu"),
            node("Relu", ["a"], ["b"], name="StatefulPartitionedCall/model/block_1/Relu6"),
            node("Relu", ["b"], ["c"], name="Relu_7"),
            node("Relu", ["c"], ["y"]),
        ],
        IMAGE,
    )
    assert [n.module for n in graph.nodes] == ["features.0.1", "model.block_1", "", ""]
    assert [n.name for n in graph.nodes][2:] == ["Relu_7", "y"]


def test_modules_come_from_the_notes_of_the_dynamo_exporter(read_onnx):
    noted = node("Relu", ["x"], ["y"], name="node_relu")
    entry = noted.metadata_props.add()
    entry.key, entry.value = "pkg.torch.onnx.name_scopes", "['', 'features.0', 'relu']"
    assert read_onnx([noted], IMAGE).nodes[0].module == "features.0"


def test_nodes_may_share_a_name_and_come_in_any_order(read_onnx):
    nodes = [node("Relu", ["a"], ["y"], name="n"), node("Relu", ["x"], ["a"], name="n")]
    assert [n.name for n in read_onnx(nodes, IMAGE).nodes] == ["n", "n_1"]


def test_an_operator_without_a_name_here_is_kept_and_noted(read_onnx):
    nodes = [node("Strange", ["x"], ["y"], domain="mine"), node("Det", ["x"], ["z"])]
    graph = read_onnx(nodes, {"x": (2, 4, 4)}, outputs=("y", "z"))
    assert [n.op for n in graph.nodes] == ["mine.Strange", "onnx.Det"]
    assert any("shaped like what it takes" in said for said in graph.assumptions)
    assert count(graph).unknown_ops == {"mine.Strange": 1, "onnx.Det": 1}


def save_outside(folder, threshold: int) -> None:
    weights = {"w": WEIGHT, "s": np.array([1, -1])}
    graph = helper.make_graph(
        [node("Conv", ["x", "w"], ["c"]), node("Reshape", ["c", "s"], ["y"])],
        "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 3, 8, 8))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    onnx.save(
        helper.make_model(graph), folder / "m.onnx", save_as_external_data=True,
        location="m.data", size_threshold=threshold,
    )  # fmt: skip


def test_weights_outside_the_file_are_not_looked_for(tmp_path):
    save_outside(tmp_path, threshold=100)
    (tmp_path / "m.data").unlink()
    assert shape(onnx_file.read(tmp_path / "m.onnx")) == (1, 144)


def test_numbers_that_steer_shapes_are_read_from_outside(tmp_path):
    save_outside(tmp_path, threshold=0)
    assert shape(onnx_file.read(tmp_path / "m.onnx")) == (1, 144)
    (tmp_path / "m.data").unlink()
    with pytest.raises(UnreadableModel, match=r"'m.data', which is not beside the model"):
        onnx_file.read(tmp_path / "m.onnx")


@pytest.mark.parametrize("place", ["../secret", "/etc/hostname", "link", "", "a\0b"])
def test_nothing_outside_the_folder_is_opened(tmp_path, place):
    home = tmp_path / "model"
    home.mkdir()
    (tmp_path / "secret").write_bytes(b"\1" + bytes(15))
    (home / "link").symlink_to(tmp_path / "secret")
    save_outside(home, threshold=0)
    model = onnx.load(home / "m.onnx", load_external_data=False)
    for entry in model.graph.initializer[1].external_data:
        entry.value = place if entry.key == "location" else "0"
    (home / "m.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(UnreadableModel, match=r"outside the model's folder|cannot read"):
        onnx_file.read(home / "m.onnx")


def test_a_model_of_ten_gigabytes_beside_its_weights_is_read(tmp_path):
    tensor = TensorProto(name="w", data_type=1, dims=[50_000, 50_000], data_location=1)
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "w.bin"
    graph = helper.make_graph(
        [node("MatMul", ["x", "w"], ["y"])], "large",
        [helper.make_tensor_value_info("x", 1, (1, 50_000))],
        [helper.make_tensor_value_info("y", 1, None)], [tensor],
    )  # fmt: skip
    (tmp_path / "large.onnx").write_bytes(helper.make_model(graph).SerializeToString())
    assert count(onnx_file.read(tmp_path / "large.onnx")).weight_bytes == 10_000_000_000


def test_another_batch_is_inferred_through(read_onnx):
    nodes = [node("Conv", ["x", "w"], ["c"]), node("Flatten", ["c"], ["y"])]
    given = [parse_input("4x3x10x10")]
    graph = read_onnx(nodes, IMAGE, initializers={"w": WEIGHT}, given=given)
    assert shape(graph) == (4, 4 * 8 * 8)


def test_a_size_that_the_file_fixes_is_named(read_onnx):
    with pytest.raises(ShapeMismatch, match=r"cannot reshape .* export the model again"):
        read_onnx(
            [node("Reshape", ["x", "s"], ["y"])], IMAGE,
            initializers={"s": np.array([1, 192])}, given=[parse_input("2x3x8x8")],
        )  # fmt: skip


@pytest.mark.parametrize(
    ("nodes", "why"),
    [
        ([node("Add", ["x", "b"], ["a"]), node("Relu", ["a"], ["b"]), node("Relu", ["b"], ["y"])],
         "in a circle, 'Add' among them"),
        ([node("Relu", ["x"], ["y"]), node("Relu", ["x"], ["y"])], "'y' is defined twice"),
        ([node("Relu", ["nothing"], ["y"])], "reads 'nothing'"),
        ([node("Conv", ["x", "x"], ["y"], strides=[0, 0])], "conv"),
        ([node("Transpose", ["x"], ["y"], perm=[0, 0, 0, 0])], "does not order"),
        ([node("Softmax", ["x"], ["y"], axis=9)], "axis 9 of 4 axes"),
        ([node("Softmax", ["x"], ["y"], axis="two")], "'axis' of node .* is of the wrong kind"),
        ([node("MaxPool", ["x"], ["y"])], "lacks its kernel_shape"),
        ([node("Reshape", ["x", "x"], ["y"])], "depend on its data"),
        ([node("Tile", ["x", "big"], ["y"])], "elements"),
        ([node("ConstantOfShape", ["big"], ["c"]), node("Expand", ["x", "c"], ["y"])],
         "not a short list of numbers"),
    ],
)  # fmt: skip
def test_what_cannot_be_a_model_is_refused(read_onnx, nodes, why):
    with pytest.raises((UnreadableModel, ShapeMismatch), match=why):
        read_onnx(nodes, IMAGE, initializers={"big": np.array([2**30, 2**30, 2**20, 2])})


def test_functions_that_multiply_end(read_onnx):
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("mine", 1)]

    def twice(i):
        return [
            node(f"F{i + 1}", ["a"], ["b"], domain="mine"),
            node(f"F{i + 1}", ["b"], ["c"], domain="mine"),
        ]

    functions = [helper.make_function("mine", f"F{i}", ["a"], ["c"], twice(i), opsets)
                 for i in range(30)]  # fmt: skip
    last = helper.make_function("mine", "F30", ["a"], ["c"], [node("Relu", ["a"], ["c"])], opsets)
    with pytest.raises(UnreadableModel, match="100,000 nodes"):
        read_onnx([node("F0", ["x"], ["y"], domain="mine")], IMAGE, functions=[*functions, last])


def test_a_function_that_calls_itself_is_refused(read_onnx):
    body = [node("F", ["a"], ["c"], domain="mine")]
    function = helper.make_function(
        "mine", "F", ["a"], ["c"], body, [helper.make_opsetid("mine", 1)]
    )
    with pytest.raises(UnreadableModel, match="nested over"):
        read_onnx([node("F", ["x"], ["y"], domain="mine")], IMAGE, functions=[function])


@pytest.mark.parametrize(
    "data", [b"\x08\x08\x3a\x00", b"\x08\x08\x3a\x7f", b"\x08\x08" + b"\x3a\x02\x0a\x00" * 9]
)
def test_a_file_without_a_graph_is_refused(tmp_path, data):
    path = tmp_path / "m.onnx"
    path.write_bytes(data)
    with pytest.raises(UnreadableModel, match=r"m\.onnx': it "):
        onnx_file.read(path)
