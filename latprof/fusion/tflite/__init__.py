"""What a converter to TensorFlow Lite makes of a graph, weights left aside."""

from latprof.fusion.tflite.conversion import convert
from latprof.fusion.tflite.plan import Constant, Op, Plan, Value
from latprof.fusion.tflite.quantization import quantize

__all__ = ["Constant", "Op", "Plan", "Value", "convert", "quantize"]
