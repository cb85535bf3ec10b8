"""The baseline of the paper: ellipse features, isolation forest, and the neighbour score of Astronomaly.

Written from the description of Lochner & Bassett (2021, Astronomy and Computing 36, 100481). Ellipses come
from the moments of each isophote instead of a fit to its contour.
"""

import numpy as np
from astropy.stats import sigma_clipped_stats
from PIL import Image
from scipy.ndimage import label
from sklearn.ensemble import IsolationForest, RandomForestRegressor
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler

PERCENTILES = (90, 80, 70, 60, 50, 0)
LOWEST, HIGHEST = 0.1, 5.0


def ellipse_features(file: str) -> np.ndarray:
    """Residual, offset, aspect and angle of the ellipse at each of six isophotes of the central object: 24 numbers."""
    with Image.open(file) as image:
        grey = np.asarray(image.convert("L").resize((64, 64), Image.Resampling.BILINEAR), float)
    _, background, noise = sigma_clipped_stats(grey, sigma=3.0)
    central = _central(grey > background + 3 * noise)
    if central is None:
        return np.zeros(4 * len(PERCENTILES))
    features = []
    for percentile in PERCENTILES:
        isophote = _central(central & (grey >= np.percentile(grey[central], percentile)))
        features.append(_ellipse(isophote) if isophote is not None else (0.0, 0.0, 0.0, 0.0))
    return np.array(features).T.ravel()


def _central(mask: np.ndarray) -> np.ndarray | None:
    """Connected part of a mask that comes nearest to the centre."""
    parts, count = label(mask)
    if not count:
        return None
    y, x = np.nonzero(parts)
    nearest = np.argmin(np.hypot(y - (mask.shape[0] - 1) / 2, x - (mask.shape[1] - 1) / 2))
    return parts == parts[y[nearest], x[nearest]]


def _ellipse(mask: np.ndarray) -> tuple[float, float, float, float]:
    """Share of pixels that the ellipse of equal moments gets wrong, distance from the centre, axis ratio, angle."""
    y, x = np.nonzero(mask)
    centre = np.array([y.mean(), x.mean()])
    moments = np.cov(np.stack([y, x]), bias=True) + np.eye(2) / 12 if len(y) > 1 else np.eye(2) / 12
    (minor, major), axes = np.linalg.eigh(moments)
    grid = np.stack(np.indices(mask.shape), axis=-1) - centre
    inside = (grid @ np.linalg.inv(moments) * grid).sum(axis=-1) <= 4
    residual = (inside ^ mask).sum() / mask.sum()
    offset = np.hypot(*(centre - (np.array(mask.shape) - 1) / 2))
    return residual, offset, np.sqrt(minor / major), np.arctan2(*axes[:, 1]) % np.pi


def isolation_scores(features: np.ndarray, seed: int) -> np.ndarray:
    """How unusual an isolation forest finds each galaxy, from 0 to 5."""
    features = StandardScaler().fit_transform(features)
    unusual = -IsolationForest(n_estimators=100, random_state=seed).fit(features).decision_function(features)
    return HIGHEST * (unusual - unusual.min()) / np.ptp(unusual)


def neighbour_scores(features: np.ndarray, unusual: np.ndarray, ratings: np.ndarray, seed: int) -> np.ndarray:
    """
    Scores after some galaxies were rated, NaN for the others.

    A random forest learns the ratings U; the unsupervised score S then becomes S tanh(d - 1 + arctanh(u)),
    with u = U / 5 within limits and d = exp(distance to the nearest rated galaxy / mean of that distance).
    """
    features = StandardScaler().fit_transform(features)
    rated = np.isfinite(ratings)
    forest = RandomForestRegressor(n_estimators=100, random_state=seed).fit(features[rated], ratings[rated])
    user = np.clip(forest.predict(features), LOWEST, HIGHEST) / (HIGHEST * 1.0001)
    distance = NearestNeighbors(n_neighbors=1).fit(features[rated]).kneighbors(features)[0][:, 0]
    return unusual * np.tanh(np.exp(distance / distance.mean()) - 1 + np.arctanh(user))
