"""What a catalogue is: positions out of any table, columns back on, provenance, files."""

from importlib import import_module

from galzoo_repr.catalogue._beside import Beside, spread_of
from galzoo_repr.catalogue._cells import Cells, read_cells, text_of, texts_of
from galzoo_repr.catalogue._citation import cite
from galzoo_repr.catalogue._columns import as_table, one_per_row, refuse_existing, with_columns
from galzoo_repr.catalogue._embeddings import Embeddings, embedding_matrix, read_embeddings
from galzoo_repr.catalogue._files import read_catalogue, table_format, write_catalogue
from galzoo_repr.catalogue._files_beside import files_in
from galzoo_repr.catalogue._fingerprint import fingerprint
from galzoo_repr.catalogue._missing import means_no_value
from galzoo_repr.catalogue._names import galaxy_names, name_column, names_in, rows_called, rows_named
from galzoo_repr.catalogue._owned import rows_of
from galzoo_repr.catalogue._position_text import PositionLike, name_resolution, read_position
from galzoo_repr.catalogue._positions import SkyPositions, sky_positions
from galzoo_repr.catalogue._provenance import coords_fact, provenance, record_provenance
from galzoo_repr.catalogue._reduced import ReducedEmbeddings, reduce_embeddings
from galzoo_repr.catalogue._reduction import Reduction, mean_embedding
from galzoo_repr.catalogue._sentinels import masking, sentinels, warn_of_sentinels
from galzoo_repr.catalogue._spreadsheet import for_spreadsheets
from galzoo_repr.catalogue._unlike import KnownGalaxies

__all__ = [
    "Beside",
    "Cells",
    "Embeddings",
    "KnownGalaxies",
    "ParquetParts",
    "PositionLike",
    "ReducedEmbeddings",
    "Reduction",
    "SkyPositions",
    "as_table",
    "cite",
    "columns_beside",
    "coords_fact",
    "embedding_matrix",
    "files_in",
    "fingerprint",
    "for_spreadsheets",
    "galaxy_names",
    "masking",
    "mean_embedding",
    "means_no_value",
    "name_column",
    "name_resolution",
    "names_in",
    "one_per_row",
    "parts_of",
    "provenance",
    "read_catalogue",
    "read_cells",
    "read_embeddings",
    "read_position",
    "record_provenance",
    "reduce_embeddings",
    "refuse_existing",
    "rows_called",
    "rows_named",
    "rows_of",
    "sentinels",
    "sky_positions",
    "spread_of",
    "stacked",
    "table_format",
    "text_of",
    "texts_of",
    "to_arrow",
    "warn_of_sentinels",
    "with_columns",
    "with_columns_of",
    "write_catalogue",
]

# What takes Arrow to be imported, when it is first used.
_LATER = {
    **dict.fromkeys(
        ("columns_beside", "parts_of", "stacked", "to_arrow", "with_columns_of"), "_arrow_pieces"
    ),
    "ParquetParts": "_parquet_parts",
}


def __getattr__(name: str):
    if name in _LATER:
        return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
