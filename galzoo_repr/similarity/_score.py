"""How alike every galaxy is to one or several examples."""

from collections.abc import Iterable

import numpy as np

from galzoo_repr.catalogue import Embeddings

__all__ = ["COMBINE", "mean_direction", "similarities"]

COMBINE = ("contrast", "mean", "best")

_BLOCK = 2**18  # elements in double precision at a time: stays in the processor's cache


def similarities(
    embeddings: Embeddings,
    examples: np.ndarray,
    negatives: np.ndarray | None = None,
    *,
    weights: np.ndarray | None = None,
    combine: str = "mean",
    metric: str = "cosine",
    background: np.ndarray | None = None,
) -> np.ndarray:
    """
    Similarity of every galaxy to the examples, less its similarity to the negative examples.

    To several examples it is the weighted mean of the similarities to each (of which contrast is a case), or the
    largest of them. Where the mean direction of a catalogue is given as `background`, the mean cosine to that
    catalogue is subtracted.

    Returns
    -------
    numpy.ndarray of float64, shape (n,)
        Higher is more alike; NaN for rows without a usable vector.
    """
    result = np.full(len(embeddings), np.nan)
    step = max(1, _BLOCK // embeddings.dim)
    for start in range(0, len(embeddings), step):
        usable = embeddings.usable[start : start + step]
        block = np.asarray(embeddings.vectors[start : start + step], dtype=np.float64)[usable]
        score = _combined(block, examples, weights, combine, metric)
        if negatives is not None and len(negatives):
            score = score - _combined(block, negatives, None, combine, metric)
        if background is not None:
            score = score - _unit(block) @ background
        result[start : start + step][usable] = score
    return result


def mean_direction(parts: Iterable[Embeddings]) -> np.ndarray:
    """
    Mean of the unit vectors of a catalogue; its product with a unit vector is the mean cosine to the catalogue.

    The catalogue comes in parts; the mean is float64 of shape (d,).
    """
    total, usable = 0.0, 0
    for part in parts:
        step = max(1, _BLOCK // part.dim)
        for start in range(0, len(part), step):
            block = np.asarray(part.vectors[start : start + step], dtype=np.float64)
            total = total + _unit(block[part.usable[start : start + step]]).sum(axis=0)
        usable += int(part.usable.sum())
    return total / max(1, usable)


def _combined(
    block: np.ndarray, examples: np.ndarray, weights: np.ndarray | None, combine: str, metric: str
) -> np.ndarray:
    if metric == "cosine" and combine != "best":
        # The mean of the cosines is the product with the mean of the directions, however many there are.
        mean = np.average(_unit(np.asarray(examples, dtype=np.float64)), axis=0, weights=weights)
        return np.clip(_unit(block) @ mean, -1, 1)
    each = _cosine(block, examples) if metric == "cosine" else _minus_distance(block, examples)
    return each.max(axis=1) if combine == "best" else np.average(each, axis=1, weights=weights)


def _cosine(block: np.ndarray, examples: np.ndarray) -> np.ndarray:
    unit = _unit(np.asarray(examples, dtype=np.float64))
    return np.clip(_unit(block) @ unit.T, -1, 1)


def _unit(vectors: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    # Only a galaxy at the very centre of principal components has no length: alike to none.
    return vectors / np.where(length == 0, 1, length)


def _minus_distance(block: np.ndarray, examples: np.ndarray) -> np.ndarray:
    # Differences first: the expanded square loses the digits that tell near neighbours apart.
    return -np.stack([np.linalg.norm(block - example, axis=1) for example in examples], axis=1)
