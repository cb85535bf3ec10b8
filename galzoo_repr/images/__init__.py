"""Pixels become model input."""
