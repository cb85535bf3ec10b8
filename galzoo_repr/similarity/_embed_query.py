"""A query galaxy that is not in the catalogue, embedded with the encoder and the recipe of the catalogue."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import QTable, Table

from galzoo_repr._config import log
from galzoo_repr.catalogue import provenance
from galzoo_repr.exceptions import GalzooWarning
from galzoo_repr.similarity._catalogue import Catalogue, Fetch

if TYPE_CHECKING:
    from galzoo_repr.cutouts import BrickSurvey, HipsSurvey, LegacySurvey
    from galzoo_repr.encoders import Encoder
    from galzoo_repr.images import PictureSource

__all__ = ["embed_images", "embed_positions"]


def embed_positions(catalogue: Catalogue, coordinates: SkyCoord, fetch: Fetch) -> np.ndarray:
    """
    Fetch and embed galaxies at sky positions.

    Parameters
    ----------
    catalogue : Catalogue
        Whose encoder and recipe to use.
    coordinates : astropy.coordinates.SkyCoord, shape (m,)
        Positions.
    fetch : Fetch
        Options of the user.

    Returns
    -------
    numpy.ndarray of float32, shape (m, d)

    Raises
    ------
    ValueError
        If the catalogue does not say which encoder made it, if the encoder at hand is another one, or if a
        galaxy could not be fetched.

    Warns
    -----
    GalzooWarning
        If the field of view is the median of those of the catalogue.
    """
    from galzoo_repr.encoders import add_embeddings

    encoder = matching_encoder(catalogue, fetch)
    log.info("Fetching %d query position(s) that the catalogue does not have.", len(coordinates))
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        embedded = add_embeddings(
            QTable({"coords": coordinates}),
            encoder=encoder,
            fov=_field_of_view(catalogue, encoder, coordinates, fetch),
            survey=_survey(catalogue, fetch),
            store=fetch.store,
            device=fetch.device,
            progress=False,
        )
    why = _pass_on(heard)
    return _vectors(embedded, [c.to_string("decimal") for c in coordinates], why)


def embed_images(catalogue: Catalogue, images: Sequence[PictureSource], fetch: Fetch) -> np.ndarray:
    """
    Embed m pictures of galaxies, float32 of shape (m, d).

    One that cannot be read is a `ValueError` with the status that a row of a catalogue would have; others are as for
    `embed_positions`.
    """
    from galzoo_repr.images import picture_of

    encoder = matching_encoder(catalogue, fetch)
    recipe = encoder.recipe
    found = []
    for image in images:
        picture = picture_of(image)
        found.append(picture.read(recipe.bands, keyed=False, fluxes=recipe.takes_fluxes))
        if found[-1].status != "ok":
            name = repr(picture.path) if picture.path else f"given as {type(image).__name__}"
            raise ValueError(f"the query image {name} cannot be used: {found[-1].status}, {found[-1].reason}")
    return encoder.embed(recipe.prepare(found))


def matching_encoder(catalogue: Catalogue, fetch: Fetch) -> Encoder:
    """
    Load the encoder that made the catalogue's embeddings.

    Parameters
    ----------
    catalogue : Catalogue
        Whose provenance names it.
    fetch : Fetch
        May give it, as an Encoder or by name or folder.

    Returns
    -------
    galzoo_repr.encoders.Encoder

    Raises
    ------
    ValueError
        If it is not known, or is not the one.
    """
    from galzoo_repr.encoders import Encoder

    made_by = _made_by(catalogue)
    given = made_by.get("encoder", "") if fetch.encoder is None else fetch.encoder
    if isinstance(given, str | Path) and not str(given):
        raise ValueError(
            "the catalogue does not say which encoder made its embeddings, so a galaxy outside it cannot be "
            "compared with them; give encoder="
        )
    encoder = Encoder.load(given, device=fetch.device) if isinstance(given, str | Path) else given
    recorded = catalogue.embeddings.encoder
    if recorded and encoder.digest != recorded:
        raise ValueError(
            f"encoder {encoder.name!r} has digest {encoder.digest[:12]}, but the catalogue was embedded by "
            f"{recorded[:12]}; give the same encoder=, or embed the catalogue again"
        )
    recipe = made_by.get("recipe_digest", "")
    if recipe and encoder.recipe.digest != recipe:
        raise ValueError(
            f"the recipe of encoder {encoder.name!r} ({encoder.recipe.digest[:12]}) is not the catalogue's "
            f"({recipe[:12]}); embed the catalogue again"
        )
    if encoder.dim != catalogue.embeddings.dim:
        raise ValueError(
            f"encoder {encoder.name!r} gives {encoder.dim} dimensions, "
            f"the catalogue has {catalogue.embeddings.dim}; embed the catalogue again"
        )
    return encoder


def _made_by(catalogue: Catalogue) -> dict[str, str]:
    """Say what made the embeddings, by their column or, where a format lost its meta, by the table."""
    meta = catalogue.table.meta
    of_table = {"encoder": meta.get("GZRENC", ""), "recipe_digest": meta.get("GZRRECIP", "")}
    return {**of_table, **(catalogue.table[catalogue.embedding].info.meta or {})}


def _survey(catalogue: Catalogue, fetch: Fetch) -> LegacySurvey | HipsSurvey | BrickSurvey | None:
    """Choose the survey of the user, or else that of the catalogue; None for the default."""
    meta = catalogue.table.meta
    flat = {"survey": "GZRSURV", "layer": "GZRLAYER", "route": "GZRROUTE"}
    recorded = {fact: meta[key] for fact, key in flat.items() if key in meta}
    recorded |= provenance(catalogue.table, "add_embeddings")
    if fetch.survey is not None or not set(flat) <= set(recorded):
        return fetch.survey
    if not all(isinstance(recorded[fact], str) for fact in flat):
        raise ValueError(
            "the catalogue's cutouts are of several layers or servers; say with survey= where to fetch the query"
        )
    from galzoo_repr.cutouts import BrickSurvey, HipsSurvey, LegacySurvey

    classes = {"viewer": LegacySurvey, "hips": HipsSurvey, "bricks": BrickSurvey}
    if recorded["route"] not in classes:
        return None
    native = recorded.get("native_scale")
    return classes[recorded["route"]](
        server=recorded["survey"],
        layer=recorded["layer"],
        zero_point=recorded.get("zero_point"),
        native_scale=None if native is None else native * u.arcsec,
    )


def _field_of_view(
    catalogue: Catalogue, encoder: Encoder, coordinates: SkyCoord, fetch: Fetch
) -> u.Quantity | None:
    """Take what the user says, what the catalogue was embedded with, or the middle of its galaxies' sizes."""
    if fetch.fov is not None:
        return fetch.fov
    recorded = provenance(catalogue.table, "add_embeddings").get("fov")
    if isinstance(recorded, str):
        return u.Quantity(recorded)
    try:
        fields = encoder.recipe.fields_of_view(catalogue.table)
    except ValueError:
        return None
    fields = fields[np.isfinite(fields)]
    if len(fields) == 0:
        return None
    fov = np.median(fields)
    warnings.warn(
        f"the catalogue has no galaxy at {', '.join(coordinates.to_string('decimal'))}, so its size is not known: "
        f"it is looked at in a field of {fov.to_value(u.arcsec):.0f} arcsec, the median of the catalogue. If it is "
        f"much larger or smaller than galaxies there, give fov='30 arcsec', say; "
        "17 half-light radii are usual.",
        GalzooWarning,
        stacklevel=2,
    )
    return fov


def _pass_on(heard: Sequence[warnings.WarningMessage]) -> str:
    """Repeat the warnings heard, but that of rows without an embedding, which is an error here: give its reason."""
    why = ""
    for each in heard:
        text = str(each.message)
        if "rows have no embedding" in text:
            why = text.partition(" most often, as in ")[2].partition(": ")[2]
        else:
            warnings.warn(each.message, each.category, stacklevel=3)
    return why


def _vectors(embedded: Table, names: list[str], why: str) -> np.ndarray:
    vectors = np.asarray(embedded["embedding"])
    failed = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if len(failed):
        what = ", ".join(f"{names[i]} ({embedded['cutout_status'][i]})" for i in failed)
        because = f": {why}" if why else "; choose another galaxy"
        raise ValueError(f"query position {what} could not be fetched and embedded{because}")
    return vectors
