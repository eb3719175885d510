"""Vision transformers."""

from latprof.zoo.registry import ZooEntry, register

register(
    ZooEntry(
        name="vit_tiny",
        factory="latprof.zoo.vision_transformer:vit_tiny",
        family="ViT",
        paper="Dosovitskiy et al. 2020, arXiv:2010.11929; size: Touvron et al. 2020, "
        "arXiv:2012.12877",
        params=5_717_416,
        macs=1_253_683_200,
        compared="DeiT paper, table 1: 5 M; timm 1.0.31 vit_tiny_patch16_224",
    )
)
register(
    ZooEntry(
        name="vit_small",
        factory="latprof.zoo.vision_transformer:vit_small",
        family="ViT",
        paper="Dosovitskiy et al. 2020, arXiv:2010.11929; size: Touvron et al. 2020, "
        "arXiv:2012.12877",
        params=22_050_664,
        macs=4_598_882_304,
        compared="DeiT paper, table 1: 22 M; timm 1.0.31 vit_small_patch16_224",
    )
)
