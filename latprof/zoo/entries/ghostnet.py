"""GhostNet."""

from latprof.zoo.registry import ZooEntry, register

register(
    ZooEntry(
        name="ghostnet",
        factory="latprof.zoo.ghostnet:ghostnet",
        family="GhostNet",
        paper="Han et al. 2019, arXiv:1911.11907",
        params=5_182_508,
        macs=141_150_512,
        compared="paper, table 7: 5.2 M, 141 M; timm 1.0.31 ghostnet_100",
    )
)
