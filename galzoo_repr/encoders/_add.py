"""A catalogue goes in, the same catalogue with embeddings comes out."""

import os
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Column, Table

from galzoo_repr._angle import AngleLike, read_angle
from galzoo_repr._arguments import check_choice, check_whole_number
from galzoo_repr._by_partition import by_partition, is_hats, refuse_for_table
from galzoo_repr._config import log
from galzoo_repr._progress import closing_line, say_what_is_kept
from galzoo_repr.catalogue import as_table, coords_fact, sky_positions, with_columns
from galzoo_repr.cutouts import KEEP, CutoutStore, Route, flux_scale_column, warn_of_failures
from galzoo_repr.encoders._encoder import Encoder
from galzoo_repr.encoders._outcome import Outcome
from galzoo_repr.encoders._store import EmbeddingStore, Shelf
from galzoo_repr.encoders._stream import EmbeddingStream
from galzoo_repr.encoders._survey_pictures import SurveyPictures
from galzoo_repr.encoders._vectors import settled
from galzoo_repr.images import Pictures, pictures_of

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["add_embeddings"]

# Views of galaxies for which the seconds that a graph takes, once for each architecture, come back.
_WORTH_A_GRAPH = 4000

# Reasons of failed rows that go into the provenance; the rest are in the log and the status column.
_REASONS_KEPT = 100


