"""latprof's own count, which is what papers on light networks quote, and its double."""

from __future__ import annotations

from latprof.counting.conventions.spec import PRODUCTS, Convention, products, register

register(
    Convention(
        name="latprof",
        called="MACs",
        means="multiply-accumulates of convolutions, linear layers, products and attention; no "
        "bias, norm, activation or pool",
        source="latprof",
        rules=dict.fromkeys(PRODUCTS, products),
    )
)
register(
    Convention(
        name="paper",
        called="MACs, mult-adds or FLOPs",
        means="one for each multiply-add, as MobileNet, ShuffleNet, EfficientNet, ResNet, DeiT and "
        "RegNet quote",
        source="Howard et al. 2017, arXiv:1704.04861, table 8 (mult-adds); Zhang et al. 2017, "
        "arXiv:1707.01083, table 1 (FLOPs); He et al. 2015, arXiv:1512.03385, table 1 (FLOPs, "
        "'multiply-adds')",
        rules=dict.fromkeys(PRODUCTS, products),
        notes=(
            "papers call the same number MACs, multiply-adds or FLOPs; some leave small terms out "
            "(squeeze-excite, the classifier): --explain tells",
        ),
    )
)
