"""What a catalogue is: positions out of any table, columns back on, provenance."""

from galzoo_repr.catalogue._columns import as_table, with_columns
from galzoo_repr.catalogue._positions import SkyPositions, sky_positions
from galzoo_repr.catalogue._provenance import provenance, record_provenance

__all__ = ["SkyPositions", "as_table", "provenance", "record_provenance", "sky_positions", "with_columns"]
