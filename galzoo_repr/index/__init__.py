"""Nearest vectors: exact or approximate; built, saved, opened and added to, also by several processes."""

from galzoo_repr.index._index import SimilarityIndex
from galzoo_repr.index._neighbours import neighbour_table
from galzoo_repr.index._space import METRICS, Space

__all__ = ["METRICS", "SimilarityIndex", "Space", "neighbour_table"]
