"""Which galaxies to label next: those that the model is unsure of, and that are not alike."""

import os
from typing import Unpack

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.table import Column, Table

from galzoo_repr._arguments import check_seed, check_whole_number
from galzoo_repr.catalogue import as_table, read_embeddings, with_columns
from galzoo_repr.finetuning._model import MorphologyModel
from galzoo_repr.finetuning._predict import (
    EmbeddingOptions,
    embedded_for,
    labelled_rows,
    model_of,
    predict_rows,
    with_beside,
)
from galzoo_repr.finetuning._prediction import Prediction

__all__ = ["which_to_label"]

_POOL = 20_000


def which_to_label(
    table: Table | SkyCoord,
    model: MorphologyModel | str | os.PathLike,
    n: int = 10,
    *,
    embedding: str = "embedding",
    seed: int = 0,
    progress: bool = True,
    **images: Unpack[EmbeddingOptions],
) -> Table:
    """
    Choose the galaxies whose labels would teach a model most.

    Galaxies are drawn by the seeding of k-means++ (Arthur & Vassilvitskii 2007), each weighted by the square
    of the model's uncertainty (weighted clustering for active learning: Zhdanov 2019, arXiv:1901.05954): what
    is drawn is uncertain, and far from what was drawn before.

    Parameters
    ----------
    table : Table or QTable
        Catalogue with embeddings. Rows that have a label in the column the model was trained on are not
        chosen.
    model : MorphologyModel or str
        As `galzoo_repr.finetune` gives it, or the folder or name of one.
    n : int
        How many galaxies.
    embedding : str
        Column of embeddings.
    seed : int
        Of the draw.
    progress : bool
        Show a progress bar while embedding.
    **images
        Options of `galzoo_repr.add_embeddings`, for a model whose encoder was fine-tuned: it embeds the galaxies
        again, as in `galzoo_repr.add_predictions`.

    Returns
    -------
    Table or QTable
        The chosen rows of `table`, the least certain first, and columns ``row`` (index into `table`) and
        ``uncertainty`` (probability of being wrong, or standard deviation of numbers and fractions). Fewer than
        `n` if fewer are without a label.

    Raises
    ------
    ValueError
        If `n` is not positive, or embeddings are of another encoder.

    Warns
    -----
    GalzooWarning
        If the encoder was fine-tuned, so that the galaxies are embedded again.

    Examples
    --------
    >>> import numpy as np
    >>> from astropy.table import Table
    >>> import galzoo_repr as gzr
    >>> embedding = np.random.default_rng(0).normal(size=(300, 8)).astype("float32")
    >>> ring = np.where(np.arange(300) < 60, embedding[:, 0] > 0, np.nan)
    >>> galaxies = Table({"embedding": embedding, "ring": ring})
    >>> model = gzr.finetune(galaxies, "ring", members=2)
    >>> chosen = gzr.which_to_label(galaxies, model, 5)
    >>> len(chosen), bool((chosen["row"] >= 60).all())
    (5, True)
    """
    table, model = as_table(table, copy=False), model_of(model)
    n, seed = check_whole_number("n", n), check_seed(seed)
    read_embeddings(table, embedding)  # without which there is nothing to choose among
    seen = embedded_for(table, model, embedding, progress=progress, **images)
    usable, prediction = predict_rows(seen, model, embedding)
    uncertainty = np.full(len(table), np.nan)
    uncertainty[usable] = _uncertainty(model, prediction)
    free = np.flatnonzero(usable & ~labelled_rows(table, model))
    rows = _draw(
        with_beside(read_embeddings(seen, embedding), seen, model).vectors, uncertainty, free, model, n, seed
    )
    rows = rows[np.argsort(-uncertainty[rows], kind="stable")]
    columns = {
        "row": Column(rows.astype(np.int64), description="Row of the catalogue, counted from 0"),
        "uncertainty": Column(uncertainty[rows], description="How unsure the model is, higher is sooner"),
    }
    return with_columns(table[rows], columns, overwrite=True, call="which_to_label")


def _uncertainty(model: MorphologyModel, prediction: Prediction) -> np.ndarray:
    if model.task in ("binary", "several"):
        return np.minimum(prediction.value, 1 - prediction.value).mean(axis=1)
    if model.task == "classes":
        return 1 - prediction.value.max(axis=1)
    if model.task == "regression":
        return prediction.std[:, 0]
    # A question matters as far as it would be asked.
    schema = model.schema
    asked = schema.probability_asked(prediction.value)[:, schema.question_index]
    return (asked * prediction.std).mean(axis=1)


def _draw(
    vectors: np.ndarray, uncertainty: np.ndarray, free: np.ndarray, model: MorphologyModel, n: int, seed: int
) -> np.ndarray:
    if len(free) <= n:
        return free
    if len(free) > _POOL:  # the least certain of a large catalogue are diverse enough
        free = np.sort(free[np.argpartition(-uncertainty[free], _POOL)[:_POOL]])
    standard = model.head.standardise(vectors[free])
    weight = np.maximum(uncertainty[free], 1e-9) ** 2
    from sklearn.cluster import kmeans_plusplus

    _, drawn = kmeans_plusplus(standard, n, sample_weight=weight / weight.max(), random_state=seed)
    drawn = np.unique(drawn)
    spare = np.setdiff1d(np.arange(len(free)), drawn)
    spare = spare[np.argsort(-uncertainty[free][spare], kind="stable")]
    return free[np.concatenate([drawn, spare[: n - len(drawn)]])]
