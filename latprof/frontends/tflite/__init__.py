"""TFLite files → graph."""
