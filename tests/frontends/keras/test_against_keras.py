"""What Keras itself says of a model: the same weights, by name, and the same arithmetic."""

import json
import math
import zipfile
from pathlib import Path

import pytest

from latprof.counting import count
from latprof.frontends import read
from latprof.frontends.inputs import parse_input

DATA = Path(__file__).parents[2] / "data" / "keras"

# MACs of one picture of the size in the second column: those of keras.applications on PyTorch's
# FlopCounterMode, halved (Keras 3.15.1, PyTorch 2.13). The two MobileNetV3, which leave the size
# open, were not run: theirs are the counts of the same networks in the zoo.
APPLICATIONS = {
    "MobileNet": ("", 568_740_352),
    "MobileNetV2": ("", 300_774_272),
    "MobileNetV3Small": ("1x3x224x224", 56_510_400),
    "MobileNetV3Large": ("1x3x224x224", 216_589_760),
    "EfficientNetB0": ("", 385_814_752),
    "EfficientNetV2B0": ("", 718_086_176),
    "Xception": ("", 8_357_403_496),
    "InceptionV3": ("", 5_713_216_096),
    "ResNet50": ("", 3_857_973_248),  # the stride stands in the 1×1 convolution, as in v1
    "DenseNet121": ("", 2_834_161_664),
    "VGG16": ("", 15_470_264_320),
    "ConvNeXtTiny": ("", 4_455_531_264),
}


def save_without_weights(keras, model, path):
    """What ``model.save`` writes, but for the weights: some are half a gigabyte."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": keras.__version__}))
        config = keras.saving.serialize_keras_object(model)
        archive.writestr("config.json", json.dumps(config))


@pytest.fixture(scope="module")
def keras(tmp_path_factory):
    """Keras on PyTorch, with a home that is not the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KERAS_BACKEND", "torch")
        patch.setenv("KERAS_HOME", str(tmp_path_factory.mktemp("keras")))
        yield pytest.importorskip("keras")


def sizes(graph, role):
    return {t.name: t.elements for t in graph.tensors.values() if t.role == role}


@pytest.mark.parametrize("name", APPLICATIONS)
def test_an_application_has_the_weights_and_macs_of_keras(keras, tmp_path, name):
    model = getattr(keras.applications, name)(weights=None)
    path = tmp_path / f"{name}.keras"
    save_without_weights(keras, model, path)
    shape, macs = APPLICATIONS[name]
    graph = read(str(path), inputs=[parse_input(shape)] if shape else [])
    params, buffers = sizes(graph, "parameter"), sizes(graph, "buffer")
    trainable = sum(math.prod(weight.shape) for weight in model.trainable_weights)
    assert sum(params.values()) == trainable
    assert sum(params.values()) + sum(buffers.values()) == model.count_params()
    held = {weight.path: math.prod(weight.shape) for weight in model.weights}
    named = {path: n for path, n in held.items() if "/variable" not in path}
    assert named.items() <= (params | buffers).items()
    assert count(graph).macs == macs
    assert not count(graph).unknown_ops
    assert all("is taken to be 1" in said for said in graph.assumptions)


def test_gates_that_keras_spells_out_are_one_operator(keras, tmp_path, zoo_graph):
    path = tmp_path / "MobileNetV3Small.keras"
    save_without_weights(keras, keras.applications.MobileNetV3Small(weights=None), path)
    found = [node.op for node in read(str(path), inputs=[parse_input("1x3x224x224")]).nodes]
    there = [node.op for node in zoo_graph("mobilenet_v3_small").nodes]
    for op in ("hard_sigmoid", "hard_swish", "relu"):
        assert found.count(op) == there.count(op) > 0
    assert "relu6" not in found


@pytest.mark.parametrize("name", ["light", "mixed"])
def test_a_saved_archive_is_read_as_keras_loads_it(keras, name):
    path = DATA / f"{name}.keras"
    model = keras.models.load_model(path)
    given = [parse_input("tokens=1x6:int32")] if name == "mixed" else []
    graph = read(str(path), inputs=given)
    stored = sum((sizes(graph, "parameter") | sizes(graph, "buffer")).values())
    assert stored == model.count_params()
    assert not count(graph).unknown_ops
    assert not any("by the file" in said for said in graph.assumptions)
    wanted = [tuple(out.shape) for out in model.outputs]
    found = [graph.tensors[out].shape for out in graph.outputs]
    assert [shape[1:] for shape in found] == [shape[1:] for shape in wanted]


def test_the_committed_archives_are_read_without_keras():
    light, mixed = (DATA / f"{name}.keras" for name in ("light", "mixed"))
    # 16² pixels of 3·9 and of 3·8, then 8·10
    assert count(read(str(light))).macs == 256 * 27 + 256 * 24 + 80
    graph = read(str(mixed), inputs=[parse_input("tokens=1x6:int32")])
    ops = [node.op for node in graph.nodes]
    assert ops.count("attention") == 2  # the block is called twice, and its weights are held once
    assert [name for name in graph.tensors if name.endswith("query/kernel")] == [
        "block/heads/query/kernel"
    ]
    assert ops.count("channel_shuffle") == 1
