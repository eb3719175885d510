"""Time networks and kernels on this machine, and say how far to trust the numbers."""
