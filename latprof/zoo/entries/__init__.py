"""The rows of the zoo's table, by family; blocks in a file of their own.

Counts are exact. Where `compared` names a package, its network of the same name was counted
beside ours with torch's FlopCounterMode and agrees to the digit.
"""

from latprof.zoo.entries import (
    blocks,
    densenet,
    efficientnet,
    ghostnet,
    inception,
    mnasnet,
    mobilenet,
    resnet,
    shufflenet,
    squeezenet,
    vision_transformer,
    xception,
)

__all__ = [
    "blocks",
    "densenet",
    "efficientnet",
    "ghostnet",
    "inception",
    "mnasnet",
    "mobilenet",
    "resnet",
    "shufflenet",
    "squeezenet",
    "vision_transformer",
    "xception",
]
