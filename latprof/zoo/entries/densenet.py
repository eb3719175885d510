"""DenseNet."""

from latprof.zoo.registry import ZooEntry, register

register(
    ZooEntry(
        name="densenet121",
        factory="latprof.zoo.densenet:densenet121",
        family="DenseNet",
        paper="Huang et al. 2016, arXiv:1608.06993",
        params=7_978_856,
        macs=2_834_161_664,
        compared="timm 1.0.31; torchvision 0.28.0; pytorchcv 0.0.74",
    )
)
