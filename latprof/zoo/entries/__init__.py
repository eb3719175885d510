"""The rows of the zoo's table, by family.

Counts are exact. Where `compared` names a package, its network of the same name was counted
beside ours with torch's FlopCounterMode and agrees to the digit.
"""

from latprof.zoo.entries import efficientnet, mobilenet, resnet, shufflenet

__all__ = ["efficientnet", "mobilenet", "resnet", "shufflenet"]
