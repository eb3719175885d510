"""MobileNet V1 to V4."""

from latprof.zoo.registry import ZooEntry, register

register(
    ZooEntry(
        name="mobilenet_v1",
        factory="latprof.zoo.mobilenet_v1:mobilenet_v1",
        family="MobileNetV1",
        paper="Howard et al. 2017, arXiv:1704.04861",
        params=4_231_976,
        macs=568_740_352,
        compared="paper, table 8: 4.2 M, 569 M; timm 1.0.31 mobilenetv1_100",
    )
)
register(
    ZooEntry(
        name="mobilenet_v2",
        factory="latprof.zoo.mobilenet_v2:mobilenet_v2",
        family="MobileNetV2",
        paper="Sandler et al. 2018, arXiv:1801.04381",
        params=3_504_872,
        macs=300_774_272,
        compared="paper, table 4: 3.4 M, 300 M; timm 1.0.31; torchvision 0.28.0",
    )
)
register(
    ZooEntry(
        name="mobilenet_v3_small",
        factory="latprof.zoo.mobilenet_v3:mobilenet_v3_small",
        family="MobileNetV3",
        paper="Howard et al. 2019, arXiv:1905.02244",
        params=2_542_856,
        macs=56_510_400,
        compared="paper, table 3: 2.5 M, 56 M (its first version: 2.9 M, 66 M); timm 1.0.31; "
        "torchvision 0.28.0",
    )
)
register(
    ZooEntry(
        name="mobilenet_v3_large",
        factory="latprof.zoo.mobilenet_v3:mobilenet_v3_large",
        family="MobileNetV3",
        paper="Howard et al. 2019, arXiv:1905.02244",
        params=5_483_032,
        macs=216_589_760,
        compared="paper, table 3: 5.4 M, 219 M; timm 1.0.31; torchvision 0.28.0",
    )
)

# Sizes are those of the paper's tables of layers. Its counts are ours to the last digit shown if,
# for all but Conv-S, its M is 2^20 and its G is 2^30 and norms are folded into convolutions: Conv-M
# has 9.2 x 2^20 weights and biases then, and 9.7 M parameters before.
_MOBILENET_V4 = (
    ("conv_small", 224, 3_774_024, 186_005_568, "3.8 M, 0.2 G"),
    ("conv_medium", 256, 9_715_512, 1_080_244_224, "9.2 M, 1.0 G"),
    ("conv_large", 384, 32_590_864, 6_376_220_672, "31 M, 5.9 G"),
    ("hybrid_medium", 256, 11_074_648, 1_271_183_360, "10.5 M, 1.2 G"),
    ("hybrid_large", 384, 37_764_624, 7_711_877_120, "35.9 M, 7.2 G"),
)
for variant, size, params, macs, published in _MOBILENET_V4:
    binary = "" if variant == "conv_small" else " (of 2^20 and 2^30, norms folded)"
    register(
        ZooEntry(
            name=f"mobilenet_v4_{variant}",
            factory=f"latprof.zoo.mobilenet_v4:mobilenet_v4_{variant}",
            family="MobileNetV4",
            paper="Qin et al. 2024, arXiv:2404.10518",
            input_shape=(1, 3, size, size),
            params=params,
            macs=macs,
            compared=f"paper, results on ImageNet-1K: {published}{binary}; timm 1.0.31",
        )
    )
