"""Nearest galaxies: by row, position, image, embedding, or several examples."""

from galzoo_repr.index import SimilarityIndex, neighbour_table
from galzoo_repr.similarity._add import add_similarity
from galzoo_repr.similarity._catalogue import Fetch
from galzoo_repr.similarity._duplicates import find_duplicates
from galzoo_repr.similarity._find import find_similar
from galzoo_repr.similarity._montage import similarity_montage
from galzoo_repr.similarity._query import Query
from galzoo_repr.similarity._query_table import query_table
from galzoo_repr.similarity._rank import PreparedQuery, prepare_query
from galzoo_repr.similarity._tags import is_tags, most_tagged

__all__ = [
    "Fetch",
    "PreparedQuery",
    "Query",
    "SimilarityIndex",
    "add_similarity",
    "find_duplicates",
    "find_similar",
    "is_tags",
    "most_tagged",
    "neighbour_table",
    "prepare_query",
    "query_table",
    "similarity_montage",
]
