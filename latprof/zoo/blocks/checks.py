"""What the arguments of a block must satisfy, said the same for every block."""

from __future__ import annotations

from latprof.errors import BadReference


def check_odd(kernel_size: int) -> None:
    """Refuse a kernel without a middle: it could not keep the size of the image."""
    if kernel_size % 2 == 0:
        raise BadReference(
            f"kernel_size={kernel_size} has no middle. Give an odd one, such as "
            f"kernel_size={kernel_size + 1}."
        )


def check_multiple(divisor: int, reason: str, **counts: int) -> None:
    """Refuse any of the named counts that `divisor` leaves a rest of; `reason` says why."""
    for name, count in counts.items():
        if count % divisor:
            near = max(1, round(count / divisor)) * divisor
            raise BadReference(
                f"{name}={count} is no multiple of {divisor}, {reason}. Give one, such as "
                f"{name}={near}."
            )


def check_not_above(name: str, value: float, limit_name: str, limit: int) -> None:
    """Refuse a `value`, called `name`, above `limit`."""
    if value > limit:
        raise BadReference(
            f"{name}={value} is above {limit_name}, which is {limit}. Give {name}={limit} or less."
        )
