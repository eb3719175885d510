"""What a model costs whatever it runs on, and why two people count it differently."""

from latprof.counting.facts import ModelFacts, count, product_dtypes
from latprof.counting.memory import Peak, peak_activation_bytes, peak_activations

__all__ = [
    "ModelFacts",
    "Peak",
    "count",
    "peak_activation_bytes",
    "peak_activations",
    "product_dtypes",
]
