"""Choose what to measure: random small networks built of the blocks that light networks use."""

from latprof.sampling.networks import draw_network, sampler_digest

__all__ = ["draw_network", "sampler_digest"]
