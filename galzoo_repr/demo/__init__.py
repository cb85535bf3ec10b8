"""The demonstration: what the package finds in a simulated survey, on one page."""

from galzoo_repr.demo._demo import MIX, DemoResult, run_demo
from galzoo_repr.demo._findings import Finding
from galzoo_repr.demo._tally import Tally

__all__ = ["MIX", "DemoResult", "Finding", "Tally", "run_demo"]
