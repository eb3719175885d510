"""EfficientNet, EfficientNet-Lite and EfficientNetV2."""

from latprof.zoo.registry import ZooEntry, register

register(
    ZooEntry(
        name="efficientnet_b0",
        factory="latprof.zoo.efficientnet:efficientnet",
        family="EfficientNet",
        paper="Tan & Le 2019, arXiv:1905.11946",
        params=5_288_548,
        macs=385_814_752,
        compared="paper, table 2: 5.3 M, 0.39 G; timm 1.0.31; torchvision 0.28.0",
    )
)

# Width, depth and image size are those of the authors' code. The paper's MACs of B4, B5 and B7 are
# 2 to 4 % fewer than those of its networks at these sizes, and it does not say why.
_SCALED = (
    ("b1", 1.0, 1.1, 240, 7_794_184, 686_802_832, "7.8 M, 0.70 G"),
    ("b2", 1.1, 1.2, 260, 9_109_994, 993_561_872, "9.2 M, 1.0 G"),
    ("b3", 1.2, 1.4, 300, 12_233_232, 1_827_141_392, "12 M, 1.8 G"),
    ("b4", 1.4, 1.8, 380, 19_341_616, 4_393_771_024, "19 M, 4.2 G"),
    ("b5", 1.6, 2.2, 456, 30_389_784, 10_266_384_752, "30 M, 9.9 G"),
    ("b6", 1.8, 2.6, 528, 43_040_704, 19_067_593_536, "43 M, 19 G"),
    ("b7", 2.0, 3.1, 600, 66_347_960, 37_745_884_192, "66 M, 37 G"),
)
for name, width, depth, size, params, macs, published in _SCALED:
    register(
        ZooEntry(
            name=f"efficientnet_{name}",
            factory="latprof.zoo.efficientnet:efficientnet",
            arguments={"width_multiplier": width, "depth_multiplier": depth},
            family="EfficientNet",
            paper="Tan & Le 2019, arXiv:1905.11946",
            input_shape=(1, 3, size, size),
            params=params,
            macs=macs,
            compared=f"paper, table 2: {published}; timm 1.0.31 tf_efficientnet_{name}; "
            "torchvision 0.28.0",
        )
    )

# Lite3 and Lite4 have smaller images than B3 and B4: 280 and 300 in the authors' code, where timm
# has 300 and 380. The authors' MACs are 3 to 6 % more than those of the convolutions and the linear
# layer, and they do not say what else they count.
_LITE = (
    ("lite0", 1.0, 1.0, 224, 4_652_008, 385_187_552, "4.7 M, 407 M"),
    ("lite1", 1.0, 1.1, 240, 5_416_680, 600_185_232, "5.4 M, 631 M"),
    ("lite2", 1.1, 1.2, 260, 6_092_072, 859_736_272, "6.1 M, 899 M"),
    ("lite3", 1.2, 1.4, 280, 8_197_096, 1_383_321_872, "8.2 M, 1.44 G"),
    ("lite4", 1.4, 1.8, 300, 13_006_568, 2_553_034_336, "13.0 M, 2.64 G"),
)
for name, width, depth, size, params, macs, published in _LITE:
    register(
        ZooEntry(
            name=f"efficientnet_{name}",
            factory="latprof.zoo.efficientnet:efficientnet_lite",
            arguments={"width_multiplier": width, "depth_multiplier": depth},
            family="EfficientNet-Lite",
            paper="Tan & Le 2019, arXiv:1905.11946; Lite: github.com/tensorflow/tpu",
            input_shape=(1, 3, size, size),
            params=params,
            macs=macs,
            compared=f"authors' README: {published}; timm 1.0.31 tf_efficientnet_{name} at {size}",
        )
    )

register(
    ZooEntry(
        name="efficientnet_v2_s",
        factory="latprof.zoo.efficientnet_v2:efficientnet_v2_s",
        family="EfficientNetV2",
        paper="Tan & Le 2021, arXiv:2104.00298",
        input_shape=(1, 3, 384, 384),
        params=21_458_488,
        macs=8_365_617_152,
        compared="timm 1.0.31 tf_efficientnetv2_s at 384; torchvision 0.28.0; the paper's table 7 "
        "has 22 M, 8.8 G and does not say what else it counts",
    )
)
