"""Xception."""

from latprof.zoo.registry import ZooEntry, register

register(
    ZooEntry(
        name="xception",
        factory="latprof.zoo.xception:xception",
        family="Xception",
        paper="Chollet 2016, arXiv:1610.02357",
        input_shape=(1, 3, 299, 299),
        params=22_855_952,
        macs=8_357_403_496,
        compared="paper, table 3: 22,855,952; timm 1.0.31 legacy_xception; pytorchcv 0.0.74",
    )
)
