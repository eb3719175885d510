"""Kernel → latency with an interval: a bounded efficiency learned over a measured roofline."""

from latprof.costmodel.model import CostModel

__all__ = ["CostModel"]
