"""What a model costs whatever it runs on, and why two people count it differently."""

from latprof.counting.facts import ModelFacts, count, other_dtypes, product_dtypes
from latprof.counting.memory import Peak, peak_activation_bytes, peak_activations

__all__ = [
    "ModelFacts",
    "Peak",
    "count",
    "other_dtypes",
    "peak_activation_bytes",
    "peak_activations",
    "product_dtypes",
]
