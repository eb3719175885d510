"""Light and reference networks by name, layer for layer after their papers.

``build("mobilenet_v2?width_multiplier=0.75&size=160")`` gives a torch module and the shape of its
input. Each network has a row in `latprof.zoo.entries` and its layers in a file of its own; torch is
imported only once a network is wanted.
"""

from latprof.zoo import entries  # noqa: F401 (its files register)
from latprof.zoo.references import build, parse_reference
from latprof.zoo.registry import ENTRIES, ZooEntry, register

__all__ = ["ENTRIES", "ZooEntry", "build", "parse_reference", "register"]
