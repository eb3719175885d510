"""Inception v1, v3 and v4."""

from latprof.zoo.registry import ZooEntry, register

register(
    ZooEntry(
        name="inception_v1",
        factory="latprof.zoo.inception_v1:inception_v1",
        family="Inception",
        paper="Szegedy et al. 2014, arXiv:1409.4842",
        params=6_998_552,
        macs=1_582_671_872,
        compared="paper, table 1, row by row (its first convolution was factored); "
        "Caffe's bvlc_googlenet: 6,998,552",
    )
)
register(
    ZooEntry(
        name="googlenet",
        factory="latprof.zoo.inception_v1:inception_v1",
        arguments={"batch_norm": True, "largest_kernel_size": 3},
        family="Inception",
        paper="Szegedy et al. 2014, arXiv:1409.4842",
        params=6_624_904,
        macs=1_498_376_192,
        compared="torchvision 0.28.0, whose norms and 3x3 in place of 5x5 are not the paper's",
    )
)
register(
    ZooEntry(
        name="inception_v3",
        factory="latprof.zoo.inception_v3:inception_v3",
        family="Inception",
        paper="Szegedy et al. 2015, arXiv:1512.00567",
        input_shape=(1, 3, 299, 299),
        params=23_834_568,
        macs=5_713_216_096,
        compared="paper, abstract: under 25 M, 5 G; timm 1.0.31; torchvision 0.28.0; "
        "pytorchcv 0.0.74",
    )
)
register(
    ZooEntry(
        name="inception_v4",
        factory="latprof.zoo.inception_v4:inception_v4",
        family="Inception",
        paper="Szegedy et al. 2016, arXiv:1602.07261",
        input_shape=(1, 3, 299, 299),
        params=42_679_816,
        macs=12_253_974_624,
        compared="timm 1.0.31; pytorchcv 0.0.74",
    )
)
