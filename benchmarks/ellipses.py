"""Ellipse features, the galaxies' shapes in the baseline of the paper.

Written from the description of Lochner & Bassett (2021, Astronomy and Computing 36, 100481). Ellipses come
from the moments of each isophote instead of a fit to its contour.
"""

import numpy as np
from astropy.stats import sigma_clipped_stats
from PIL import Image
from scipy.ndimage import label

PERCENTILES = (90, 80, 70, 60, 50, 0)


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
