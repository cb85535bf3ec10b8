"""Numbers of a galaxy beside its picture, such as redshift and magnitude, on a common scale."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from numbers import Real

import numpy as np
from astropy import units as u
from astropy.table import Table

from galzoo_repr._arguments import did_you_mean, some_of
from galzoo_repr.catalogue._cells import read_cells
from galzoo_repr.catalogue._embeddings import Embeddings
from galzoo_repr.catalogue._sentinels import warn_of_sentinels
from galzoo_repr.exceptions import GalzooWarning

__all__ = ["Beside", "spread_of"]

# Of a normal distribution, the standard deviation is this many times the median absolute deviation
# (Rousseeuw & Croux 1993, J. Am. Stat. Assoc. 88, 1273).
_MAD = 1.4826
_MOST = 5.0  # scaled values beyond which all are as far, where they are features
_OFF = (
    10.0  # scaled distance from the median that no quantity in the same unit has in the middle of a catalogue
)
_SAMPLE = 10_000


@dataclass(frozen=True)
class Beside:
    """
    Columns that count beside the picture, how much, and on which scale.

    A value x is scaled to (x - median) / (1.4826 MAD), with the median absolute deviation of the catalogue; where more
    than half of the values are equal, the standard deviation stands for that. So units do not matter, but whether a
    column is a flux or its logarithm does.

    Attributes
    ----------
    names : tuple of str
        Columns.
    weights, centres, scales : tuple of float
        Of each.
    units : tuple of str
        Empty where a column has none.
    length : float
        Root mean square length of the catalogue's embeddings less their mean; 1 where they do not matter.

    Examples
    --------
    >>> from astropy import units as u
    >>> from astropy.table import QTable
    >>> from galzoo_repr.catalogue import Beside
    >>> beside = Beside.of(QTable({"r50": [2.0, 3.0, 5.0] * u.arcsec, "z": [0.1, 0.3, 0.2]}), {"r50": 1, "z": 0.5})
    >>> print(beside, beside.units, beside.centres)
    r50 (1), z (0.5) ('arcsec', '') (3.0, 0.2)
    """

    names: tuple[str, ...]
    weights: tuple[float, ...]
    centres: tuple[float, ...]
    scales: tuple[float, ...]
    units: tuple[str, ...]
    length: float = 1.0

    @classmethod
    def of(cls, table: Table, beside: Mapping[str, float], embeddings: Embeddings | None = None) -> "Beside":
        """
        Check columns and weights, and find the scales.

        Parameters
        ----------
        table : Table
            Catalogue.
        beside : mapping of str to float
            Weight of each column.
        embeddings : Embeddings, optional
            Those that the columns become features beside.

        Returns
        -------
        Beside

        Raises
        ------
        TypeError
            If it is no mapping, or a column holds no numbers.
        ValueError
            If there is no such column, its values are all the same or not finite, or a weight is not a finite number
            above 0.

        Examples
        --------
        >>> from astropy.table import Table
        >>> from galzoo_repr.catalogue import Beside
        >>> beside = Beside.of(Table({"z": [0.1, 0.2, 0.3]}), {"z": 0.5})
        >>> beside.centres, round(beside.scales[0], 5)
        ((0.2,), 0.14826)
        """
        if not isinstance(beside, Mapping):
            raise TypeError(f"beside must give columns and weights, such as {{'z': 0.5}}, not {beside!r}")
        if not beside:
            raise ValueError(
                "beside names no column; leave it out, or give one with its weight, such as {'z': 0.5}"
            )
        found = []
        for name, weight in beside.items():
            if isinstance(weight, bool | np.bool_) or not isinstance(weight, Real) or not 0 < weight < np.inf:
                raise ValueError(
                    f"the weight of {name!r} of beside must be a finite number above 0, not {weight!r}"
                )
            values = _numbers(table, name)
            warn_of_sentinels(values, f"column {name!r} of beside", name, stacklevel=4)
            centre, scale = _scale(values, name)
            found.append(
                (str(name), float(weight), centre, scale, str(getattr(table[name], "unit", None) or ""))
            )
        return cls(*zip(*found, strict=True), length=1.0 if embeddings is None else spread_of(embeddings))

    def values(self, table: Table) -> np.ndarray:
        """
        Scaled values of the rows of a table, float64 of shape (n, k), NaN where there is none.

        Examples
        --------
        >>> from astropy.table import Table
        >>> from galzoo_repr.catalogue import Beside
        >>> beside = Beside.of(Table({"z": [0.1, 0.2, 0.3]}), {"z": 1})
        >>> beside.values(Table({"z": [0.2, 0.3, float("nan")]})).round(3).tolist()
        [[0.0], [0.674], [nan]]
        """
        columns = []
        for name, centre, scale, unit in zip(self.names, self.centres, self.scales, self.units, strict=True):
            values = _in_unit(_numbers(table, name), getattr(table[name], "unit", None), unit, name)
            columns.append((values - centre) / scale)
        return np.stack(columns, axis=1)

    def values_elsewhere(self, table: Table) -> np.ndarray:
        """
        Values as `values` gives them, of another table than that which the scales were found on.

        Warns
        -----
        GalzooWarning
            If numbers seem to stand for no value, or most of a column are far off the scale.

        Examples
        --------
        >>> from astropy.table import Table
        >>> from galzoo_repr.catalogue import Beside
        >>> beside = Beside.of(Table({"z": [0.1, 0.2, 0.3]}), {"z": 1})
        >>> beside.values_elsewhere(Table({"z": [0.25, 0.15]})).round(3).tolist()
        [[0.337], [-0.337]]
        """
        scaled = self.values(table)
        columns = zip(self.names, self.units, self.centres, self.scales, scaled.T, strict=True)
        for name, unit, centre, scale, column in columns:
            warn_of_sentinels(_numbers(table, name), f"column {name!r} of beside", name, stacklevel=4)
            known = column[np.isfinite(column)]
            middle = float(np.median(known)) if len(known) else 0.0
            if abs(middle) > _OFF:
                value, there = (
                    f"{one:.6g}{unit and f' {unit}'}" for one in (centre + scale * middle, centre)
                )
                warnings.warn(
                    f"column {name!r} of beside is {value} here, but {there} in the catalogue where beside= was set "
                    "(medians): is it the same quantity, in the same unit, and does no number stand for a missing "
                    "value?",
                    GalzooWarning,
                    stacklevel=4,
                )
        return scaled

    def beside_embeddings(
        self, embeddings: Embeddings, table: Table, *, elsewhere: bool = False
    ) -> Embeddings:
        """
        Embeddings with the columns as further features.

        A column of weight 1 varies as much as the whole embedding does. Missing values are 0, the median; values
        farther from it than five scales are as if they were there. A table that is `elsewhere` is another than that
        which the scales were found on.

        Examples
        --------
        >>> from astropy.table import Table
        >>> from galzoo_repr.catalogue import Beside, embedding_matrix
        >>> table, embeddings = Table({"z": [0.1, 0.2, 0.3]}), embedding_matrix([[1.0, 3.0], [1.0, 1.0], [1.0, 2.0]])
        >>> wider = Beside.of(table, {"z": 0.5}, embeddings).beside_embeddings(embeddings, table)
        >>> wider.dim, wider.vectors[:, 2].astype(float).round(2).tolist()
        (3, [-0.28, 0.0, 0.28])
        """
        values = self.values_elsewhere(table) if elsewhere else self.values(table)
        values = np.clip(np.nan_to_num(values, nan=0.0), -_MOST, _MOST)
        features = np.asarray(values * self.weights * self.length, dtype=np.float32)
        vectors = np.asarray(embeddings.vectors, dtype=np.float32)
        return replace(embeddings, vectors=np.concatenate([vectors, features], axis=1))

    def to_dict(self) -> dict[str, dict[str, float | str]]:
        """
        Plain facts of each column by its name, for provenance and files.

        Examples
        --------
        >>> from astropy.table import Table
        >>> from galzoo_repr.catalogue import Beside
        >>> facts = Beside.of(Table({"z": [0.1, 0.2, 0.3]}), {"z": 0.5}).to_dict()
        >>> facts["z"]["weight"], facts["z"]["centre"], round(facts["z"]["scale"], 3)
        (0.5, 0.2, 0.148)
        """
        parts = zip(self.names, self.weights, self.centres, self.scales, self.units, strict=True)
        return {
            name: {"weight": weight, "centre": centre, "scale": scale, "unit": unit, "length": self.length}
            for name, weight, centre, scale, unit in parts
        }

    @classmethod
    def from_dict(cls, facts: Mapping[str, Mapping[str, float | str]]) -> "Beside":
        """
        Make what `to_dict` gave.

        Parameters
        ----------
        facts : mapping
            By name of the column.

        Returns
        -------
        Beside

        Examples
        --------
        >>> from astropy.table import Table
        >>> from galzoo_repr.catalogue import Beside
        >>> beside = Beside.of(Table({"z": [0.1, 0.2, 0.3]}), {"z": 0.5})
        >>> Beside.from_dict(beside.to_dict()) == beside
        True
        """
        rows = [
            (name, *(of[key] for key in ("weight", "centre", "scale", "unit"))) for name, of in facts.items()
        ]
        return cls(*zip(*rows, strict=True), length=next(iter(facts.values()))["length"])

    def __str__(self) -> str:
        return ", ".join(
            f"{name} ({weight:g})" for name, weight in zip(self.names, self.weights, strict=True)
        )


def _numbers(table: Table, name: str) -> np.ndarray:
    """Values of a column, float64, NaN where there is no finite one."""
    if name not in table.colnames:
        raise ValueError(
            f"beside= needs a column {name!r}, which the catalogue does not have; its columns are "
            f"{some_of(table.colnames)}{did_you_mean(name, table.colnames)}"
        )
    if np.ndim(table[name]) != 1:
        raise ValueError(
            f"column {name!r} of beside has shape {np.shape(table[name])}; it must be one number per row"
        )
    kind = getattr(getattr(table[name], "dtype", None), "kind", "")
    cells = read_cells(table[name]) if kind in "fiuSUOb" else None
    if cells is None or cells.texts or cells.values.dtype.kind not in "fiu":
        raise TypeError(
            f"column {name!r} of beside must hold numbers, not {getattr(table[name], 'dtype', 'objects')}"
        )
    values = cells.numbers()
    return np.where(np.isfinite(values), values, np.nan)


def _in_unit(values: np.ndarray, given: u.UnitBase | None, unit: str, name: str) -> np.ndarray:
    """Numbers in the unit that the scale is in; where either has none, or both are written alike, as they are."""
    if not unit or not given or str(given) == unit:
        return values
    try:
        # Of magnitudes and other logarithms too, which are no plain quantities.
        return np.asarray((values * u.Unit(given)).to_value(u.Unit(unit)), dtype=float)
    except (ValueError, TypeError, u.UnitsError):
        raise ValueError(f"column {name!r} is in {given}, but was in {unit} where beside= was set") from None


def _scale(values: np.ndarray, name: str) -> tuple[float, float]:
    known = values[np.isfinite(values)]
    if not len(known):
        raise ValueError(f"column {name!r} of beside has no finite value")
    centre = float(np.median(known))
    scale = _MAD * float(np.median(np.abs(known - centre))) or float(np.std(known))
    if not scale > 0 or not np.isfinite(scale):
        raise ValueError(
            f"the values in column {name!r} of beside are all {centre:g}: they tell no galaxies apart"
        )
    return centre, scale


def spread_of(embeddings: Embeddings) -> float:
    """
    Root mean square length of embeddings less their mean.

    Parameters
    ----------
    embeddings : Embeddings
        Of which a sample is enough.

    Returns
    -------
    float
        1 where there are none.

    Examples
    --------
    >>> from galzoo_repr.catalogue import embedding_matrix, spread_of
    >>> spread_of(embedding_matrix([[1.0, 3.0], [1.0, 1.0]]))
    1.0
    """
    rows = np.flatnonzero(embeddings.usable)
    some = np.asarray(embeddings.vectors[rows[:: max(1, len(rows) // _SAMPLE)]], dtype=np.float64)
    return float(np.sqrt(some.var(axis=0).sum())) if len(some) else 1.0
