"""What a table and its ratings say of its galaxies: the one place where interest meets the columns of a catalogue."""

import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from astropy.table import Table

from galzoo_repr.anomaly._columns import column_of
from galzoo_repr.anomaly._raters import (
    check_raters,
    ratings_by_rater,
    warn_of_disagreement,
    warn_of_lost_ratings,
    warn_of_odd_ratings,
)
from galzoo_repr.catalogue import Beside, Embeddings, read_embeddings
from galzoo_repr.exceptions import GalzooWarning

if TYPE_CHECKING:
    from galzoo_repr.anomaly._interest import InterestModel
    from galzoo_repr.anomaly._scoring import Judgement

__all__ = ["DEFAULT_RATINGS", "check_model", "encoder_of", "judge", "ratings_of", "scaled_beside"]

DEFAULT_RATINGS = "interest"


def ratings_of(
    table: Table, ratings: str | Sequence[str] | None, noise: str | Sequence[str] | None = None
) -> tuple[list[str], np.ndarray, np.ndarray | None]:
    """
    Names of the raters, their ratings and the standard deviations, float64 arrays of shape (n, raters).

    NaN where not rated, as everywhere if nobody rated yet.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from galzoo_repr.anomaly import ratings_of
    >>> cat = Table({"interest": [5.0, float("nan")], "theirs": [4.0, 1.0]})
    >>> raters, values, noise = ratings_of(cat, ["interest", "theirs"])
    >>> raters, values.tolist(), noise
    (['interest', 'theirs'], [[5.0, 4.0], [nan, 1.0]], None)
    """
    raters = [] if ratings is None else check_raters("ratings", ratings)
    if not raters or (raters == [DEFAULT_RATINGS] and DEFAULT_RATINGS not in table.colnames):
        if isinstance(noise, str):
            column_of(table, noise, "noise")
        return [DEFAULT_RATINGS], np.full((len(table), 1), np.nan), None
    return raters, *ratings_by_rater(table, raters, noise)


def judge(
    table: Table,
    ratings: str | Sequence[str] | None,
    model: "InterestModel | None",
    embedding: str,
    *,
    noise: str | Sequence[str] | None = None,
    unsupervised: str = "isolation_forest",
    seed: int = 0,
    beside: Beside | None = None,
) -> "tuple[Judgement, np.ndarray, Embeddings]":
    """Score all rows, by a fitted model or by the ratings of the table; give these ratings and the embeddings too."""
    check_model(model)
    raters, values, spread = ratings_of(table, ratings, noise)
    embeddings = read_embeddings(table, embedding)
    if beside is not None:
        elsewhere = model is not None and hasattr(model, "process_")
        embeddings = beside.beside_embeddings(embeddings, table, elsewhere=elsewhere)
    if model is not None and hasattr(model, "process_"):
        _check_encoder(model, encoder_of(table, embeddings))
    from galzoo_repr.anomaly._scoring import ReducedCatalogue

    catalogue = ReducedCatalogue(embeddings, model)
    if len(table) and not catalogue.usable.any():
        warnings.warn(
            f"no galaxy has a finite embedding in column {embedding!r}; see why in the column cutout_status",
            GalzooWarning,
            stacklevel=3,
        )
    if model is not None and hasattr(model, "process_"):
        return catalogue.apply(model), values, embeddings
    warn_of_odd_ratings(table, raters, values, model and model.rating_scale, stacklevel=3)
    judgement = catalogue.judge(values, spread, raters=raters, unsupervised=unsupervised, seed=seed)
    warn_of_lost_ratings(values, catalogue.usable, stacklevel=3)
    if judgement.model is not None:
        warn_of_disagreement(judgement.model.raters_, stacklevel=3)
    return judgement, values, embeddings


def scaled_beside(
    table: Table, beside: Mapping[str, float] | None, embedding: str, model: "InterestModel | None"
) -> Beside | None:
    """Columns beside the embeddings: those of a model that is fitted, or scaled by this catalogue."""
    if model is not None and hasattr(model, "process_"):
        own = getattr(model, "beside_", None)
        if beside is not None:
            learned = "embeddings alone" if own is None else f"columns of its own, {own}"
            raise ValueError(
                f"a model that is fitted has learned from {learned}; leave out model= or beside="
            )
        return own
    if beside is None:
        return None
    return Beside.of(table, beside, read_embeddings(table, embedding))


def encoder_of(table: Table, embeddings: Embeddings) -> dict[str, str]:
    """Name and digest of the encoder that made the embeddings, as far as that is recorded."""
    return {"name": str(table.meta.get("GZRENC", "")), "digest": embeddings.encoder}


def _check_encoder(model: "InterestModel", theirs: dict[str, str]) -> None:
    """Refuse to apply a model to embeddings of another encoder."""
    ours = model.encoder_
    if ours.get("digest") and theirs.get("digest") and ours["digest"] != theirs["digest"]:
        raise ValueError(
            f"this interest was learned on embeddings of {ours.get('name')!r} ({ours['digest'][:12]}), "
            f"but the table's are of {theirs.get('name')!r} ({theirs['digest'][:12]}): "
            "embed the table with the same encoder"
        )


def check_model(model: "InterestModel | None") -> None:
    """Refuse what is given as a model and is none."""
    if model is None:
        return
    from galzoo_repr.anomaly._interest import InterestModel

    if not isinstance(model, InterestModel):
        raise TypeError(f"model={model!r} is no InterestModel; give InterestModel(), with or without options")
