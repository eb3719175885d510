"""MnasNet."""

from latprof.zoo.registry import ZooEntry, register

register(
    ZooEntry(
        name="mnasnet_a1",
        factory="latprof.zoo.mnasnet:mnasnet_a1",
        family="MnasNet",
        paper="Tan et al. 2018, arXiv:1807.11626",
        params=3_887_038,
        macs=311_579_072,
        compared="paper, table 1: 3.9 M, 312 M; timm 1.0.31 semnasnet_100; pytorchcv 0.0.74",
    )
)
register(
    ZooEntry(
        name="mnasnet_b1",
        factory="latprof.zoo.mnasnet:mnasnet_b1",
        family="MnasNet",
        paper="Tan et al. 2018, arXiv:1807.11626",
        params=4_383_312,
        macs=314_415_872,
        compared="timm 1.0.31 mnasnet_100; torchvision 0.28.0 mnasnet1_0; pytorchcv 0.0.74",
    )
)