def add_embeddings(
    table: Table | SkyCoord,
    *,
    encoder: str | os.PathLike | Encoder = "bundled",
    fov: AngleLike | None = None,
    coords: str | tuple[str, str] | SkyCoord | None = None,
    images: Pictures | None = None,
    survey: Route | None = None,
    fallback: Sequence[Route] | None = None,
    store: CutoutStore | str | os.PathLike | None = None,
    embedding_store: EmbeddingStore | str | os.PathLike | bool | None = None,
    keep: str | None = None,
    mixed_routes: bool = False,
    batch_size: int | None = None,
    device: str | None = None,
    name: str = "embedding",
    overwrite: bool = False,
    progress: bool = True,
    out: str | os.PathLike | None = None,
    client: "Client | None" = None,
    part: tuple[int, int] | None = None,
    max_rate: float | None = None,
) -> Table:
    """
    Describe what every galaxy of a catalogue looks like by a vector.

    Images that are missing are fetched, read, brought into the form that the encoder was trained with, and
    encoded, all in one stream. What was embedded before by the same encoder is not computed again; a call
    that was interrupted or killed goes on where it was.

    Parameters
    ----------
    table : `~astropy.table.Table`, `~astropy.table.QTable` or `~astropy.coordinates.SkyCoord`
        Catalogue of n rows; never changed. Or a HATS catalogue:
        its folder, or what LSDB made of it. If it has the columns ``cutout`` and ``cutout_status`` of
        `galzoo_repr.add_cutouts`, these cutouts are used, and only those that failed for a passing reason are
        fetched.
    encoder : Encoder, str or os.PathLike, optional
        Encoder, or a name or folder for `Encoder.load`.
    fov : `~astropy.units.Quantity` or str, optional
        Field of view, one angle or one per row, instead of the rule of the encoder's recipe.
    coords : str, tuple of str or `~astropy.coordinates.SkyCoord`, optional
        Where the positions are, when the columns have unusual names.
    images : str, sequence or `~numpy.ndarray`, optional
        Images at hand, instead of fetching, north up: the name of a column, n pictures, or one array of all. A
        picture is a file (FITS, JPEG, PNG) or its content, an image of Pillow, or an array or tensor of any
        size, grey or in colour, uint8, uint16 or floating in 0 to 1; see `galzoo_repr.images.read_image`. One
        that cannot be used has its reason as a status.
    survey : LegacySurvey, HipsSurvey or BrickSurvey, optional
        Service to ask; the Legacy Survey viewer when not given.
    fallback : sequence of LegacySurvey, HipsSurvey or BrickSurvey, optional
        Services to ask in turn for the images that the one before does not have, or cannot give. Their cutouts are
        taken together, although their pixels differ; ``cutout_survey`` tells them apart.
    store : CutoutStore, str or os.PathLike, optional
        Store of cutouts, or its folder; the package's cache when not given.
    embedding_store : EmbeddingStore, str, os.PathLike or bool, optional
        Store of embeddings, or its folder; the package's cache when not given; False for none, as always where the
        stretch of the recipe is a function.
    keep : {"fits", "jpeg", "none"}, optional
        What to leave of a cutout that is fetched, once its embedding is kept: the file as it came, a small colour
        picture to look at, or nothing; ``conf.keep`` when not given. An embedding is not computed, nor its cutout
        fetched, again; for another encoder it is fetched again. What was in the store before stays. Cutouts without
        an embedding stay, too.
    mixed_routes : bool, optional
        Embed cutouts of several layers or routes (viewer, HiPS, bricks) together. They are refused otherwise,
        as their pixels differ.
    batch_size : int, optional
        Images in one pass of the network; chosen for the device when not given.
    device : str, optional
        Such as ``"gpu"``, ``"cuda:1"`` or ``"cpu"``. When not given, a GPU if there is one; an `Encoder` stays
        where it is.
    name : str, optional
        Name of the column of embeddings.
    overwrite : bool, optional
        Replace columns of these names, and fetch anew what ``cutout_status`` calls failed.
    progress : bool, optional
        Show bars, of fetching and of embedding, and log at their end (``galzoo_repr``, INFO) how fast it went and what
        set the pace.
    out : str or os.PathLike, optional
        For a HATS catalogue: folder of the new one, see `galzoo_repr.hats.add_embeddings`.
    client : distributed.Client, optional
        For a HATS catalogue: client of Dask whose workers do its partitions; this process when not given.
    part, max_rate : optional
        For a HATS catalogue: as for `galzoo_repr.hats.add_embeddings`.

    Returns
    -------
    `~astropy.table.Table`
        Of the same class, with the columns ``embedding`` (float32, ``(n, dim)``, NaN where there is none),
        ``cutout`` (str, path of what is kept of the image, empty where nothing is) and ``cutout_status`` (str:
        `galzoo_repr.cutouts.STATUSES`), and where `galzoo_repr.add_cutouts` would add them, ``cutout_survey`` and
        ``cutout_flux_scale``. As Galaxy Zoo did, a ``partial`` image is left out if a fifth or more
        of a band has no data.

    Raises
    ------
    TypeError
        If the catalogue is no table, or an angle has no unit.
    ValueError
        If there are neither images nor positions, no field of view can be found, a column of this name
        exists, the cutouts are of several layers or routes, or the survey lacks a band of the recipe or has an
        unknown flux scale.
    astroquery.exceptions.RemoteServiceError
        If the weights of the encoder are neither here nor reachable.

    Warns
    -----
    GalzooWarning
        If rows have no embedding: how many with which status, and why most of them.

    Examples
    --------
    >>> import numpy as np, timm
    >>> from astropy.table import Table
    >>> from galzoo_repr import Encoder, ImageRecipe, add_embeddings
    >>> network = timm.create_model("lcnet_035", num_classes=0)
    >>> untrained = Encoder(network, ImageRecipe(size=64), name="untrained")
    >>> galaxies = Table({"id": [1, 2]})
    >>> pictures = np.random.default_rng(0).random((2, 100, 100, 3))
    >>> embedded = add_embeddings(
    ...     galaxies, encoder=untrained, images=pictures, embedding_store=False, progress=False
    ... )
    >>> embedded["embedding"].shape == (2, untrained.dim)
    True
    """
    if is_hats(table):
        return by_partition("add_embeddings", locals())
    refuse_for_table(locals())
    catalogue = as_table(table, copy=False)
    if keep is not None:
        check_choice("keep", keep, KEEP)
    _refuse_existing(catalogue, name, with_images=images is not None, overwrite=overwrite)
    fov = None if fov is None else read_angle(fov, "fov")
    if batch_size is not None:
        check_whole_number("batch_size", batch_size)
    # What can be wrong with the table is said before an encoder is built, or even downloaded.
    has_cutouts = {"cutout", "cutout_status"} <= set(catalogue.colnames)
    pictures = None if images is None else pictures_of(catalogue, images)
    if images is None and not has_cutouts and not isinstance(coords, SkyCoord):
        sky_positions(catalogue[:0], coords=coords)
    if not isinstance(encoder, Encoder):
        encoder = Encoder.load(encoder, device=device)
    elif device is not None:
        encoder.to(device)
    if len(catalogue) * encoder.views >= _WORTH_A_GRAPH:
        encoder.accelerate_if_possible()
    digest = encoder.digest
    facts = {"encoder": encoder.name, "encoder_digest": digest, "recipe_digest": encoder.recipe.digest}
    if callable(encoder.recipe.stretch):
        # Nothing tells a function from another in the next run.
        embedding_store = _refuse_to_keep(embedding_store)
    shelf = _shelf(embedding_store, digest, encoder.dim)
    source, fluxes = None, [None] * len(catalogue)
    stream = EmbeddingStream(
        encoder,
        len(catalogue),
        shelf=shelf,
        batch_size=batch_size,
        after=lambda rows: source and source.embedded(rows),
    )
    outcome = stream.outcome
    try:
        if images is not None:
            fluxes = [picture.flux for picture in pictures]
            with say_what_is_kept(lambda: _kept(stream, shelf)):
                stream.run(enumerate(pictures), progress=progress)
            facts["images"] = images if isinstance(images, str) else type(images).__name__
        elif len(catalogue):
            source = SurveyPictures(
                catalogue,
                encoder.recipe,
                survey=survey,
                fallback=fallback,
                store=store,
                fov=fov,
                coords=coords,
                again=overwrite,
                mixed=mixed_routes,
                keep=keep,
                shelf=shelf,
            )
            with say_what_is_kept(lambda: _kept(stream, shelf, source)), closing(source):
                with closing(source.pictures(stream.figures.fetch, progress=progress)) as taken:
                    stream.run(taken, progress=progress)
                if "missing" in outcome.statuses:
                    with closing(source.lost(outcome.paths, outcome.statuses, stream.figures.fetch)) as taken:
                        stream.run(taken, progress=False)
            outcome.paths = source.files(outcome.paths)
            facts |= source.facts
            fluxes = source.fluxes
    finally:
        if shelf is not None:
            shelf.close()
    failed = np.flatnonzero(~outcome.embedded).tolist()
    figures = stream.facts(len(failed))
    if progress:
        log.info("%s.", closing_line(len(catalogue), figures))
    warn_of_failures("embedding", outcome.statuses, outcome.reasons, failed, source.asked if source else ())
    facts |= {
        "name": name,
        "figures": figures,
        **_summary(stream, failed, encoder, fov),
        **coords_fact(coords),
    }
    columns = _columns_of_cutouts(outcome, fluxes, always="cutout_flux_scale" in catalogue.colnames)
    if source is not None and (len(source.surveys) > 1 or "cutout_survey" in catalogue.colnames):
        columns["cutout_survey"] = Column(
            np.array(source.survey_names, dtype=str),
            description="Layer and route of the cutout; empty if none",
        )
    # The cutouts of a catalogue that has them already come back completed.
    catalogue = with_columns(catalogue, columns, overwrite=True, call="add_embeddings")
    return with_columns(
        catalogue,
        {name: _column_of_embeddings(outcome, facts)},
        overwrite=overwrite,
        provenance=facts,
        call="add_embeddings",
        copy=False,  # as it has been copied just now
    )


