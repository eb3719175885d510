from __future__ import annotations

import pytest

from latprof.graph import Graph
from latprof.sampling import draw_network


@pytest.fixture(scope="session")
def networks() -> tuple[Graph, ...]:
    """The first 400 networks, as many as a short measurement takes."""
    return tuple(draw_network(seed=0, number=number) for number in range(400))
