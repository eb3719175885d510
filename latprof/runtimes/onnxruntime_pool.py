"""One pool of threads for all sessions of a process.

A pool spins for tens of milliseconds after a run, on the cores that another session's pool needs
when its turn comes: with two threads, networks run in turns took up to 1.8 times as long as alone,
and take the same as alone with a pool that they share.
"""

from __future__ import annotations

import onnxruntime as ort

_shared = False


def share_pool(threads: int) -> None:
    """Let every session from now on run on one pool; to be called before the first of them.

    With one thread there is no pool; a release that cannot share one from Python is left as it is.
    """
    global _shared
    if threads > 1 and not _shared and hasattr(ort, "set_global_thread_pool_sizes"):
        ort.set_global_thread_pool_sizes(threads, 1)
        _shared = True


def options_for(threads: int) -> ort.SessionOptions:
    """Options of a session on the shared pool, or else on `threads` threads of its own."""
    options = ort.SessionOptions()
    options.log_severity_level = 3  # errors only
    if _shared:  # then no session may have its own
        options.use_per_session_threads = False
    else:
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
    return options
