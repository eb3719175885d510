"""One way of running on a device, and its name: ``onnxruntime-cpu1-fp32``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from latprof.errors import BadReference

# In what a target computes → in what its numbers are kept. tf32 is float32 whose products are
# rounded to ten bits of mantissa on the way in (NVIDIA A100 white paper, 2020).
DTYPES = {
    "fp32": "float32",
    "tf32": "float32",
    "fp16": "float16",
    "bf16": "bfloat16",
    "int8": "int8",
}
_NAME = re.compile(
    r"(?P<runtime>[a-z][a-z0-9_-]*)-(?P<processor>[a-z]+)(?P<threads>([1-9][0-9]*)?)-"
    r"(?P<dtype>[a-z0-9]+)"
)


@dataclass(frozen=True)
class Target:
    """Processor, runtime, threads and dtype."""

    runtime: str
    processor: str = "cpu"
    threads: int = 1
    dtype: str = "fp32"

    @property
    def name(self) -> str:
        threads = str(self.threads) if self.processor == "cpu" else ""
        return f"{self.runtime}-{self.processor}{threads}-{self.dtype}"

    @classmethod
    def parse(cls, name: str) -> Target:
        """Read a target's name.

        Raises
        ------
        BadReference
            If it is not of the form ``runtime-processor[threads]-dtype``.
        """
        match = _NAME.fullmatch(name)
        # Only a CPU is told apart by its threads; it has one if none are named.
        idle = match is not None and match["processor"] != "cpu" and match["threads"]
        if match is None or idle or match["dtype"] not in DTYPES:
            raise BadReference(
                f"{name!r} is not a target; write runtime-processor and threads-dtype, as in "
                f"onnxruntime-cpu1-fp32 (dtypes: {', '.join(DTYPES)})."
            )
        threads = int(match["threads"] or 1)
        return cls(match["runtime"], match["processor"], threads, match["dtype"])


def split_device(reference: str) -> tuple[str, str | None]:
    """Device and target of ``pixel6/litert-cpu1-int8``; no target for a bare ``pixel6``."""
    device, slash, target = reference.partition("/")
    return device, (target if slash else None)
