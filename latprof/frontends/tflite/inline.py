"""Subgraphs that stand for an operator are put in its place: one flat network comes out.

STABLEHLO_COMPOSITE names what a subgraph computes, and CALL just runs one; both are read as if
their operators stood in the main subgraph. IF and WHILE stay: which branch runs, and how
often, only the data can tell.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from latprof.errors import UnreadableModel
from latprof.frontends.tflite.model import MAX_OPERATORS, FileOperator, FileSubgraph, FileTensor

INLINED = ("STABLEHLO_COMPOSITE", "CALL")
ALIAS = "ALIAS"  # no operator of the schema: the output is the input under another name
MAX_DEPTH = 32


def inline(subgraphs: tuple[FileSubgraph, ...], main: int = 0) -> FileSubgraph:
    """Subgraph `main` with the subgraphs it calls put in.

    Raises
    ------
    UnreadableModel
        If subgraphs call each other in a circle, or multiply beyond any real network.
    """
    return _Inliner(subgraphs).run(main)


class _Inliner:
    def __init__(self, subgraphs: tuple[FileSubgraph, ...]) -> None:
        self._subgraphs = subgraphs
        self._tensors: list[FileTensor] = []
        self._operators: list[FileOperator] = []

    def run(self, main: int) -> FileSubgraph:
        graph = self._subgraphs[main]
        self._put(main, {}, depth=0)
        return replace(graph, tensors=tuple(self._tensors), operators=tuple(self._operators))

    def _put(self, index: int, given: Mapping[int, int], depth: int) -> None:
        """Add the operators of a subgraph; `given` are its tensors that the caller has already."""
        if depth > MAX_DEPTH:
            raise UnreadableModel(
                f"its subgraphs call each other over {MAX_DEPTH} deep, as if in a circle; the "
                "file is broken. Convert the model again."
            )
        graph = self._subgraphs[index]
        place = dict(given)
        for number, tensor in enumerate(graph.tensors):
            if number not in place:
                place[number] = len(self._tensors)
                self._tensors.append(tensor)
        if len(self._tensors) > 10 * MAX_OPERATORS:
            raise UnreadableModel("its subgraphs multiply to more tensors than any real network.")
        for operator in graph.operators:
            inputs = tuple(place.get(i, -1) for i in operator.inputs)
            outputs = tuple(place[i] for i in operator.outputs if i != -1)
            moved = replace(operator, inputs=inputs, outputs=outputs)
            if not self._put_call(moved, depth):
                self._operators.append(moved)
            if len(self._operators) > MAX_OPERATORS:
                raise UnreadableModel(
                    f"its subgraphs multiply to over {MAX_OPERATORS:,} operators, more than any "
                    "real network has; the file is broken. Convert the model again."
                )

    def _put_call(self, call: FileOperator, depth: int) -> bool:
        """Put in what `call` runs; whether that could be told."""
        if call.kind not in INLINED or -1 in call.inputs:
            return False
        index = call.options["first_subgraph"]
        if not 0 < index < len(self._subgraphs):
            return False
        callee = self._subgraphs[index]
        if (len(callee.inputs), len(callee.outputs)) != (len(call.inputs), len(call.outputs)):
            return False
        given = dict(zip(callee.inputs, call.inputs, strict=True))
        computed = {i for operator in callee.operators for i in operator.outputs}
        handed_on = []
        for inside, outside in zip(callee.outputs, call.outputs, strict=True):
            if inside in computed and inside not in given:
                given[inside] = outside
            else:  # an input or a constant handed on, or one result given twice
                handed_on.append((inside, outside))
        first = len(self._tensors)
        self._put(index, given, depth + 1)
        fresh = (n for n in range(len(callee.tensors)) if n not in given)
        place = given | dict(zip(fresh, range(first, len(self._tensors)), strict=False))
        for inside, outside in handed_on:
            self._operators.append(FileOperator(ALIAS, (place[inside],), (outside,)))
        return True
