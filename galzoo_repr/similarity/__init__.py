"""Nearest galaxies: by row, position, image, embedding, or several examples."""

from galzoo_repr.similarity._find import find_similar
from galzoo_repr.similarity._index import SimilarityIndex
from galzoo_repr.similarity._montage import similarity_montage
from galzoo_repr.similarity._neighbours import neighbour_table
from galzoo_repr.similarity._search import add_similarity

__all__ = ["SimilarityIndex", "add_similarity", "find_similar", "neighbour_table", "similarity_montage"]
