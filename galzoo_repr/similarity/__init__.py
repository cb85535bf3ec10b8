"""Nearest galaxies: by row, position, image, embedding, or several examples."""

from galzoo_repr.index import SimilarityIndex, neighbour_table
from galzoo_repr.similarity._add import add_similarity
from galzoo_repr.similarity._duplicates import find_duplicates
from galzoo_repr.similarity._find import find_similar
from galzoo_repr.similarity._montage import similarity_montage
from galzoo_repr.similarity._query import Query
from galzoo_repr.similarity._query_table import query_table

__all__ = [
    "Query",
    "SimilarityIndex",
    "add_similarity",
    "find_duplicates",
    "find_similar",
    "neighbour_table",
    "query_table",
    "similarity_montage",
]
