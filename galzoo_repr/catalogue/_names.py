"""What to call the galaxies of a catalogue."""

from astropy.table import Table

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
    if "name" in table.colnames:
        return [str(name) for name in table["name"]]
    try:
        return list(sky_positions(table).skycoord.to_string("hmsdms", precision=0))
    except ValueError:  # a catalogue of image files needs no positions
        return [f"row {row}" for row in range(len(table))]
