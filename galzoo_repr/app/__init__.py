"""A page to look at galaxies, rate, tag and explore them."""

from galzoo_repr.app._look import Look, look

__all__ = ["Look", "look"]
