"""How different tools count the same network, by name; one small file for each tool.

Adding a convention is one `register` call in one file of this folder, and its totals in
``tests/counting/recorded_totals.json``.
"""

from latprof.counting.conventions import (  # noqa: F401 (they register)
    calflops,
    fvcore,
    keras,
    papers,
    ptflops,
    thop,
    torch_flop_counter,
    torchinfo,
)
from latprof.counting.conventions.spec import (
    CONVENTIONS,
    Convention,
    ConventionTotal,
    find_convention,
    register,
    totals,
)

__all__ = [
    "CONVENTIONS",
    "Convention",
    "ConventionTotal",
    "find_convention",
    "register",
    "totals",
]
