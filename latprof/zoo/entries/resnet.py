"""ResNet, ResNeXt and SE-ResNet."""

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
        name="resnet34",
        factory="latprof.zoo.resnet:resnet34",
        family="ResNet",
        paper="He et al. 2015, arXiv:1512.03385",
        params=21_797_672,
        macs=3_663_761_408,
        compared="timm 1.0.31; torchvision 0.28.0; paper, table 1: 3.6 G",
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
register(
    ZooEntry(
        name="resnet101",
        factory="latprof.zoo.resnet:resnet101",
        family="ResNet",
        paper="He et al. 2015, arXiv:1512.03385; v1.5: Goyal et al. 2017, arXiv:1706.02677",
        params=44_549_160,
        macs=7_801_405_440,
        compared="timm 1.0.31; torchvision 0.28.0; the paper's 7.6 G is v1's stride placement",
    )
)
register(
    ZooEntry(
        name="resnet152",
        factory="latprof.zoo.resnet:resnet152",
        family="ResNet",
        paper="He et al. 2015, arXiv:1512.03385; v1.5: Goyal et al. 2017, arXiv:1706.02677",
        params=60_192_808,
        macs=11_513_626_624,
        compared="timm 1.0.31; torchvision 0.28.0; the paper's 11.3 G is v1's stride placement",
    )
)
register(
    ZooEntry(
        name="resnext50_32x4d",
        factory="latprof.zoo.resnet:resnext50_32x4d",
        family="ResNeXt",
        paper="Xie et al. 2016, arXiv:1611.05431",
        params=25_028_904,
        macs=4_230_479_872,
        compared="paper, table 1: 25.0 M, 4.2 G; timm 1.0.31; torchvision 0.28.0; pytorchcv 0.0.74",
    )
)
register(
    ZooEntry(
        name="se_resnet50",
        factory="latprof.zoo.resnet:se_resnet50",
        family="SE-ResNet",
        paper="Hu et al. 2017, arXiv:1709.01507",
        params=28_088_024,
        macs=4_091_699_200,
        compared="timm 1.0.31 seresnet50; pytorchcv 0.0.74 seresnet50b; the paper's 3.87 G is "
        "v1's stride placement",
    )
)
