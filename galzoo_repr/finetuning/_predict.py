"""Predictions as columns of a catalogue."""

import os
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypedDict, Unpack

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import QTable, Table

from galzoo_repr._by_partition import by_partition, is_hats, refuse_for_table
from galzoo_repr._config import log
from galzoo_repr.catalogue import (
    Beside,
    Embeddings,
    as_table,
    coords_fact,
    read_embeddings,
    refuse_existing,
    with_columns,
)
from galzoo_repr.cutouts import CutoutStore, LegacySurvey
from galzoo_repr.encoders import EmbeddingStore, Encoder, add_embeddings
from galzoo_repr.exceptions import GalzooWarning
from galzoo_repr.finetuning._columns import column_names, prediction_columns, unlike_column
from galzoo_repr.finetuning._labels import read_labels
from galzoo_repr.finetuning._model import MorphologyModel
from galzoo_repr.finetuning._prediction import Prediction
from galzoo_repr.finetuning._prior import ENOUGH, Balance, Prior

if TYPE_CHECKING:
    from distributed import Client

__all__ = [
    "EmbeddingOptions",
    "add_predictions",
    "embedded_for",
    "find_encoder",
    "labelled_rows",
    "model_of",
    "must_embed",
    "predict_rows",
    "with_beside",
]


class EmbeddingOptions(TypedDict, total=False):
    """Options of `galzoo_repr.add_embeddings` for galaxies that a model must embed."""

    images: str | Sequence | np.ndarray | None
    coords: str | tuple[str, str] | SkyCoord | None
    fov: u.Quantity | None
    survey: LegacySurvey | None
    store: CutoutStore | str | os.PathLike | None
    embedding_store: EmbeddingStore | str | os.PathLike | bool | None
    mixed_routes: bool
    batch_size: int | None
    device: str | None
    progress: bool


