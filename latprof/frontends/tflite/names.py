"""Readable names out of those that converters give to tensors.

TensorFlow writes the path of an operation, ``MobilenetV2/Conv/Relu6``; litert-torch that of the
module, each step with its class: ``pkg.Net/torch.nn.modules.container.Sequential_features``.
Operations fused into one leave all their names, joined by ``;``.
"""

from __future__ import annotations

import re

# What the name of an operation that does the work says, among those fused into it.
HINTS = {
    "CONV_2D": ("conv",),
    "DEPTHWISE_CONV_2D": ("depthwise", "conv"),
    "CONV_3D": ("conv",),
    "TRANSPOSE_CONV": ("transpose", "conv"),
    "FULLY_CONNECTED": ("matmul", "linear", "dense"),
    "BATCH_MATMUL": ("matmul", "einsum"),
    "ADD": ("add",),
    "MUL": ("mul",),
    "SUB": ("sub",),
    "DIV": ("div",),
}
MAX_LENGTH = 200
_PYTHON_STEP = re.compile(r"(?:\w+\.)+_*[A-Z]\w*")
_LAYER = "torch.nn.modules."
_CONTAINER = "torch.nn.modules.container."


def fused_names(full: str) -> list[str]:
    """The names of the operations fused into one; numbers that only tell tensors apart are left."""
    names = [part for part in full.split(";") if part and not part.isdigit()]
    return names or [full]


def working_name(full: str, kind: str) -> str:
    """The name of the operation that does the work, among those fused into one."""
    names = fused_names(full)
    for hint in HINTS.get(kind, ()):
        for name in names:
            if hint in name.rpartition("/")[2].lower():
                return name
    return names[0]


def readable(name: str, op: str, *, is_layer: bool = True) -> tuple[str, str]:
    """A short name for what `name` computes with `op`, and the dotted path of its module.

    `is_layer` says whether `op` is what a layer is there for, and may go by the layer's name.

    >>> readable("MobilenetV2/Conv/Relu6", "relu6")
    ('MobilenetV2/Conv/Relu6', 'MobilenetV2.Conv')
    >>> readable("net.Net/net.Block_stem/torch.nn.modules.conv.Conv2d_conv", "conv")
    ('stem.conv', 'stem.conv')
    >>> readable("net.Net/net.Block_stem", "add")
    ('stem.add', 'stem')
    """
    steps = name[: 10 * MAX_LENGTH].split("/")
    if all(_PYTHON_STEP.fullmatch(step) for step in steps):
        module = ".".join(filter(None, (_attribute(step) for step in steps)))[:MAX_LENGTH]
        layer = is_layer and steps[-1].startswith(_LAYER) and not steps[-1].startswith(_CONTAINER)
        return (module if layer and module else f"{module}.{op}".lstrip(".")), module
    short = name[:MAX_LENGTH]
    return short or op, ".".join(filter(None, short.split("/")[:-1]))


def weight_name(full: str, kind: str, part: str) -> str:
    """What to call a stored tensor that is the `part` ("weight", "bias") of a layer."""
    name = working_name(full, kind)
    short, module = readable(name, part)
    return f"{module}.{part}" if short == module and module else short


def _attribute(step: str) -> str:
    """The attribute that a module goes by: behind the name of its class and an underscore."""
    return step.rpartition(".")[2].partition("_")[2]
