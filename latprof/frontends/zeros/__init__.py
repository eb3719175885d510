"""Zeros among stored weights, counted without running anything of the file."""
