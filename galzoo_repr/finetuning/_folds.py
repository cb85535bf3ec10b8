"""Which labelled galaxies are held out together, so that no galaxy is both learned from and tested on."""

import warnings

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord, search_around_sky
from astropy.table import Table

from galzoo_repr.catalogue import sky_positions

__all__ = ["bootstrap_draws", "fewest_galaxies", "folds", "sky_groups", "strata"]

SAME_GALAXY = 5 * u.arcsec


def sky_groups(
    table: Table, rows: np.ndarray, *, coords: str | tuple[str, str] | SkyCoord | None = None
) -> np.ndarray:
    """
    Number the galaxies behind rows, int of shape (len(rows),): images within 5 arcsec of each other are of one.

    Rows without a position, or of a table without positions, are galaxies of their own.
    """
    groups = np.arange(len(rows))
    try:
        positions = sky_positions(table, coords=coords)
    except ValueError:
        if coords is not None:
            raise
        return groups
    valid = np.flatnonzero(positions.valid[rows])
    if len(valid) < 2:
        return groups
    sky = positions.skycoord[rows[valid]]
    first, second, _, _ = search_around_sky(sky, sky, SAME_GALAXY)
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    links = coo_array((np.ones(len(first)), (valid[first], valid[second])), shape=(len(rows),) * 2)
    return connected_components(links, directed=False)[1]


def strata(y: np.ndarray, task: str) -> np.ndarray | None:
    """Class of each row, int of shape (n,), for tasks that have one, from labels of shape (n, k)."""
    if task == "binary":
        return y[:, 0].astype(int)
    return y.argmax(1) if task == "classes" else None


def fewest_galaxies(y: np.ndarray, groups: np.ndarray, task: str) -> int:
    """Count the galaxies (`groups`, shape (n,)) of the rarest class, or all where there are no classes."""
    classes = strata(y, task)
    if classes is None:
        return len(np.unique(groups))
    counts = [len(np.unique(groups[classes == each])) for each in range(max(2, y.shape[1]))]
    return min(counts)


def folds(
    y: np.ndarray, groups: np.ndarray, task: str, *, n: int = 5, seed: int = 0
) -> list[tuple[np.ndarray, np.ndarray]]:
    """
    Split labelled rows for cross-validation: by galaxy, with each class in every fold where it can be.

    Pairs of rows to learn from and rows to test on; fewer than n where the rarest class has fewer galaxies, and none
    where a class has but one.
    """
    from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

    n = min(n, fewest_galaxies(y, groups, task))
    if n < 2:
        return []
    classes = strata(y, task)
    if classes is None:
        return list(GroupKFold(n, shuffle=True, random_state=seed).split(y, groups=groups))
    with warnings.catch_warnings():
        # Of classes with fewer rows than folds, of which there are none: `n` was made to fit.
        warnings.simplefilter("ignore", UserWarning)
        splits = list(StratifiedGroupKFold(n, shuffle=True, random_state=seed).split(y, classes, groups))
    # A galaxy with contradicting labels can leave a fold without a class.
    return [
        (known, held) for known, held in splits if len(np.unique(classes[known])) == len(np.unique(classes))
    ]


def bootstrap_draws(groups: np.ndarray, members: int, *, seed: int) -> list[np.ndarray]:
    """
    Draw rows for each member of an ensemble: all of them first, then galaxies drawn with replacement.

    `groups` is the galaxy of each row; rows are repeated.
    """
    rng = np.random.default_rng(seed)
    galaxies, inverse = np.unique(groups, return_inverse=True)
    of_galaxy = np.split(np.argsort(inverse, kind="stable"), np.cumsum(np.bincount(inverse))[:-1])
    draws = [np.arange(len(groups))]
    for _ in range(members - 1):
        draws.append(np.concatenate([of_galaxy[i] for i in rng.integers(0, len(galaxies), len(galaxies))]))
    return draws
