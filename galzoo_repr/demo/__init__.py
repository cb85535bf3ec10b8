"""The demonstration: what the package finds in a simulated survey, on one page."""

from galzoo_repr.demo._demo import MIX, DemoResult, run_demo

__all__ = ["MIX", "DemoResult", "run_demo"]
