"""Nearest galaxies: by row, position, image, embedding, or several examples."""

from galzoo_repr.similarity._search import add_similarity

__all__ = ["add_similarity"]
