"""What files spell in several nodes, found again as one: graph → graph."""
