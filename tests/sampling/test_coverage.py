"""What people bring lies inside what is sampled: for each, a sampled kernel of like sizes."""

from __future__ import annotations

import math

import pytest

from latprof.fusion import fuse
from latprof.sampling import draw_network

NETWORKS = 1500  # as many as five minutes take
# How far a size may be from the nearest sampled kernel's, in octaves.
BOUND = 1.0


@pytest.fixture(scope="module")
def sampled():
    """Kernels of operators that real networks are made of, as eager launches them, by operator."""
    found = {}
    for number in range(NETWORKS):
        for kernel in fuse(draw_network(0, number), "torch-eager"):
            if kernel.macs:
                found.setdefault(kernel.op, {})[kernel.signature] = kernel
    return {op: list(kernels.values()) for op, kernels in found.items()}


def octaves(kernel, wanted):
    return max(abs(math.log2(getattr(kernel, name) / size)) for name, size in wanted.items())


def conv(inner, outer, size, kernel, *, batch=1, groups=1, stride=1):
    return {
        "batch": batch, "in_channels": inner, "out_channels": outer, "in_height": size,
        "out_height": size // stride, "kernel_height": kernel, "kernel_width": kernel,
        "groups": groups, "stride_height": stride,
    }  # fmt: skip


def product(rows, inner, columns):
    return {"out_height": rows, "in_channels": inner, "out_channels": columns}


@pytest.mark.parametrize(
    ("op", "wanted"),
    [
        pytest.param("linear", product(1, 25088, 4096), id="first of VGG-16's classifier"),
        pytest.param("linear", product(1, 4096, 4096), id="second of VGG-16's classifier"),
        pytest.param("linear", product(197, 192, 768), id="MLP of ViT-Tiny"),
        pytest.param("linear", product(197, 768, 3072), id="MLP of ViT-Base"),
        pytest.param("linear", product(197, 768, 2304), id="queries, keys, values of ViT-Base"),
        pytest.param("linear", product(50, 768, 768), id="projection of ViT-Base/32"),
        pytest.param("linear", product(32, 2048, 1000), id="classifier of ResNet-50, batch 32"),
        pytest.param("depthwise", conv(96, 96, 56, 7, groups=96), id="ConvNeXt-T, stage 1"),
        pytest.param("depthwise", conv(384, 384, 14, 7, groups=384), id="ConvNeXt-T, stage 3"),
        pytest.param("depthwise", conv(768, 768, 7, 7, groups=768), id="ConvNeXt-T, stage 4"),
        pytest.param("depthwise", conv(200, 200, 14, 9, groups=200), id="MixNet, 9×9"),
        pytest.param("depthwise", conv(120, 120, 14, 11, groups=120), id="MixNet, 11×11"),
        pytest.param("grouped", conv(256, 256, 28, 3, groups=32), id="ResNeXt-50, stage 2"),
        pytest.param("grouped", conv(512, 512, 14, 3, groups=64), id="64 groups"),
        pytest.param("pointwise", conv(960, 1280, 1, 1), id="head of MobileNetV3, 1×1 on 1×1"),
        pytest.param("pointwise", conv(96, 24, 56, 1, batch=8), id="MobileNetV2, batch 8"),
        pytest.param("depthwise", conv(144, 144, 14, 3, groups=144, batch=32), id="batch 32"),
        pytest.param("conv", conv(64, 64, 28, 3, batch=16), id="3×3, batch 16"),
        pytest.param("conv", conv(3, 64, 224, 7, stride=2), id="stem of ResNet"),
        pytest.param("conv", conv(3, 384, 224, 16, stride=16), id="patches of ViT-Small"),
        pytest.param("conv", conv(512, 512, 14, 3), id="VGG-16, stage 5"),
    ],
)
def test_it_has_a_sampled_neighbour(op, wanted, sampled):
    assert min(octaves(kernel, wanted) for kernel in sampled[op]) <= BOUND
