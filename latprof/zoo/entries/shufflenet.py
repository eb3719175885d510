"""ShuffleNet V1 and V2."""

from latprof.zoo.registry import ZooEntry, register

# The paper's MACs are up to 1.4 % more than those of the convolutions and linear layers, and it
# does not say what else it counts.
register(
    ZooEntry(
        name="shufflenet_v2_x0_5",
        factory="latprof.zoo.shufflenet_v2:shufflenet_v2",
        arguments={"width_multiplier": 0.5},
        family="ShuffleNetV2",
        paper="Ma et al. 2018, arXiv:1807.11164",
        params=1_366_792,
        macs=40_476_448,
        compared="paper, table 5: 1.4 M, 41 M; torchvision 0.28.0",
    )
)
register(
    ZooEntry(
        name="shufflenet_v2_x1_0",
        factory="latprof.zoo.shufflenet_v2:shufflenet_v2",
        arguments={"width_multiplier": 1.0},
        family="ShuffleNetV2",
        paper="Ma et al. 2018, arXiv:1807.11164",
        params=2_278_604,
        macs=144_907_992,
        compared="paper, table 5: 2.3 M, 146 M; torchvision 0.28.0",
    )
)
register(
    ZooEntry(
        name="shufflenet_v2_x1_5",
        factory="latprof.zoo.shufflenet_v2:shufflenet_v2",
        arguments={"width_multiplier": 1.5},
        family="ShuffleNetV2",
        paper="Ma et al. 2018, arXiv:1807.11164",
        params=3_503_624,
        macs=295_759_392,
        compared="paper, table 5: 3.5 M, 299 M; torchvision 0.28.0",
    )
)
register(
    ZooEntry(
        name="shufflenet_v2_x2_0",
        factory="latprof.zoo.shufflenet_v2:shufflenet_v2",
        arguments={"width_multiplier": 2.0},
        family="ShuffleNetV2",
        paper="Ma et al. 2018, arXiv:1807.11164",
        params=7_393_996,
        macs=583_253_464,
        compared="paper, table 5: 7.4 M, 591 M; torchvision 0.28.0",
    )
)

_SHUFFLENET_V1 = (
    (1, 1_531_936, 143_078_976, "143 M"),
    (2, 1_733_848, 140_836_512, "140 M"),
    (3, 1_865_728, 137_460_672, "137 M"),
    (4, 1_968_344, 134_339_776, "133 M"),
    (8, 2_434_768, 138_365_952, "137 M"),
)
for groups, params, macs, published in _SHUFFLENET_V1:
    register(
        ZooEntry(
            name=f"shufflenet_v1_g{groups}",
            factory="latprof.zoo.shufflenet_v1:shufflenet_v1",
            arguments={"groups": groups},
            family="ShuffleNetV1",
            paper="Zhang et al. 2017, arXiv:1707.01083",
            params=params,
            macs=macs,
            compared=f"paper, table 1: {published}; pytorchcv 0.0.74",
        )
    )
