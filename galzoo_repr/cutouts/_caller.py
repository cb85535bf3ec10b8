"""Where in the program of the user a call comes from."""

import sys

__all__ = ["level_of_the_caller"]


def level_of_the_caller() -> int:
    """Frames from the function that warns to the line outside the package that asked, through whatever is between."""
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("galzoo_repr."):
        frame, level = frame.f_back, level + 1
    return level
