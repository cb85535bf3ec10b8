"""Class balance: the one that probabilities assume, another one that a user states, and that of a catalogue."""

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real

import numpy as np

from galzoo_repr._arguments import check_number
from galzoo_repr.exceptions import GalzooWarning

__all__ = ["CATALOGUE", "ENOUGH", "Balance", "Prior", "corrected", "estimated_balance", "stated_balance"]

CATALOGUE = "catalogue"
Prior = float | Mapping[str, float] | Sequence[float] | str | None

ENOUGH = 10_000
"""Galaxies, at even steps, from which a class balance is estimated: at one in twenty to 0.2 per cent."""
FEWEST = 100
"""Galaxies below which a class balance that was estimated comes with a warning."""
LABELS = 80
"""Labelled galaxies below which such a balance is too low by more than it says (``benchmarks/class_balance.py``)."""
_STEPS, _CLOSE = 3000, 1e-6
_SUM = 1e-3  # how far fractions that were typed may be from adding up to one


@dataclass(frozen=True)
class Balance:
    """
    Fractions of classes, and how they were found.

    Attributes
    ----------
    fractions : ndarray
        float64, shape (k,): of a label of yes or no the fraction of yes; of classes they add up to one.
    std : ndarray or None
        float64, shape (k,), where they were estimated: from the number of galaxies, and from the labels that happened
        to be there, as the members of the ensemble differ.
    n_galaxies : int
        From so many.

    Examples
    --------
    >>> import numpy as np
    >>> from galzoo_repr.finetuning import Balance
    >>> balance = Balance(np.array([0.05]), std=np.array([0.01]), n_galaxies=10_000)
    >>> round(balance.fractions[0] * balance.n_galaxies)
    500
    """

    fractions: np.ndarray
    std: np.ndarray | None = None
    n_galaxies: int = 0


def stated_balance(prior: Prior, classes: tuple[str, ...], task: str, trained: np.ndarray) -> Balance:
    """
    Read the fractions that a user gives: one of a label of yes or no, or by name, or in the order of the classes.

    Of several labels those not named keep their `trained` fraction. A `ValueError` or `TypeError` where they make no
    sense.
    """
    if task == "binary" and not isinstance(prior, Mapping):
        if not isinstance(prior, Real):
            raise TypeError(
                f"prior must be the fraction of galaxies with {classes[0]!r}, or 'catalogue', not {prior!r}"
            )
        given = [prior]
    elif isinstance(prior, Mapping):
        unknown = [str(name) for name in prior if name not in classes]
        missing = [name for name in classes if name not in prior and task != "several"]
        if unknown or missing:
            raise ValueError(
                f"prior must name the fractions of {', '.join(classes)}; "
                + (f"it names {', '.join(unknown)}" if unknown else f"it lacks {', '.join(missing)}")
            )
        given = [prior.get(name, known) for name, known in zip(classes, trained, strict=True)]
    elif isinstance(prior, Iterable) and not isinstance(prior, str):
        given = list(prior)
        if len(given) != len(classes):
            raise ValueError(
                f"prior has {len(given)} fractions, but there are {len(classes)} classes: {', '.join(classes)}"
            )
    else:
        raise TypeError(
            f"prior must be a fraction for each of {', '.join(classes)}, or 'catalogue', not {prior!r}"
        )
    for each in given:
        check_number("prior", each, 0, 1, above=True, below=True, why="; it is a fraction of the galaxies")
    fractions = np.array(given, float)
    if task == "classes":
        if abs(fractions.sum() - 1) > _SUM:
            raise ValueError(f"prior must have fractions that add up to 1, not to {fractions.sum():g}")
        fractions /= fractions.sum()
    return Balance(fractions)


def corrected(probability: np.ndarray, trained: np.ndarray, balance: np.ndarray, task: str) -> np.ndarray:
    """
    Bring probabilities, shape (..., k), from the class balance of the labels to another one, by Bayes' rule.

    What a galaxy looks like given its class is taken to be the same in both (Saerens, Latinne & Decaestecker 2002,
    *Neural Computation* 14, 21, equation 2.4).
    """
    yes = probability * (balance / trained)
    if task == "classes":
        return yes / yes.sum(axis=-1, keepdims=True)
    return yes / (yes + (1 - probability) * ((1 - balance) / (1 - trained)))


