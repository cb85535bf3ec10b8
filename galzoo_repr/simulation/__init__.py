"""A simulated survey with known morphology."""
