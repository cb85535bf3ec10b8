"""Arguments that several commands share, and how text becomes angles, positions and tables."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from galzoo_repr.cli._terminal import Form

if TYPE_CHECKING:
    from astropy import units as u
    from astropy.table import Table

    from galzoo_repr import LegacySurvey
    from galzoo_repr.cutouts import Route

__all__ = [
    "Beside",
    "CatalogueIn",
    "CatalogueOut",
    "Coords",
    "Device",
    "EncoderName",
    "FailOn",
    "Fallback",
    "Format",
    "Fov",
    "Json",
    "Keep",
    "Layer",
    "Overwrite",
    "Quiet",
    "Server",
    "Store",
    "ZeroPoint",
    "fallbacks",
    "open_catalogue",
    "read_angle",
    "read_beside",
    "read_coords",
    "read_prior",
    "refuse_existing",
    "refuse_table",
    "survey_at",
]


def _that_exists(path: Path) -> Path:
    """Refuse what is not there before anything that takes time to be imported."""
    if not path.exists():
        raise FileNotFoundError(f"there is no file {path}")
    return path


CatalogueIn = Annotated[
    Path,
    typer.Argument(
        metavar="CATALOGUE",
        callback=_that_exists,
        help="Table with positions: ECSV, Parquet, FITS, VOTable, CSV...",
    ),
]
CatalogueOut = Annotated[
    Path, typer.Argument(metavar="OUT", help="Table to write: .ecsv, .parquet, .fits or .vot.")
]
Coords = Annotated[
    str | None, typer.Option(help="Column of the positions, or 'RA,DEC' for two, if not under usual names.")
]
EncoderName = Annotated[
    str,
    typer.Option(
        help="bundled, bundled-int8, a folder, hf-hub:mwalmsley/zoobot-encoder-..., or a timm model."
    ),
]
Fov = Annotated[
    str | None,
    typer.Option(
        help="Side of the field around each galaxy, such as '30 arcsec'; by default from its radius."
    ),
]
Layer = Annotated[str | None, typer.Option(help="Image layer of the survey, such as ls-dr10.")]
Server = Annotated[str | None, typer.Option(help="Base URL of the viewer, such as that of serve-survey.")]
ZeroPoint = Annotated[
    float | None,
    typer.Option(help="AB magnitude of one count of the layer, if no document that is known here tells it."),
]
Fallback = Annotated[
    list[str] | None,
    typer.Option(
        help="Where else to look for images: hips, bricks, a HiPS such as CDS/P/SDSS9, or a layer; repeatable."
    ),
]
Store = Annotated[
    Path | None, typer.Option(help="Folder that keeps cutouts; by default the package's cache.")
]
Keep = Annotated[
    str | None,
    typer.Option(
        metavar="fits|jpeg|none",
        help="What to keep of images once they are encoded; for good: keep in galzoo_repr.cfg or GALZOO_REPR_KEEP.",
    ),
]
Beside = Annotated[
    list[str] | None,
    typer.Option(
        metavar="COLUMN=WEIGHT", help="Column that counts beside the picture, such as z=0.5; repeatable."
    ),
]
Device = Annotated[
    str | None, typer.Option(help="Where to compute: cpu, gpu, cuda:1...; by default the best there is.")
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace the output and columns that exist.")]
FailOn = Annotated[
    str,
    typer.Option(
        metavar="PART", help="Galaxies that may fail, such as 0.1 or 10%, before the exit code is 3."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print the counts as JSON.")]
Format = Annotated[Form, typer.Option("--format", help="How to print the list.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress bars.")]


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


def read_coords(text: str | None) -> str | tuple[str, ...] | None:
    """Names of position columns out of text: one name, or two separated by a comma."""
    if text is None or "," not in text:
        return text
    return tuple(name.strip() for name in text.split(","))


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

    return read_catalogue(_that_exists(path))


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
