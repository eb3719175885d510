"""Which operators XNNPACK runs together: the parts that ExecuTorch hands to it.

Two parts become one unless something outside would have to run between them. That is tried for
every two, from the last operator back.

References
----------
ExecuTorch 1.5.1, exir/backend/canonical_partitioners/group_partitioner.py (propose_partitions).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from latprof.fusion.executorch.operators import Op


def parts(ops: Sequence[Op]) -> list[list[Op]]:
    """The operators of each part, in running order; parts in the order of their last."""
    users, reached = _reach(ops)
    masks = [1 << i for i in reversed(range(len(ops))) if ops[i].taken]
    outside = [users[mask.bit_length() - 1] for mask in masks]
    found: list[int] = []
    while masks:
        mine, leaving = masks[0], outside[0]
        left: list[tuple[int, int]] = []
        for other, others_leaving in zip(masks[1:], outside[1:], strict=True):
            both, out = mine | other, leaving | others_leaving
            if any(reached[i] & both for i in _bits(out & ~both)):
                left.append((other, others_leaving))
            else:
                mine, leaving = both, out & ~both
        found.append(mine)
        masks, outside = [mask for mask, _ in left], [out for _, out in left]
    return [[ops[i] for i in _bits(mask)] for mask in reversed(found)]


def _reach(ops: Sequence[Op]) -> tuple[list[int], list[int]]:
    """Who reads what each operator gives, and all that follow from it: a bit for each operator."""
    maker = {name: i for i, op in enumerate(ops) for name in op.outputs}
    users, reached = [0] * len(ops), [0] * len(ops)
    for i in reversed(range(len(ops))):
        for follower in _bits(users[i]):
            reached[i] |= 1 << follower | reached[follower]
        for name in ops[i].inputs:
            if name in maker:
                users[maker[name]] |= 1 << i
    return users, reached


def _bits(mask: int) -> Iterator[int]:
    """The places of a number's ones, from the lowest."""
    while mask:
        lowest = mask & -mask
        yield lowest.bit_length() - 1
        mask ^= lowest
