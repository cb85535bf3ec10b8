"""Text of the command line becomes angles, positions, weights, surveys and tables."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from astropy import units as u
    from astropy.table import Table

    from galzoo_repr import LegacySurvey
    from galzoo_repr.cutouts import Route

__all__ = [
    "fallbacks",
    "field_of_view",
    "open_catalogue",
    "read_angle",
    "read_beside",
    "read_fov",
    "read_pair",
    "read_prior",
    "refuse_existing",
    "refuse_radius",
    "refuse_table",
    "survey_at",
    "that_exists",
]


def that_exists(path: Path) -> Path:
    """Refuse what is not there before anything that takes time to be imported."""
    if not path.exists():
        raise FileNotFoundError(f"there is no file {path}")
    return path


def read_angle(text: str | None, option: str = "--fov") -> "u.Quantity | None":
    """
    Angle out of text.

    Parameters
    ----------
    text : str or None
        Such as ``"30 arcsec"``, ``"0.5'"`` or ``"0.01 deg"``.
    option : str, optional
        Name of the option, for the message.

    Returns
    -------
    `~astropy.units.Quantity` or None

    Raises
    ------
    ValueError
        If it is no angle.

    Examples
    --------
    >>> read_angle("0.5 arcmin").to("arcsec")
    <Quantity 30. arcsec>
    """
    if text is None:
        return None
    from galzoo_repr._angle import read_angle as angle_of

    return angle_of(text, option)


def read_fov(text: str | None, radius: str | None) -> "u.Quantity | None":
    """Angle of ``--fov``, which goes with no ``--radius-column``."""
    if text is not None and radius is not None:
        raise ValueError("--fov and --radius-column both say how wide a field to cut out; give one of them")
    return read_angle(text)


def field_of_view(table: "Table", fov: "u.Quantity | None", radius: str | None) -> "u.Quantity | None":
    """Side of the field around each galaxy, by the rule of Galaxy Zoo where a column of radii is named."""
    if radius is None:
        return fov
    from galzoo_repr._arguments import check_column
    from galzoo_repr.images import galaxy_zoo_fields, radius_columns

    pair = read_pair(radius, option := "--radius-column")
    names = [
        check_column(option, name, table.colnames) for name in ([pair] if isinstance(pair, str) else pair)
    ]
    try:
        return galaxy_zoo_fields(*radius_columns(table, names))
    except ValueError as error:
        raise ValueError(f"{option}: {error}") from error


def refuse_radius(catalogue: Path, radius: str | None) -> None:
    """Refuse for a HATS catalogue, whose rows are not in memory, a column of radii."""
    if radius is not None:
        raise ValueError(
            f"--radius-column is for tables, and {catalogue} is a folder; give --fov, such as '30 arcsec', or rename "
            "the column in it"
        )


def read_pair(text: str | None, option: str) -> str | tuple[str, str] | None:
    """
    Names of columns out of text: one, or two separated by a comma.

    Raises
    ------
    ValueError
        If there are more, or a name is missing.

    Examples
    --------
    >>> read_pair("RA_NUC, DEC_NUC", "--coords")
    ('RA_NUC', 'DEC_NUC')
    """
    if text is None or (text.strip() and "," not in text):
        return text
    names = tuple(name.strip() for name in text.split(","))
    if len(names) != 2 or not all(names):
        raise ValueError(f"{option} takes the name of one column, or of two with a comma, not {text!r}")
    return names


def read_beside(texts: list[str] | None) -> dict[str, float] | None:
    """
    Columns and weights out of text.

    Parameters
    ----------
    texts : list of str or None
        Such as ``["z=0.5", "mag_r=0.2"]``.

    Returns
    -------
    dict of str to float, or None

    Raises
    ------
    ValueError
        If one is none, or a column is named more than once.

    Examples
    --------
    >>> read_beside(["z=0.5", "mag_r=0.2"])
    {'z': 0.5, 'mag_r': 0.2}
    """
    if not texts:
        return None
    pairs = [text.rpartition("=") for text in texts]
    try:
        beside = {name.strip(): float(weight) for name, _, weight in pairs}
    except ValueError:
        raise ValueError(
            f"--beside must be a column and its weight, such as z=0.5, not {' '.join(texts)}"
        ) from None
    if len(beside) < len(pairs) or "" in beside:
        raise ValueError(f"--beside must name each column once, with its weight, not {' '.join(texts)}")
    return beside


def read_prior(text: str | None) -> float | dict[str, float] | str | None:
    """
    Class balance out of text: a fraction, ``"catalogue"``, or fractions by name.

    Parameters
    ----------
    text : str or None
        Such as ``"0.05"`` or ``"spiral=0.3,elliptical=0.7"``.

    Returns
    -------
    float, dict, str or None

    Raises
    ------
    ValueError
        If it is none of these.

    Examples
    --------
    >>> read_prior("spiral=0.3, elliptical=0.7")
    {'spiral': 0.3, 'elliptical': 0.7}
    """
    if text is None or text == "catalogue":
        return text
    try:
        if "=" not in text:
            return float(text)
        pairs = [part.rpartition("=") for part in text.split(",")]
        fractions = {name.strip(): float(fraction) for name, _, fraction in pairs}
    except ValueError:
        raise ValueError(
            f"--prior must be a fraction, fractions such as 'spiral=0.3,elliptical=0.7', or catalogue, not {text!r}"
        ) from None
    if len(fractions) < len(pairs):
        raise ValueError(f"--prior names a class more than once: {text!r}")
    return fractions


def open_catalogue(path: Path) -> "Table":
    """Read a table in any format that `galzoo_repr.catalogue.read_catalogue` reads."""
    from galzoo_repr.catalogue import read_catalogue

    return read_catalogue(that_exists(path))


def refuse_existing(path: Path, overwrite: bool) -> None:
    """Refuse a place for the result that is taken, or has no folder, before the work rather than after it."""
    if path.exists() and not overwrite:
        raise FileExistsError(f"{path} exists; add --overwrite to replace it")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {path.parent} to write {path.name} into")


def refuse_table(path: Path, overwrite: bool) -> None:
    """As `refuse_existing`, where a table shall be written: refuse a name of no format, too."""
    from galzoo_repr.catalogue import table_format

    table_format(path)
    refuse_existing(path, overwrite)


def survey_at(server: str | None, layer: str | None, zero_point: float | None = None) -> "LegacySurvey":
    """Client of the survey, as `galzoo_repr.LegacySurvey` takes server, layer and zero point."""
    from galzoo_repr import LegacySurvey

    return LegacySurvey(server=server, layer=layer, zero_point=zero_point)


def fallbacks(names: list[str] | None, server: str | None) -> "list[Route] | None":
    """
    Surveys out of their names, as `galzoo_repr.add_cutouts` takes them.

    Parameters
    ----------
    names : list of str or None
        ``"hips"``, ``"bricks"``, a HiPS (with a slash), or a layer of the viewer.
    server : str or None
        Of the viewer.

    Returns
    -------
    list of Route, or None

    Examples
    --------
    >>> [survey.layer for survey in fallbacks(["CDS/P/SDSS9", "ls-dr9"], None)]
    ['CDS/P/SDSS9', 'ls-dr9']
    """
    from galzoo_repr.cutouts import BrickSurvey, HipsSurvey

    routes = {"hips": HipsSurvey, "bricks": BrickSurvey}
    return names and [
        routes[name]()
        if name in routes
        else HipsSurvey(layer=name)
        if "/" in name
        else survey_at(server, name)
        for name in names
    ]
