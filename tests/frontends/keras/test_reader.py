import json
import subprocess
import sys
import zipfile

import pytest

from latprof import frontends
from latprof.counting import count
from latprof.errors import CaptureFailed, NoGraph, ShapeMismatch, UnreadableModel
from latprof.frontends.inputs import parse_input
from latprof.frontends.keras.reader import read


@pytest.fixture
def light(describe):
    """224×224×3 → depthwise 3×3 stride 2 → norm → ReLU → pointwise 64 → mean → 1000 classes."""
    d = describe
    return d.sequential(
        d.image(224, 224, 3),
        d.layer("DepthwiseConv2D", "depthwise", kernel_size=[3, 3], strides=[2, 2],
                padding="same", depth_multiplier=1, use_bias=True),
        d.layer("BatchNormalization", "norm", axis=-1, epsilon=0.001),
        d.layer("ReLU", "relu"),
        d.layer("Conv2D", "pointwise", filters=64, kernel_size=[1, 1], padding="valid"),
        d.layer("GlobalAveragePooling2D", "pool"),
        d.layer("Dense", "classes", units=1000, activation="softmax"),
    )  # fmt: skip


def test_the_light_model_counts_as_by_hand(graph_of, light):
    facts = count(graph_of(light))
    # 3·3·3 + 3, then 3 + 3 of the norm (its statistics are no params), 3·64 + 64, 64·1000 + 1000
    assert facts.params == 30 + 6 + 256 + 65_000
    # 112² pixels times 3·9, 112² pixels times 3·64, 64·1000
    assert facts.macs == 112 * 112 * 27 + 112 * 112 * 192 + 64_000
    assert facts.inputs == ((1, 3, 224, 224),)
    assert not facts.unknown_ops


def test_the_light_model_has_channels_second_all_through(graph_of, light):
    graph = graph_of(light)
    assert [(node.op, graph.tensors[node.outputs[0]].shape) for node in graph.nodes] == [
        ("conv", (1, 3, 112, 112)),
        ("batch_norm", (1, 3, 112, 112)),
        ("relu", (1, 3, 112, 112)),
        ("conv", (1, 64, 112, 112)),
        ("adaptive_avg_pool", (1, 64, 1, 1)),
        ("reshape", (1, 64)),
        ("linear", (1, 1000)),
        ("softmax", (1, 1000)),
    ]
    assert graph.nodes[0].attributes["padding"] == ((0, 1), (0, 1))  # the odd pixel goes behind


def test_weights_are_named_like_the_variables_of_keras(graph_of, light):
    graph = graph_of(light)
    assert graph.tensors["depthwise/kernel"].shape == (3, 1, 3, 3)
    assert graph.tensors["norm/moving_mean"].role == "buffer"
    assert graph.tensors["classes/bias"].role == "parameter"
    assert graph.nodes[3].module == "pointwise"


