"""SqueezeNet."""

from latprof.zoo.registry import ZooEntry, register

register(
    ZooEntry(
        name="squeezenet1_0",
        factory="latprof.zoo.squeezenet:squeezenet1_0",
        family="SqueezeNet",
        paper="Iandola et al. 2016, arXiv:1602.07360",
        params=1_248_424,
        macs=818_924_576,
        compared="paper, table 1: 1,248,424; torchvision 0.28.0; pytorchcv 0.0.74 squeezenet_v1_0",
    )
)
register(
    ZooEntry(
        name="squeezenet1_1",
        factory="latprof.zoo.squeezenet:squeezenet1_1",
        family="SqueezeNet",
        paper="Iandola et al. 2016, arXiv:1602.07360; v1.1: the authors' repository",
        params=1_235_496,
        macs=349_151_936,
        compared="torchvision 0.28.0; pytorchcv 0.0.74 squeezenet_v1_1",
    )
)
