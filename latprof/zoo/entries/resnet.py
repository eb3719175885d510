"""ResNet."""

from latprof.zoo.registry import ZooEntry, register

register(
    ZooEntry(
        name="resnet18",
        factory="latprof.zoo.resnet:resnet18",
        family="ResNet",
        paper="He et al. 2015, arXiv:1512.03385",
        params=11_689_512,
        macs=1_814_073_344,
        compared="paper, table 1: 1.8 G; timm 1.0.31; torchvision 0.28.0",
    )
)
register(
    ZooEntry(
        name="resnet50",
        factory="latprof.zoo.resnet:resnet50",
        family="ResNet",
        paper="He et al. 2015, arXiv:1512.03385; v1.5: Goyal et al. 2017, arXiv:1706.02677",
        params=25_557_032,
        macs=4_089_184_256,
        compared="timm 1.0.31; torchvision 0.28.0; the paper's 3.8 G is v1's stride placement",
    )
)
