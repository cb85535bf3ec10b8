"""Nearest galaxies, by row, position or embedding."""