def _refuse_existing(catalogue: Table, name: str, *, with_images: bool, overwrite: bool) -> None:
    if not isinstance(name, str) or not name:
        raise TypeError(f"name={name!r} is no name of a column; give text, such as name='embedding'")
    if overwrite:
        return
    if name in catalogue.colnames:
        made_by = (catalogue[name].info.meta or {}).get("encoder")
        by = f", made by encoder {made_by!r}" if made_by else ""
        raise ValueError(
            f"the catalogue already has a column {name!r}{by}; pass overwrite=True to replace it, or give "
            "another name="
        )
    if with_images and (taken := {"cutout", "cutout_status"} & set(catalogue.colnames)):
        raise ValueError(
            f"the catalogue already has {', '.join(sorted(taken))}, which images would replace; pass "
            "overwrite=True, or leave images out to embed the cutouts"
        )


def _refuse_to_keep(store: EmbeddingStore | str | os.PathLike | bool | None) -> bool:
    if store not in (None, False):
        raise ValueError(
            "the stretch of the recipe is a function, which a later run cannot tell from another, so that its "
            "embeddings are not kept: leave embedding_store out"
        )
    return False


def _shelf(store: EmbeddingStore | str | os.PathLike | bool | None, digest: str, dim: int) -> Shelf | None:
    if store is False:
        return None
    if store is None or store is True:
        store = EmbeddingStore()
    return (store if isinstance(store, EmbeddingStore) else EmbeddingStore(store)).shelf(digest, dim=dim)


