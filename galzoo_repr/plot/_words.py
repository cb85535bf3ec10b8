"""Words of catalogues as matplotlib is to draw them: as they are, and in lines that are not too long."""

import textwrap

__all__ = ["as_it_is", "in_lines"]

# What TeX takes for orders, and how it writes the letter itself.
_FOR_TEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{letter: f"\\{letter}" for letter in "&%$#_{}"},
}


def as_it_is(text: str) -> str:
    """Keep dollars in a name from being taken for formulas, and where TeX sets all text, what else it would read."""
    import matplotlib as mpl

    if mpl.rcParams["text.usetex"]:
        return "".join(_FOR_TEX.get(letter, letter) for letter in text)
    return text.replace("$", r"\$")


def in_lines(text: str, width: int, most: int = 2) -> str:
    """Lines of at most so many letters, at most so many of them, to be drawn as they are."""
    lines = textwrap.wrap(text, width, max_lines=most, placeholder="\N{HORIZONTAL ELLIPSIS}")
    return as_it_is("\n".join(lines))
