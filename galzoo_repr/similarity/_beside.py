"""How much less alike galaxies are whose redshift, magnitude or other columns differ from those of the examples."""

from collections.abc import Callable, Iterator

import numpy as np

from galzoo_repr.catalogue import Beside
from galzoo_repr.similarity._catalogue import Catalogue
from galzoo_repr.similarity._query import ExampleVectors

__all__ = ["best_beside", "distances_beside", "less_beside"]


FARTHEST = 5.0  # scaled values, as where columns are features


def less_beside(
    catalogue: Catalogue, examples: ExampleVectors, beside: Beside, weights: np.ndarray | None = None
) -> np.ndarray:
    """
    What is to be taken off the mean similarity of every galaxy to the examples, float64 of shape (n,).

    From one example, each column takes off its weight times 1 - exp(-d^2 / 2), with d the difference of scaled values:
    nothing where they agree, and the weight where they are far apart. Galaxies without a value lose the mean of the
    others; an example without one takes nothing off. Of several examples it is the weighted mean.
    """
    share = np.full(len(examples), 1 / len(examples)) if weights is None else weights / weights.sum()
    each = _of_each(catalogue, examples, beside)
    return sum(part * less for part, less in zip(share, each, strict=True))


def best_beside(
    alike_to: Callable[[np.ndarray], np.ndarray],
    vectors: np.ndarray,
    catalogue: Catalogue,
    examples: ExampleVectors,
    beside: Beside,
) -> np.ndarray:
    """Largest similarity to any of the examples, less what differs from that one, float64 of shape (n,)."""
    best = None
    for vector, less in zip(vectors, _of_each(catalogue, examples, beside), strict=True):
        found = alike_to(vector[None]) - less
        best = found if best is None else np.fmax(best, found)
    return best


def distances_beside(
    alike_to: Callable[[np.ndarray], np.ndarray],
    vectors: np.ndarray,
    catalogue: Catalogue,
    examples: ExampleVectors,
    beside: Beside,
    *,
    combine: str,
    weights: np.ndarray | None = None,
) -> np.ndarray:
    """
    Minus the distance to the examples with the columns as further dimensions, float64 of shape (n,).

    A column of weight 1 varies as much as what is compared of the embeddings, whose `length` that of `beside` is. As
    with cosines, galaxies without a value differ by the mean of the others, and from an example without one by nothing.
    """
    parts = _of_each(catalogue, examples, beside, squares=True)
    each = [
        -np.sqrt(alike_to(vector[None]) ** 2 + beside.length**2 * more)
        for vector, more in zip(vectors, parts, strict=True)
    ]
    return np.max(each, axis=0) if combine == "best" else np.average(each, axis=0, weights=weights)


def _of_each(
    catalogue: Catalogue, examples: ExampleVectors, beside: Beside, *, squares: bool = False
) -> Iterator[np.ndarray]:
    """What each example takes off the cosine of every galaxy, or with `squares` adds to the square of a distance."""
    own, values = _values_of(catalogue, examples, beside), beside.values(catalogue.table)
    unknown = np.isnan(own).all(axis=0)
    if unknown.any():
        name = beside.names[int(np.argmax(unknown))]
        raise ValueError(
            f"no example has a value in {name!r}; leave it out of beside=, or choose another example"
        )
    for example in own:
        total = np.zeros(len(values))
        for weight, column, value in zip(beside.weights, values.T, example, strict=True):
            if np.isfinite(value):
                # Beyond five scales all are as far, so that one outlier is no distance of its own.
                square = (column.clip(-FARTHEST, FARTHEST) - np.clip(value, -FARTHEST, FARTHEST)) ** 2
                less = weight * square if squares else 1 - np.exp(-((column - value) ** 2) / 2)
                total += weight * np.where(np.isfinite(less), less, np.nanmean(less))
        yield total


def _values_of(catalogue: Catalogue, examples: ExampleVectors, beside: Beside) -> np.ndarray:
    """Scaled values of the examples, shape (m, k): of the table that was given, or of their rows in the catalogue."""
    if examples.given is not None and set(beside.names) <= set(examples.given.colnames):
        return beside.values_elsewhere(examples.given)
    if (examples.rows < 0).any():
        raise ValueError(
            f"with beside= an example needs {', '.join(map(repr, beside.names))} too, and one is not in the catalogue: "
            "give a row of the catalogue, or the query as a table with these columns"
        )
    return beside.values(catalogue.table[examples.rows])