def add_predictions(
    table: Table | SkyCoord,
    model: MorphologyModel | str | os.PathLike,
    *,
    name: str | None = None,
    prior: Prior = None,
    embedding: str = "embedding",
    encoder: str | os.PathLike | Encoder | None = None,
    overwrite: bool = False,
    progress: bool = True,
    out: str | os.PathLike | None = None,
    client: "Client | None" = None,
    part: tuple[int, int] | None = None,
    max_rate: float | None = None,
    **images: Unpack[EmbeddingOptions],
) -> Table:
    """
    Add what a model predicts for every galaxy of a catalogue.

    Parameters
    ----------
    table : Table, QTable or SkyCoord
        Catalogue, or a HATS catalogue: its folder, or what LSDB made of it.
        Where it has no column of embeddings, its galaxies are embedded first, by the encoder of
        the model. A model whose encoder was fine-tuned embeds galaxies of any catalogue with it.
    model : MorphologyModel, str or os.PathLike
        As `galzoo_repr.finetune` gives it, or the folder it was saved in, or its name on the hub,
        ``"hf-hub:owner/repository"``.
    name : str, optional
        Start of the names of the new columns, instead of ``model.stem``.
    prior : float, mapping, sequence or "catalogue", optional
        Class balance of the catalogue, where it is not that of the labels, which probabilities assume otherwise: of
        a label of yes or no the fraction of galaxies that have it; of classes, or several labels, a fraction for
        each, by name or in the order of ``model.classes``. ``"catalogue"`` estimates it from the catalogue's
        unlabelled galaxies by expectation-maximisation (Saerens, Latinne & Decaestecker 2002, *Neural Computation*
        14, 21). Probabilities and their standard deviations are corrected by Bayes' rule.
    embedding : str
        Column of embeddings, made by the encoder that the model was trained on.
    encoder : Encoder, str or os.PathLike, optional
        Where the encoder of the model is now, if it must embed and is not found by its name.
    overwrite : bool
        Allow columns of these names to be replaced.
    progress : bool
        Show a progress bar while embedding.
    out : str or os.PathLike, optional
        For a HATS catalogue: folder of the new one, see `galzoo_repr.hats.add_embeddings`.
    client : distributed.Client, optional
        For a HATS catalogue: client of Dask whose workers do its partitions; this process when not given.
    part, max_rate : optional
        For a HATS catalogue: as for `galzoo_repr.hats.add_embeddings`.
    **images
        Options of `galzoo_repr.add_embeddings` for galaxies that must be embedded: ``images``, ``coords``,
        ``fov``, ``survey``, ``store``, ``device``...

    Returns
    -------
    Table or QTable
        Same class and rows, with these float64 columns, NaN where there is no embedding:

        - yes or no: ``ring_probability`` and ``ring_probability_std``, for each of several labels;
        - classes: ``kind_spiral_probability`` and its ``_std`` for each, and ``kind_class`` (str, the most
          probable);
        - regression: ``size_prediction`` and ``size_prediction_std``, with the unit of the labels;
        - votes: for each answer ``bar-dr5_yes_fraction``, among those asked, with the 68 per cent interval of
          the Dirichlet distribution ``_fraction_low`` and ``_fraction_high``, and ``bar-dr5_yes_probability``
          that a volunteer reaches this answer, the product of fractions down the tree;
        - always: ``ring_unlike``, in 0 to 1, how far the galaxy is from all that were labelled: the share of these
          that are closer to the most similar other one than it is to any of them. Of galaxies like the labelled ones
          one in twenty is above 0.95; stars, artefacts and images of another survey are near 1, and their
          predictions mean little. NaN also if the model was saved by a version that did not keep its galaxies.

    Raises
    ------
    ValueError
        If the embeddings are of another encoder, the columns exist, or there is a prior for numbers or votes.
    FileNotFoundError
        If embeddings are missing and the encoder of the model is gone.

    Warns
    -----
    GalzooWarning
        If the encoder was fine-tuned, so that the galaxies are embedded again; or a class balance that was estimated
        is not to be relied on, because the galaxies are few or the model does not tell the classes apart.

    Examples
    --------
    >>> import numpy as np
    >>> from astropy.table import Table
    >>> import galzoo_repr as gzr
    >>> embedding = np.random.default_rng(0).normal(size=(300, 8)).astype("float32")
    >>> ring = np.where(np.arange(300) < 60, embedding[:, 0] > 0, np.nan)
    >>> galaxies = Table({"embedding": embedding, "ring": ring})
    >>> galaxies = gzr.add_predictions(galaxies, gzr.finetune(galaxies, "ring", members=2))
    >>> bool(np.mean((galaxies["ring_probability"] > 0.5) == (embedding[:, 0] > 0)) > 0.9)
    True
    """
    arguments = {name: value for name, value in locals().items() if name != "images"}
    if is_hats(table):
        return by_partition("add_predictions", arguments | images)
    refuse_for_table(arguments)
    table = as_table(table, copy=False)
    model = model_of(model)
    if isinstance(name, str) and not name.strip():
        raise ValueError("name is blank; say how the names of the new columns begin, or leave it out")
    name = model.stem if name is None else name
    refuse_existing(table, column_names(model, name), overwrite=overwrite)
    model.check_prior(prior)
    if embedding not in table.colnames:
        table = seen = _embedded(table, model, embedding, encoder, progress=progress, **images)
    else:
        seen = embedded_for(table, model, embedding, progress=progress, **images)
    usable, vectors = _readable(seen, model, embedding)
    balance = model.balance_for(
        prior, _unlabelled(table, model, usable, vectors) if isinstance(prior, str) else vectors
    )
    prediction = model.predict(vectors, balance=balance)
    columns = prediction_columns(model, prediction, usable, name, quantities=isinstance(table, QTable))
    columns[f"{name}_unlike"] = unlike_column(model, vectors, usable)
    facts = {
        "label": model.label,
        "task": model.task,
        "n_labelled": model.card["n_labelled"],
        "data_digest": model.card["data_digest"],
        "model_encoder_digest": model.digest,
        "embedding": embedding,
        **_facts_of(model, prior, balance),
        **coords_fact(images.get("coords")),
    }
    if "beside" in model.card:
        facts["beside"] = model.card["beside"]
    return with_columns(table, columns, overwrite=overwrite, provenance=facts, call=f"add_predictions_{name}")


