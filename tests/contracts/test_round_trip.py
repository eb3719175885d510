"""One network through every form it comes in: the same counts, and the same kernels.

Where a form really holds something else, the test says what, and expects just that. ONNX is in
tests/frontends, beside its reader.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from latprof.counting import count
from latprof.frontends import InputSpec, read
from latprof.fusion import FUSIONS, fuse
from latprof.kernel import Kernel
from latprof.zoo import build

DATA = Path(__file__).parents[1] / "data"

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")


@pytest.fixture(
    scope="module",
    params=["mobilenet_v2", "shufflenet_v2_x0_5", "mobilenet_v3_small", "googlenet", "vit_tiny"],
)
def network(request):
    """A network with weights, an input for it, and its graph as captured in memory."""
    reference = f"{request.param}?size=96"
    module, shape = build(reference)
    return module, torch.zeros(shape), read(f"zoo:{reference}")


def save_pt2(module, x, path):
    torch.export.save(torch.export.export(module, (x,)), path)


def save_trace(module, x, path):
    torch.jit.trace(module, x, check_trace=False).save(path)


def save_script(module, x, path):
    torch.jit.script(module).save(path)


@pytest.mark.parametrize("save", [save_pt2, save_trace, save_script])
def test_forms_of_pytorch_hold_one_network(network, save, tmp_path):
    module, x, graph = network
    if save is save_script and "vit" in graph.name:
        pytest.skip("the zoo's vision transformer checks its input in words TorchScript lacks")
    save(module, x, tmp_path / "model")
    again = read(str(tmp_path / "model"), inputs=[InputSpec(tuple(x.shape))])
    assert (count(again).params, count(again).macs) == (count(graph).params, count(graph).macs)
    for runtime in FUSIONS:
        expected = [kernel.signature for kernel in fuse(graph, runtime)]
        assert [kernel.signature for kernel in fuse(again, runtime)] == expected


# What identifies a kernel where norms are folded: everything but its weights and its name.
SHAPE = ("op", "batch", "in_channels", "in_height", "in_width", "out_channels", "out_height",
         "out_width", "kernel_height", "kernel_width", "stride_height", "stride_width", "groups",
         "activation", "residual", "macs")  # fmt: skip
IMAGE = (1, 3, 224, 224)


def told(kernel: Kernel, **changed: object) -> tuple[object, ...]:
    return tuple(changed.get(field, getattr(kernel, field)) for field in SHAPE)


def moved(op: str, batch: int, channels: int, height: int, width: int) -> tuple[object, ...]:
    """A kernel that gives back a map as large as it took."""
    return told(Kernel("", op, batch, channels, height, width, channels, height, width))


def as_converted(kernels: tuple[Kernel, ...]) -> Iterator[tuple[object, ...]]:
    """What litert-torch 0.10.0 makes of a network's kernels, one difference after another."""
    yield moved("copy", *IMAGE)  # the image is turned to channels last
    for k in kernels:
        size = (k.batch, k.in_channels, k.in_height, k.in_width)
        if k.op == "reshape" and k.in_height == k.in_width == 1:
            continue  # the mean before the classifier gives a row at once
        if k.op == "split":  # written as slices
            half = k.in_channels // 2
            yield from [told(k, op="slice", out_channels=half)] * 2
        elif k.op == "channel_shuffle":  # done with the channels in front
            yield from [moved("copy", *size), told(k), moved("copy", *size)]
        elif k.activation == "hard_sigmoid":  # relu6(x + 3) / 6, the 3 in the bias
            yield told(k, activation="relu6")
            yield moved("mul", k.batch, k.out_channels, k.out_height, k.out_width)
        elif k.op == "max_pool" and k.kernel_height == 3:  # padded apart, with the lowest number
            wide = {"in_height": k.in_height + 2, "in_width": k.in_width + 2}
            if k.layout == "blocked":
                yield moved("reorder_output", *size)
                yield moved("reorder_input", k.batch, k.in_channels, *wide.values())
            one = dict.fromkeys(
                ("kernel_height", "kernel_width", "stride_height", "stride_width"), 1
            )
            edge = {"out_height": wide["in_height"], "out_width": wide["in_width"]}
            pad = told(k, op="pad", **one, **edge)
            yield from [pad, told(k, **wide)]
        else:
            yield told(k)


@pytest.mark.parametrize(
    "name",
    ["mobilenet_v2", "mobilenet_v3_large", "efficientnet_b0", "resnet18", "shufflenet_v2_x1_0"],
)
def test_a_tflite_file_launches_the_same_kernels_but_for_what_it_holds_otherwise(name, zoo_graph):
    converted = read(str(DATA / "tflite" / f"{name}.tflite"))
    assert count(converted).macs == count(zoo_graph(name)).macs
    expected = Counter(as_converted(fuse(zoo_graph(name), "onnxruntime")))
    assert Counter(told(kernel) for kernel in fuse(converted, "onnxruntime")) == expected
