"""EfficientNet."""

from latprof.zoo.registry import ZooEntry, register

register(
    ZooEntry(
        name="efficientnet_b0",
        factory="latprof.zoo.efficientnet:efficientnet_b0",
        family="EfficientNet",
        paper="Tan & Le 2019, arXiv:1905.11946",
        params=5_288_548,
        macs=385_814_752,
        compared="paper, table 2: 5.3 M, 0.39 G; timm 1.0.31; torchvision 0.28.0",
    )
)