def test_neither_keras_nor_torch_is_imported_and_weights_are_not_opened(save, light):
    path = save(light)
    code = (
        "import sys\nfrom latprof.frontends import read\n"
        f"assert read({str(path)!r}).nodes\n"
        "assert not {'torch', 'keras', 'h5py', 'numpy', 'tensorflow'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_archive_is_told_by_its_members(save, light):
    assert frontends.read(str(save(light, name="model.bin"))).name == "model"


@pytest.mark.parametrize("said", ["1x3x64x32", "1x64x32x3", "image=1x3x64x32"])
def test_open_sizes_are_given_in_either_order(graph_of, describe, said):
    model = describe.sequential(
        describe.image(None, None, 3), describe.layer("Conv2D", filters=4, kernel_size=3)
    )
    graph = graph_of(model, inputs=[parse_input(said)])
    assert graph.tensors[graph.outputs[0]].shape == (1, 4, 62, 30)


def test_open_sizes_of_a_picture_are_assumed_and_said(graph_of, describe):
    model = describe.sequential(
        describe.image(None, None, 3), describe.layer("Conv2D", filters=4, kernel_size=3)
    )
    graph = graph_of(model)
    assert graph.tensors["image"].shape == (1, 3, 224, 224)
    assert any("leaves its height and width open" in said for said in graph.assumptions)
    assert any("batch of input 'image' is taken to be 1" in said for said in graph.assumptions)


def test_several_inputs_are_told_apart_by_name(graph_of, describe):
    d = describe
    layers = [
        d.called(d.image(None, 8, name="left")),
        d.called(d.image(None, 8, name="right")),
        d.called(d.layer("Concatenate", "both", axis=1), [[d.tensor("left"), d.tensor("right")]]),
    ]
    model = d.functional(layers, [["left", 0, 0], ["right", 0, 0]], ["both", 0, 0])
    given = [parse_input("right=2x3x8"), parse_input("left=2x5x8")]
    graph = graph_of(model, inputs=given)
    assert graph.tensors["both"].shape == (2, 8, 8)
    with pytest.raises(ShapeMismatch, match="'middle'; the file has 'left', 'right'"):
        graph_of(model, inputs=[parse_input("middle=1x5x8")])


def test_a_sequence_of_open_length_must_be_said(graph_of, describe):
    model = describe.sequential(describe.image(None, 8), describe.layer("LSTM", units=4))
    with pytest.raises(CaptureFailed, match="--input image=1x64x8"):
        graph_of(model)


def test_fixed_sizes_cannot_be_given_otherwise(graph_of, light):
    with pytest.raises(ShapeMismatch, match=r"the file has \?x224x224x3 for its input 'image'"):
        graph_of(light, inputs=[parse_input("1x3x160x160")])


def test_a_larger_batch_is_taken(graph_of, light):
    graph = graph_of(light, inputs=[parse_input("8x3x224x224")])
    assert graph.tensors[graph.outputs[0]].shape == (8, 1000)


def test_a_subclassed_model_has_no_graph(graph_of):
    model = {"module": None, "class_name": "MyNet", "config": {"width": 3},
             "registered_name": "Custom>MyNet"}  # fmt: skip
    with pytest.raises(NoGraph, match="'MyNet': its network is Python code"):
        graph_of(model)


@pytest.mark.parametrize("trust", [False, True])
def test_the_code_of_a_lambda_is_never_run(graph_of, describe, trust):
    lambda_ = {"class_name": "__lambda__", "config": {"code": "4wEAAAA=", "defaults": None}}
    model = describe.sequential(
        describe.image(8, 8, 3),
        describe.layer("Lambda", "twice", function=lambda_),
        describe.layer("Conv2D", filters=4, kernel_size=3),
    )
    graph = graph_of(model, trust=trust)
    assert count(graph).unknown_ops == {"keras.Lambda": 1}
    assert any(
        "'twice' is a Lambda layer: its Python code is not run" in s for s in graph.assumptions
    )


def test_a_class_of_the_users_own_is_unknown_even_under_the_name_of_kerass(graph_of, describe):
    mine = describe.layer("Dense", "mine", units=5) | {"registered_name": "Custom>Dense"}
    graph = graph_of(describe.sequential(describe.image(8, name="x"), mine))
    assert count(graph).unknown_ops == {"keras.Dense": 1}
    assert any("neither its work nor its weights are counted" in said for said in graph.assumptions)


def test_a_custom_layer_gives_what_the_file_says(graph_of, describe):
    d = describe
    mine = d.layer("Mine") | {"module": "my.package", "registered_name": "Custom>Mine"}
    layers = [
        d.called(d.image(8, name="x")),
        d.called(mine, [d.tensor("x", shape=(None, 8))]),
        d.called(d.layer("Dense", units=2), [d.tensor("mine", shape=(None, 5))]),
    ]
    graph = graph_of(d.functional(layers, ["x", 0, 0], ["dense", 0, 0]))
    assert graph.tensors["mine"].shape == (1, 5)
    assert graph.tensors["dense/kernel"].shape == (2, 5)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ("{", "JSON of 'config.json'"),
        ("[" * 100_000, "nested too deeply"),
        ("[]", "expected the description of a layer"),
        ('{"class_name": 3, "config": {}}', "class_name should be a name"),
        (" " * (8 * 2**20 + 1), "longer than 8 MiB"),
    ],
)
def test_a_broken_configuration_is_refused(save, config, said):
    with pytest.raises(UnreadableModel, match=said):
        read(save(config))


def test_a_missing_member_is_named(tmp_path):
    path = tmp_path / "model.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps({}))
    with pytest.raises(UnreadableModel, match=r"holds no metadata.json. Save the model again"):
        read(path)


def test_forged_numbers_are_refused_with_the_layer_that_has_them(graph_of, describe):
    model = describe.sequential(describe.image(8, name="x"), describe.layer("Dense", units=2**60))
    with pytest.raises(UnreadableModel, match=r"layer 'dense' \(Dense\): units should be a whole"):
        graph_of(model)


def test_networks_that_double_at_every_level_end(graph_of, describe):
    d = describe
    inner = d.layer("Dense", "n", units=8)
    for _ in range(20):  # each level calls the one below twice: a million calls
        inner = d.called(inner, [d.tensor("x")], [d.tensor("n")])
        inner = d.functional([d.called(d.image(8, name="x")), inner], ["x", 0, 0], ["n", 1, 0], "n")
    with pytest.raises(UnreadableModel, match="more than 10000 calls"):
        graph_of(inner)
