"""Several people who rate the same catalogue: their columns, and how far they agree."""

import warnings
from collections.abc import Callable, Sequence

import numpy as np
from astropy.table import Column, Table
from numpy.typing import ArrayLike

from galzoo_repr._arguments import check_column
from galzoo_repr.anomaly._ratings import check_noise, check_ratings
from galzoo_repr.catalogue import warn_of_sentinels
from galzoo_repr.exceptions import GalzooWarning

__all__ = [
    "check_raters",
    "each_rater",
    "names_of_raters",
    "own_ratings",
    "rater_table",
    "raters_as_rows",
    "raters_of_rows",
    "ratings_by_rater",
    "warn_of_disagreement",
    "warn_of_lost_ratings",
    "warn_of_odd_ratings",
]

# Galaxies that others rated too, from which on raters are told that they disagree.
ENOUGH_SHARED = 10
_COLUMNS = {
    "rater": "Who rated",
    "n_rated": "Ratings that the model learned from",
    "noise": "Standard deviation of her ratings about the interest of all, as the model found it",
    "n_shared": "Galaxies that others rated too",
    "offset": "Her ratings less those of the others, mean over these galaxies",
    "correlation": "Correlation of her ratings with those of the others on them",
    "agreement": "Weighted kappa with the others, 1 where all are the same and 0 where they agree by chance",
}


def check_raters(argument: str, names: str | Sequence[str]) -> list[str]:
    """Names of one or several columns as a list, none of them twice."""
    if isinstance(names, str):
        return [names]
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise TypeError(
            f"{argument} must be the name of a column, not {type(names).__name__} (or a list of names, one for each "
            "rater); add the values to the table"
        )
    if not names:
        raise ValueError(f"{argument}=[] names no column; give one for each rater")
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"{argument} names {twice[0]!r} twice; each rater counts once")
    return list(names)


def ratings_by_rater(
    table: Table, names: Sequence[str], noise: str | Sequence[str] | None = None
) -> tuple[np.ndarray, np.ndarray | None]:
    """
    Ratings of a catalogue and their standard deviations, float64 arrays of shape (n, raters), NaN where not rated.

    `noise` names a column for each rater, or one for all.
    """
    columns = [table[check_column("ratings", name, table.colnames)] for name in names]
    values = np.stack([check_ratings(column, len(table)) for column in columns], axis=1)
    if noise is None:
        return values, None
    noises = list(noise) if isinstance(noise, list | tuple) else [noise]
    if len(noises) not in (1, len(names)):
        raise ValueError(
            f"noise names {len(noises)} columns for {len(names)} raters; give one for each in the same order, or one "
            "for all"
        )
    columns = [table[check_column("noise", name, table.colnames)] for name in noises]
    spreads = np.stack([check_noise(column, len(table)) for column in columns], axis=1)
    return values, np.broadcast_to(spreads, values.shape)


def own_ratings(table: Table, name: str) -> np.ndarray:
    """Ratings in one column of a catalogue, float64 array of shape (n,), all NaN if it has no such column."""
    if name not in table.colnames:
        return np.full(len(table), np.nan)
    return check_ratings(table[name], len(table))


def warn_of_odd_ratings(
    table: Table,
    names: Sequence[str],
    ratings: np.ndarray,
    scale: tuple[float, float] | None,
    stacklevel: int = 2,
) -> None:
    """Warn of ratings, shape (n, raters), that seem to stand for no rating, such as -99, unless the scale is known."""
    for name, of_rater in zip(names, ratings.T, strict=True):
        if scale is None and name in table.colnames:
            warn_of_sentinels(
                of_rater,
                f"rating {name!r}",
                name,
                text=table[name].dtype.kind in "SUO",
                otherwise="give InterestModel(rating_scale=(lowest, highest))",
                stacklevel=stacklevel + 1,
            )


def each_rater(values: ArrayLike, n_rows: int, check: Callable[[ArrayLike, int], np.ndarray]) -> np.ndarray:
    """Check an array of shape (n_rows, raters), or (n_rows,) for one, column by column, and give the former."""
    values = values if hasattr(values, "ndim") else _array(values)
    if values.ndim != 2 or values.shape[1] == 0:
        return check(values, n_rows)[:, None]
    return np.stack([check(values[:, rater], n_rows) for rater in range(values.shape[1])], axis=1)


def _array(values: ArrayLike) -> np.ndarray:
    """Numbers of a list, which may have None or words among them."""
    return np.asanyarray(values) if np.ndim(values) != 1 else np.array(values, dtype=object)


