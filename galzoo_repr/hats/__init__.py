"""The same functions over catalogues larger than one machine: HATS folders, through LSDB and Dask, or as job arrays."""

from galzoo_repr.hats._convert import from_hats, to_hats
from galzoo_repr.hats._folder import HatsFolder
from galzoo_repr.hats._interest import add_anomaly_scores
from galzoo_repr.hats._job import Parts, parts_of_job
from galzoo_repr.hats._search import add_similarity, find_similar
from galzoo_repr.hats._sources import HatsLike
from galzoo_repr.hats._verbs import add_cutouts, add_embeddings, add_predictions

__all__ = [
    "HatsFolder",
    "HatsLike",
    "Parts",
    "add_anomaly_scores",
    "add_cutouts",
    "add_embeddings",
    "add_predictions",
    "add_similarity",
    "find_similar",
    "from_hats",
    "parts_of_job",
    "to_hats",
]
