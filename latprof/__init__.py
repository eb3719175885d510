"""How long a model will take on a device, where the time goes, and how sure the answer is."""

__version__ = "0.1.0"
