"""Keras archives → graph."""
