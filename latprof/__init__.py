"""How long a model will take on a device, where the time goes, and how sure the answer is.

>>> import latprof
>>> latprof.count("zoo:mobilenet_v2").macs
300774272
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

__all__ = [
    "CostModel",
    "Graph",
    "Kernel",
    "LatprofError",
    "OpSpec",
    "__version__",
    "count",
    "fit",
    "measure",
    "predict",
    "predict_many",
    "profile",
    "read",
    "register",
]

# Names that users may rely on → where they live. Each is imported when first asked for, so that
# `import latprof` stays light.
_NAMES = {
    "CostModel": "latprof.costmodel",
    "Graph": "latprof.graph",
    "Kernel": "latprof.kernel",
    "LatprofError": "latprof.errors",
    "OpSpec": "latprof.ops",
    "count": "latprof.api",
    "fit": "latprof.api",
    "measure": "latprof.api",
    "predict": "latprof.api",
    "predict_many": "latprof.api",
    "profile": "latprof.api",
    "read": "latprof.api",
    "register": "latprof.ops",
}

if TYPE_CHECKING:
    from latprof.api import count, fit, measure, predict, predict_many, profile, read
    from latprof.costmodel import CostModel
    from latprof.errors import LatprofError
    from latprof.graph import Graph
    from latprof.kernel import Kernel
    from latprof.ops import OpSpec, register


def __getattr__(name: str) -> Any:
    if name not in _NAMES:
        raise AttributeError(f"module 'latprof' has no attribute {name!r}")
    return getattr(import_module(_NAMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_NAMES})
