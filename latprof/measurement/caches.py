"""Cold caches on purpose: a small network alone would run from the nearest cache every time.

In a real network of tens of megabytes, a kernel finds its weights gone from the core's own caches
since their last use. A small network's weights would still be there, and its kernels would look
up to twice as fast as they are in use.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


def eviction(size_bytes: int) -> Callable[[], object]:
    """A function that pushes everything else out of caches of up to `size_bytes`, by reading.

    Zero gives a function that does nothing.
    """
    if size_bytes == 0:
        return lambda: None
    buffer = np.ones(size_bytes // 8, dtype=np.float64)
    return buffer.sum
