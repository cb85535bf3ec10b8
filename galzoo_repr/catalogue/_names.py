"""What to call the galaxies of a catalogue."""

from astropy.table import Table

from galzoo_repr.catalogue._cells import texts_of
from galzoo_repr.catalogue._positions import sky_positions

__all__ = ["galaxy_names"]


def galaxy_names(table: Table) -> list[str]:
    """
    Give the entry of each galaxy in the column ``name``, or else its position.

    Parameters
    ----------
    table : astropy.table.Table
        With or without names and positions.

    Returns
    -------
    list of str
        One for each row; ``"row 5"`` where there is neither.
    """
    names = texts_of(table["name"]) if "name" in table.colnames else [""] * len(table)
    if all(names):
        return names
    try:
        others = sky_positions(table).skycoord.to_string("hmsdms", precision=0)
    except ValueError:  # a catalogue of image files needs no positions
        others = [f"row {row}" for row in range(len(table))]
    return [name or other for name, other in zip(names, others, strict=True)]