def estimated_balance(
    probability: np.ndarray,
    trained: np.ndarray,
    task: str,
    names: Sequence[str],
    *,
    labelled: int | None = None,
) -> Balance:
    """
    Estimate the class balance of galaxies by expectation-maximisation (Saerens, Latinne & Decaestecker 2002).

    `probability` has shape (n, members, k), the first member being the one that counts, and assumes the balance
    `trained`, of a model of so many `labelled` galaxies. Warns where galaxies or labels are too few, or the answer
    runs to nothing, or cannot be told.
    """
    n = len(probability)
    if n == 0:
        _warn("there is no galaxy to estimate the class balance from", "that of the labels is kept")
        return Balance(trained)
    if task == "classes":
        fractions, std = _most_likely(probability, trained)
    else:
        each = [
            _most_likely(np.stack([yes, 1 - yes], -1), np.array([rate, 1 - rate]))
            for yes, rate in zip(np.moveaxis(probability, -1, 0), trained, strict=True)
        ]
        fractions, std = (np.array([of_label[i][0] for of_label in each]) for i in (0, 1))
    if n < FEWEST:
        _warn(
            f"the class balance was estimated from {n} galaxies",
            f"it takes {FEWEST} at least to be of use; give the fraction as prior= if it is known",
        )
    if labelled is not None and labelled < LABELS:
        _warn(
            f"the class balance was estimated by a model of {labelled} labels, whose caution is taken for absence",
            f"rare classes come out too low, by more than the standard deviation says; label {LABELS} galaxies at "
            "least, or give the fraction as prior=",
        )
    for name, fraction, error in zip(names, fractions, std, strict=True):
        if min(fraction, 1 - fraction) * n < 1:
            _warn(
                f"the estimated fraction of {name} runs to {round(fraction)}",
                "fewer than one galaxy of the catalogue; give the fraction as prior= if it is known",
            )
        elif error > 0.5 * min(fraction, 1 - fraction):
            _warn(
                f"the fraction of {name} is estimated as {fraction:.2g} +- {error:.2g}",
                "the model does not tell the classes well enough to say more; label more galaxies, or give the "
                "fraction as prior=",
            )
    least = 0.5 / n  # which keeps probabilities from being exactly nought or one
    fractions = np.clip(fractions, least, 1 - least)
    return Balance(fractions / fractions.sum() if task == "classes" else fractions, std, n)


def _most_likely(probability: np.ndarray, trained: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fractions of the k classes by the first member, and their errors; `probability` has shape (n, members, k)."""
    ratio = np.moveaxis(probability / trained, 1, 0)
    fractions = np.broadcast_to(trained, (len(ratio), len(trained))).copy()
    going = np.arange(len(ratio))  # members that have not arrived yet
    for _ in range(_STEPS):
        joint = ratio[going] * fractions[going, None]
        found = (joint / joint.sum(axis=-1, keepdims=True)).mean(axis=1)
        moved = np.abs(found - fractions[going]).max(axis=1) > _CLOSE
        fractions[going] = found
        going = going[moved]
        if not len(going):
            break
    # Of the galaxies: the curvature of the likelihood as one fraction grows at the expense of all others alike.
    share, ours = fractions[0], ratio[0]
    rest = (ours @ share)[:, None]
    slope = (ours - rest) / np.maximum(1 - share, 1 / len(ours)) / rest
    sampling = 1 / np.sqrt((slope**2).sum(axis=0) + 1)
    of_labels = np.abs(fractions[1:] - share) if len(fractions) > 1 else np.zeros((1, len(share)))
    return share, np.hypot(sampling, np.quantile(of_labels, 0.68, axis=0))


def _warn(what: str, then: str) -> None:
    warnings.warn(f"{what}: {then}", GalzooWarning, stacklevel=5)