def must_embed(table: Table, model: MorphologyModel, embedding: str) -> bool:
    """
    Tell whether galaxies must be embedded before a model can predict them.

    Parameters
    ----------
    table : Table
    model : MorphologyModel
    embedding : str
        Column of embeddings.

    Returns
    -------
    bool
        True if there is no such column, or the model has an encoder of its own, which did not make it.

    Examples
    --------
    >>> import numpy as np
    >>> from astropy.table import Table
    >>> import galzoo_repr as gzr
    >>> from galzoo_repr.finetuning import must_embed
    >>> embedding = np.random.default_rng(0).normal(size=(60, 4))
    >>> galaxies = Table({"ring": embedding[:, 0] > 0, "embedding": embedding})
    >>> model = gzr.finetune(galaxies, "ring", members=2)
    >>> must_embed(galaxies, model, "embedding"), must_embed(galaxies["ring",], model, "embedding")
    (False, True)
    """
    if embedding not in table.colnames:
        return True
    return model.encoder is not None and read_embeddings(table, embedding).encoder != model.digest


def embedded_for(
    table: Table, model: MorphologyModel, embedding: str, **options: Unpack[EmbeddingOptions]
) -> Table:
    """
    Give the table that a model can read: the same, or one embedded again by the encoder that was fine-tuned.

    Warns if galaxies are embedded again; a `TypeError` if there are options of `galzoo_repr.add_embeddings`, but
    nothing is to be embedded.
    """
    if must_embed(table, model, embedding):
        return _embedded_anew(table, model, embedding, **options)
    if options := [name for name in options if name != "progress"]:
        raise TypeError(
            f"{', '.join(options)} would be for embedding, but the catalogue has a column {embedding!r}"
        )
    return table


def predict_rows(table: Table, model: MorphologyModel, embedding: str) -> tuple[np.ndarray, Prediction]:
    """
    Tell which rows have an embedding, bool of shape (n,), and predict these.

    A `ValueError` if the embeddings are of another encoder.
    """
    usable, vectors = _readable(table, model, embedding)
    return usable, model.predict(vectors)


def labelled_rows(table: Table, model: MorphologyModel) -> np.ndarray:
    """Rows that have a label in the columns that a model was trained on, bool of shape (n,)."""
    labelled = np.zeros(len(table), dtype=bool)
    source = {"several": list(model.classes), "votes": model.schema}.get(model.task, model.label)
    needed = model.classes if model.task in ("several", "votes") else (model.label,)
    if all(name in table.colnames for name in needed):
        with warnings.catch_warnings():  # which were said when the model learned
            warnings.simplefilter("ignore", GalzooWarning)
            labelled[read_labels(table, source, task=model.task).rows] = True
    return labelled


def _readable(table: Table, model: MorphologyModel, embedding: str) -> tuple[np.ndarray, np.ndarray]:
    """Which rows have an embedding, bool of shape (n,), and these embeddings, shape (m, d)."""
    found = read_embeddings(table, embedding)
    if model.digest and found.encoder and model.digest != found.encoder:
        raise ValueError(
            f"column {embedding!r} was made by encoder {found.encoder[:12]}, but this model of "
            f"{model.label!r} reads the embeddings of {model.card['encoder']['name']!r} "
            f"({model.digest[:12]}): embed the catalogue with that encoder, or train the model again on "
            "these embeddings"
        )
    found = with_beside(found, table, model)
    return found.usable, found.vectors if found.usable.all() else found.vectors[found.usable]


def with_beside(found: Embeddings, table: Table, model: MorphologyModel) -> Embeddings:
    """Embeddings with the columns that a model reads beside them, if it does."""
    if "beside" not in model.card:
        return found
    return Beside.from_dict(model.card["beside"]).beside_embeddings(found, table, elsewhere=True)


