"""Blocks: the convolutions and modules by themselves."""

from latprof.zoo.registry import ZooEntry, register

register(
    ZooEntry(
        name="block/standard",
        factory="latprof.zoo.blocks.convolutions:standard",
        family="Blocks",
        paper="Howard et al. 2017, arXiv:1704.04861",
        input_shape=(1, 64, 56, 56),
        params=36_992,
        macs=115_605_504,
        compared="by hand: 3·3·64·64·56² MACs",
        kind="block",
    )
)
register(
    ZooEntry(
        name="block/depthwise",
        factory="latprof.zoo.blocks.convolutions:depthwise",
        family="Blocks",
        paper="Howard et al. 2017, arXiv:1704.04861",
        input_shape=(1, 64, 56, 56),
        params=704,
        macs=1_806_336,
        compared="by hand: 3·3·64·56² MACs",
        kind="block",
    )
)
register(
    ZooEntry(
        name="block/pointwise",
        factory="latprof.zoo.blocks.convolutions:pointwise",
        family="Blocks",
        paper="Lin et al. 2013, arXiv:1312.4400",
        input_shape=(1, 64, 56, 56),
        params=4_224,
        macs=12_845_056,
        compared="by hand: 64·64·56² MACs",
        kind="block",
    )
)
register(
    ZooEntry(
        name="block/separable",
        factory="latprof.zoo.blocks.convolutions:separable",
        family="Blocks",
        paper="Howard et al. 2017, arXiv:1704.04861",
        input_shape=(1, 64, 56, 56),
        params=4_928,
        macs=14_651_392,
        compared="by hand: (3·3·64 + 64·64)·56² MACs",
        kind="block",
    )
)
register(
    ZooEntry(
        name="block/grouped",
        factory="latprof.zoo.blocks.convolutions:grouped",
        family="Blocks",
        paper="Xie et al. 2016, arXiv:1611.05431",
        input_shape=(1, 64, 56, 56),
        params=9_344,
        macs=28_901_376,
        compared="by hand: 3·3·64·64·56² / 4 MACs",
        kind="block",
    )
)
register(
    ZooEntry(
        name="block/grouped_shuffle",
        factory="latprof.zoo.blocks.convolutions:grouped_shuffle",
        family="Blocks",
        paper="Zhang et al. 2017, arXiv:1707.01083",
        input_shape=(1, 64, 56, 56),
        params=9_344,
        macs=28_901_376,
        compared="by hand: 3·3·64·64·56² / 4 MACs",
        kind="block",
    )
)
register(
    ZooEntry(
        name="block/dilated",
        factory="latprof.zoo.blocks.convolutions:dilated",
        family="Blocks",
        paper="Yu & Koltun 2015, arXiv:1511.07122",
        input_shape=(1, 64, 56, 56),
        params=36_992,
        macs=115_605_504,
        compared="by hand: 3·3·64·64·56² MACs",
        kind="block",
    )
)
register(
    ZooEntry(
        name="block/transposed",
        factory="latprof.zoo.blocks.convolutions:transposed",
        family="Blocks",
        paper="Dumoulin & Visin 2016, arXiv:1603.07285",
        input_shape=(1, 64, 56, 56),
        params=65_664,
        macs=205_520_896,
        compared="by hand: 4·4·64·64·56² MACs",
        kind="block",
    )
)
register(
    ZooEntry(
        name="block/bottleneck",
        factory="latprof.zoo.blocks.modules:bottleneck",
        family="Blocks",
        paper="He et al. 2015, arXiv:1512.03385",
        input_shape=(1, 256, 56, 56),
        params=70_400,
        macs=218_365_952,
        compared="by hand: (2·256·64 + 3·3·64·64)·56² MACs",
        kind="block",
    )
)
register(
    ZooEntry(
        name="block/inverted_residual",
        factory="latprof.zoo.blocks.modules:inverted_residual",
        family="Blocks",
        paper="Sandler et al. 2018, arXiv:1801.04381",
        input_shape=(1, 64, 56, 56),
        params=54_272,
        macs=164_978_688,
        compared="by hand: (64 + 3·3 + 64)·384·56² MACs",
        kind="block",
    )
)
register(
    ZooEntry(
        name="block/inverted_residual_se",
        factory="latprof.zoo.blocks.modules:inverted_residual_se",
        family="Blocks",
        paper="Howard et al. 2019, arXiv:1905.02244",
        input_shape=(1, 64, 56, 56),
        params=128_480,
        macs=165_052_416,
        compared="by hand: (64 + 3·3 + 64)·384·56² + 2·384·96 MACs",
        kind="block",
    )
)
register(
    ZooEntry(
        name="block/fused_mbconv",
        factory="latprof.zoo.blocks.modules:fused_mbconv",
        family="Blocks",
        paper="Tan & Le 2021, arXiv:2104.00298",
        input_shape=(1, 64, 56, 56),
        params=164_480,
        macs=513_802_240,
        compared="by hand: (3·3·64 + 64)·256·56² MACs",
        kind="block",
    )
)
register(
    ZooEntry(
        name="block/squeeze_excite",
        factory="latprof.zoo.blocks.modules:squeeze_excite",
        family="Blocks",
        paper="Hu et al. 2017, arXiv:1709.01507",
        input_shape=(1, 64, 56, 56),
        params=580,
        macs=512,
        compared="by hand: 2·64·4 MACs",
        kind="block",
    )
)
register(
    ZooEntry(
        name="block/inception",
        factory="latprof.zoo.blocks.modules:inception",
        family="Blocks",
        paper="Szegedy et al. 2014, arXiv:1409.4842",
        input_shape=(1, 192, 28, 28),
        params=163_696,
        macs=128_049_152,
        compared="paper, table 1, inception (3a): 159 K, 128 M",
        kind="block",
    )
)
register(
    ZooEntry(
        name="block/xception",
        factory="latprof.zoo.blocks.modules:xception",
        family="Blocks",
        paper="Chollet 2016, arXiv:1610.02357",
        input_shape=(1, 728, 19, 19),
        params=1_613_976,
        macs=581_068_488,
        compared="by hand: 3·(3·3 + 728)·728·19² MACs",
        kind="block",
    )
)
register(
    ZooEntry(
        name="block/shuffle_v1",
        factory="latprof.zoo.blocks.modules:shuffle_v1",
        family="Blocks",
        paper="Zhang et al. 2017, arXiv:1707.01083",
        input_shape=(1, 240, 28, 28),
        params=10_860,
        macs=7_949_760,
        compared="by hand: (2·240·60/3 + 3·3·60)·28² MACs",
        kind="block",
    )
)
register(
    ZooEntry(
        name="block/shuffle_v2",
        factory="latprof.zoo.blocks.modules:shuffle_v2",
        family="Blocks",
        paper="Ma et al. 2018, arXiv:1807.11164",
        input_shape=(1, 116, 28, 28),
        params=7_598,
        macs=5_684_000,
        compared="by hand: (2·58·58 + 3·3·58)·28² MACs",
        kind="block",
    )
)
register(
    ZooEntry(
        name="block/ghost",
        factory="latprof.zoo.blocks.modules:ghost",
        family="Blocks",
        paper="Han et al. 2019, arXiv:1911.11907",
        input_shape=(1, 64, 56, 56),
        params=2_464,
        macs=7_325_696,
        compared="by hand: (64·32 + 3·3·32)·56² MACs",
        kind="block",
    )
)
