"""What a catalogue is: positions out of any table, columns back on, provenance, files."""

from galzoo_repr.catalogue._columns import as_table, with_columns
from galzoo_repr.catalogue._embeddings import Embeddings, embedding_matrix, read_embeddings
from galzoo_repr.catalogue._files import read_catalogue, write_catalogue
from galzoo_repr.catalogue._positions import SkyPositions, sky_positions
from galzoo_repr.catalogue._provenance import provenance, record_provenance

__all__ = [
    "Embeddings",
    "SkyPositions",
    "as_table",
    "embedding_matrix",
    "provenance",
    "read_catalogue",
    "read_embeddings",
    "record_provenance",
    "sky_positions",
    "with_columns",
    "write_catalogue",
]