def _embedded(
    table: Table,
    model: MorphologyModel,
    embedding: str,
    encoder: str | os.PathLike | Encoder | None,
    **options: Unpack[EmbeddingOptions],
) -> Table:
    """Embed a catalogue with the encoder of a model."""
    about = model.card["encoder"]
    found = model.encoder or find_encoder(encoder or about["name"], about, options.get("device"))
    log.info("The catalogue has no column %r: embedding it with %s.", embedding, found.name)
    return add_embeddings(table, encoder=found, name=embedding, **options)


def _embedded_anew(
    table: Table, model: MorphologyModel, embedding: str, **options: Unpack[EmbeddingOptions]
) -> Table:
    """Embed a catalogue with a fine-tuned encoder, for the prediction alone."""
    warnings.warn(
        f"the encoder of this model of {model.label!r} was fine-tuned: the {len(table)} galaxies are embedded "
        f"again with it. The column {embedding!r} is left as it is.",
        GalzooWarning,
        stacklevel=4,
    )
    unneeded = {"cutout", "cutout_status"} if options.get("images") is not None else set()
    table = table.copy(copy_data=False)
    table.remove_columns([name for name in table.colnames if name in {embedding, *unneeded}])
    return add_embeddings(table, encoder=model.encoder, name=embedding, **options)


def find_encoder(encoder: str | os.PathLike | Encoder, about: dict, device: str | None = None) -> Encoder:
    """
    Load the encoder that a model was trained on, by name or folder, and compare it with the card of the model.

    `about` is what the card says of it. A `FileNotFoundError` if it is gone; a `ValueError` if it is another one, or
    nobody knows which it was.
    """
    if not encoder:
        raise ValueError(
            "it is not known which encoder made the embeddings that the model was trained on; give encoder=, "
            "or embed the catalogue with add_embeddings first"
        )
    if not isinstance(encoder, Encoder):
        try:
            encoder = Encoder.load(encoder, device=device)
        except (ValueError, FileNotFoundError) as error:
            raise FileNotFoundError(
                f"the encoder {str(encoder)!r} of the model is not to be found: {error}; say where it is now "
                "with encoder=, or give a catalogue that it has embedded"
            ) from error
    elif device is not None:
        encoder.to(device)
    if about["digest"] and encoder.digest != about["digest"]:
        raise ValueError(
            f"encoder {encoder.name!r} has digest {encoder.digest[:12]}, but the embeddings that the model "
            f"was trained on were made by {about['digest'][:12]}; give that one as encoder="
        )
    return encoder


def _facts_of(model: MorphologyModel, prior: Prior, balance: Balance | None) -> dict:
    """Which class balance the probabilities are for, and how it was found."""
    if model.balance is None:
        return {}

    def by_name(fractions: np.ndarray) -> dict[str, float]:
        return dict(zip(model.classes, fractions.tolist(), strict=True))

    facts = {"balance_of_labels": by_name(model.balance)}
    if balance is None:
        return {**facts, "prior": "labels", "balance": by_name(model.balance)}
    facts |= {"prior": prior if isinstance(prior, str) else "stated", "balance": by_name(balance.fractions)}
    if balance.std is not None:
        facts |= {"balance_std": by_name(balance.std), "balance_from_n": balance.n_galaxies}
    return facts


def _unlabelled(table: Table, model: MorphologyModel, usable: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Embeddings of galaxies that the model was not trained on, enough to tell a class balance."""
    rows = np.flatnonzero(~labelled_rows(table, model)[usable])
    return vectors[rows[:: max(1, -(-len(rows) // ENOUGH))]]


def model_of(model: MorphologyModel | str | os.PathLike) -> MorphologyModel:
    """Load a model that is given by its folder or name."""
    if isinstance(model, (str, os.PathLike)):
        model = MorphologyModel.load(model)
    if not isinstance(model, MorphologyModel):
        raise TypeError(
            f"model must be a MorphologyModel, or the folder or name of one, not {type(model).__name__}"
        )
    return model