def _kept(stream: EmbeddingStream, shelf: Shelf | None, source: SurveyPictures | None = None) -> str:
    """What is left of a call that is interrupted."""
    kept = []
    if source is not None:
        fetched = f"{stream.figures.fetch.fetched:,} cutouts fetched now"
        left = fetched if source.store.keep == "fits" else "cutouts fetched but not encoded"
        kept.append(f"{left} are kept in {source.store.root}")
    if shelf is not None:
        kept.append(f"{stream.computed:,} embeddings computed now are kept in {shelf.path.parent}")
    return ", ".join(kept)


def _summary(stream: EmbeddingStream, failed: list[int], encoder: Encoder, fov: u.Quantity | None) -> dict:
    outcome = stream.outcome
    summary = dict(sorted(Counter(outcome.statuses).items()))
    log.info(
        "Embedded %d of %d rows (%d now, the others before): %s.",
        len(outcome.statuses) - len(failed),
        len(outcome.statuses),
        stream.computed,
        ", ".join(f"{status} {count}" for status, count in summary.items()) or "no rows",
    )
    for row in failed[:_REASONS_KEPT]:
        log.info("Row %d: %s, %s.", row, outcome.statuses[row], outcome.reasons.get(row, ""))
    facts = {
        "recipe": encoder.recipe.to_dict(),
        "dim": encoder.dim,
        "views": encoder.views,
        "device": str(encoder.device),
        "summary": summary,
    }
    facts["failed"] = {str(row): outcome.reasons.get(row, "") for row in failed[:_REASONS_KEPT]}
    if fov is not None:
        facts |= {"fov": fov} if fov.isscalar else {"fov_per_row": True}
    return facts


def _column_of_embeddings(outcome: Outcome, facts: dict) -> Column:
    made_by = {key: facts[key] for key in ("encoder", "encoder_digest", "recipe_digest")}
    return Column(
        settled(outcome.vectors),
        description=f"What the galaxy looks like to encoder {facts['encoder']}; NaN where there is no image",
        meta={**made_by, "encoders": [facts["encoder_digest"]]},
        copy=False,
    )


def _columns_of_cutouts(
    outcome: Outcome, fluxes: list[tuple[float, ...] | None], *, always: bool
) -> dict[str, Column]:
    columns = {
        "cutout": Column(
            np.array(outcome.paths, dtype=str).reshape(-1),
            description="File of the image of the galaxy; empty if none is kept",
        ),
        "cutout_status": Column(
            np.array(outcome.statuses, dtype=str).reshape(-1),
            description="How getting and reading the image ended",
        ),
    }
    scales = flux_scale_column(fluxes, always=always)
    return columns if scales is None else columns | {"cutout_flux_scale": scales}
