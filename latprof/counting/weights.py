"""What is stored with a model: parameters trained and frozen, buffers, and what is shared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from latprof.graph import Graph


@dataclass(frozen=True)
class WeightFacts:
    """Counts of the tensors stored with a model, each tensor once however often it is read.

    Parameters
    ----------
    trainable, frozen : int
        Parameters that training would and would not change.
    buffers : int
        Numbers of running statistics.
    constants : int
        Other stored numbers, among them scales and zero points.
    by_dtype : mapping of str to (int, int)
        Numbers and bytes of all stored tensors.
    tied : mapping of str to int
        Parameters that more than one node reads, with how many do.
    unused : mapping of str to int
        Parameters that no node reads, with their size.
    """

    trainable: int
    frozen: int
    buffers: int
    constants: int
    by_dtype: Mapping[str, tuple[int, int]]
    tied: Mapping[str, int]
    unused: Mapping[str, int]

    @property
    def params(self) -> int:
        return self.trainable + self.frozen

    def to_dict(self) -> dict[str, Any]:
        return {
            "total": self.params,
            "trainable": self.trainable,
            "frozen": self.frozen,
            "buffers": self.buffers,
            "constants": self.constants,
            "by_dtype": {
                dtype: {"elements": elements, "bytes": held}
                for dtype, (elements, held) in self.by_dtype.items()
            },
            "tied": dict(self.tied),
            "unused": dict(self.unused),
        }


def weight_facts(graph: Graph) -> WeightFacts:
    """Count what is stored with `graph`."""
    roles: Counter[str] = Counter()
    dtypes: dict[str, tuple[int, int]] = {}
    readers: Counter[str] = Counter()
    for node in graph.nodes:
        readers.update(set(node.inputs))
    tied, unused = {}, {}
    for tensor in graph.tensors.values():
        if not tensor.is_weight:
            continue
        frozen = tensor.role == "parameter" and not tensor.trainable
        roles["frozen" if frozen else tensor.role] += tensor.elements
        elements, held = dtypes.get(tensor.dtype, (0, 0))
        dtypes[tensor.dtype] = (elements + tensor.elements, held + tensor.bytes)
        if tensor.role != "parameter":
            continue
        if readers[tensor.name] > 1:
            tied[tensor.name] = readers[tensor.name]
        elif not readers[tensor.name] and tensor.name not in graph.outputs:
            unused[tensor.name] = tensor.elements
    return WeightFacts(
        trainable=roles["parameter"],
        frozen=roles["frozen"],
        buffers=roles["buffer"],
        constants=roles["constant"],
        by_dtype=dict(sorted(dtypes.items(), key=lambda entry: -entry[1][1])),
        tied=tied,
        unused=unused,
    )
