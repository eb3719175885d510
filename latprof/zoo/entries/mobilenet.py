"""MobileNet V1 to V3."""

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