def names_of_raters(names: Sequence[str] | None, n_raters: int) -> list[str]:
    """Check the names of raters, or number them."""
    if names is None:
        return [f"rater {number}" for number in range(1, n_raters + 1)]
    names = check_raters("raters", names)
    if len(names) != n_raters:
        raise ValueError(f"raters has {len(names)} names for ratings by {n_raters}; give one for each column")
    return names


def rater_table(names: Sequence[str], ratings: np.ndarray, noise: ArrayLike) -> Table:
    """
    How much each rater rated and how far she agrees with the others, one row each.

    `ratings`, shape (n, raters), are those learned from, NaN elsewhere; `noise`, shape (raters,), is a standard
    deviation on their scale. What cannot be known is NaN.
    """
    rows = []
    for rater, name in enumerate(names):
        pairs = [_both(ratings[:, rater], other) for other in np.delete(ratings, rater, axis=1).T]
        own, others = np.concatenate([*pairs, np.empty((2, 0))], axis=1)
        given = np.isfinite(ratings)
        shared = given[:, rater] & (given.sum(axis=1) > 1)
        rows.append(
            {
                "rater": name,
                "n_rated": int(given[:, rater].sum()),
                "noise": float(np.asarray(noise)[rater]),
                "n_shared": int(shared.sum()),
                "offset": float((own - others).mean()) if len(own) else np.nan,
                "correlation": _correlation(own, others),
                "agreement": _weighted_kappa(own, others),
            }
        )
    return raters_of_rows(rows)


def _both(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Ratings of galaxies that two raters rated, shape (2, galaxies)."""
    both = np.isfinite(first) & np.isfinite(second)
    return np.stack([first[both], second[both]])


def _correlation(own: np.ndarray, others: np.ndarray) -> float:
    """Correlation of two ratings for each of some galaxies, NaN where it is not defined."""
    if not len(own) or own.std() == 0 or others.std() == 0:
        return np.nan
    return float(np.corrcoef(own, others)[0, 1])


def _weighted_kappa(own: np.ndarray, others: np.ndarray) -> float:
    """
    Quadratically weighted kappa (Cohen 1968) of two ratings for each of some galaxies, NaN where there is none.

    For ratings that are no categories this is the concordance correlation of Lin (1989).
    """
    if not len(own):
        return np.nan
    by_chance = own.var() + others.var() + (own.mean() - others.mean()) ** 2
    return float(1 - np.square(own - others).mean() / by_chance) if by_chance > 0 else np.nan


def warn_of_lost_ratings(ratings: np.ndarray, usable: np.ndarray, stacklevel: int = 2) -> None:
    """Warn of galaxies that somebody has rated, `ratings` of shape (n, raters), but that have no embedding."""
    rated = np.isfinite(ratings).any(axis=1)
    if usable.any() and (rated & ~usable).any():
        warnings.warn(
            f"{(rated & ~usable).sum()} of {rated.sum()} rated galaxies have no embedding: their ratings are kept "
            "but teach nothing",
            GalzooWarning,
            stacklevel=stacklevel + 1,
        )


def warn_of_disagreement(raters: Table, stacklevel: int = 2) -> bool:
    """Warn of raters whose ratings rise where those of the others fall, beyond chance; say whether there are any."""
    against = raters["correlation"] < -2 / np.sqrt(np.maximum(raters["n_shared"], 1))
    strange = raters[against & (raters["n_shared"] >= ENOUGH_SHARED)]
    if len(strange):
        who = ", ".join(
            f"{str(rater)!r} (correlation {correlation:.2f} on {shared} galaxies)"
            for rater, shared, correlation in strange["rater", "n_shared", "correlation"].iterrows()
        )
        warnings.warn(
            f"Raters who say the opposite of the others: {who}. Is it the same question for all, and is higher more "
            "interesting? If not, leave such columns out.",
            GalzooWarning,
            stacklevel=stacklevel + 1,
        )
    return len(strange) > 0


def raters_as_rows(raters: Table) -> list[dict]:
    """The table as values that JSON has, None where something is not known."""
    values = zip(*(raters[name].tolist() for name in _COLUMNS), strict=True)
    return [
        {name: None if value != value else value for name, value in zip(_COLUMNS, row, strict=True)}
        for row in values
    ]


def raters_of_rows(rows: list[dict]) -> Table:
    """What `raters_as_rows` gave as a table again."""
    kinds = {"rater": str, "n_rated": np.int64, "n_shared": np.int64}
    values = {name: [np.nan if row[name] is None else row[name] for row in rows] for name in _COLUMNS}
    return Table(
        [
            Column(values[name], name=name, dtype=kinds.get(name, float), description=text)
            for name, text in _COLUMNS.items()
        ]
    )
