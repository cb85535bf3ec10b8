"""A sky position becomes pixels on disk."""
