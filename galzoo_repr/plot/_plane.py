"""Many points of a plane: how many lie in each cell of a view, which lie in a polygon, which is nearest."""

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image, ImageDraw

__all__ = ["Bounds", "PlanePoints", "inside_polygon", "shades"]

Bounds = tuple[float, float, float, float]
"""Left, right, bottom and top of a view."""

_TILES = 64  # along each side, by which points are put in order, so that a view finds its own
_MASK_SIDE = 2048  # pixels of the picture of a polygon
_PADDING = 0.04  # of the extent of the points, around them


class PlanePoints:
    """
    Points of a plane, put in order once so that views of a part of them cost as much as what they show.

    Parameters
    ----------
    x, y : array-like of float, shape (n,)
        Coordinates; points that are not finite are left out.

    Attributes
    ----------
    rows : numpy.ndarray of int, shape (m,)
        Indices of the points that are kept, in the order in which they are kept.
    bounds : tuple of float
        Left, right, bottom and top of a view of all points.

    Examples
    --------
    >>> from galzoo_repr.plot import PlanePoints
    >>> points = PlanePoints([0.0, 1.0, 2.0, float("nan")], [0.0, 1.0, 0.0, 3.0])
    >>> points.density((0, 3, 0, 2), (2, 3)).tolist()
    [[1, 0, 1], [0, 1, 0]]
    >>> points.inside([(0.5, -1), (3, -1), (3, 3), (0.5, 3)]).tolist()
    [1, 2]
    """

    def __init__(self, x: ArrayLike, y: ArrayLike) -> None:
        x, y = _floats(x), _floats(y)
        if x.ndim != 1 or x.shape != y.shape:
            raise ValueError(f"x and y must be of one shape (n,), not {x.shape} and {y.shape}")
        rows = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
        x, y = x[rows], y[rows]
        self.bounds: Bounds = _padded(*_extent(x)) + _padded(*_extent(y))
        tiles = self._tile(x, self.bounds[:2]) + np.uint16(_TILES) * self._tile(y, self.bounds[2:])
        # Whole numbers of 16 bits are sorted by their digits, in time that grows with n alone.
        order = np.argsort(tiles, kind="stable")
        self.rows, self._x, self._y = rows[order], x[order], y[order]
        self._starts = np.searchsorted(tiles[order], np.arange(_TILES**2 + 1))

    def __len__(self) -> int:
        return len(self.rows)

    @staticmethod
    def _tile(values: np.ndarray, ends: tuple[float, float]) -> np.ndarray:
        scaled = (values - ends[0]) * (_TILES / (ends[1] - ends[0]))
        return scaled.clip(0, _TILES - 1).astype(np.uint16)

    def _parts(self, bounds: Bounds) -> list[slice]:
        """Parts of the order that hold all points in a view, and some around it."""
        left, right = self._tile(np.array(bounds[:2], float), self.bounds[:2]).astype(int)
        bottom, top = self._tile(np.array(bounds[2:], float), self.bounds[2:]).astype(int)
        if 2 * (right - left) > _TILES:  # passing over the rest would cost more
            return [slice(self._starts[bottom * _TILES], self._starts[(top + 1) * _TILES])]
        lines = np.arange(bottom, top + 1) * _TILES
        ends = zip(self._starts[lines + left], self._starts[lines + right + 1], strict=True)
        return [slice(start, stop) for start, stop in ends if stop > start] or [slice(0, 0)]

    def _near(self, bounds: Bounds) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Coordinates and indices of the points in and around a view, and whether they are in it."""
        x0, x1, y0, y1 = bounds
        parts = self._parts(bounds)
        of = (self._x, self._y, self.rows)
        if len(parts) == 1:
            x, y, rows = (each[parts[0]] for each in of)
        else:
            x, y, rows = (np.concatenate([each[part] for part in parts]) for each in of)
        return x, y, rows, (x >= x0) & (x < x1) & (y >= y0) & (y < y1)

    def _cells(self, bounds: Bounds, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        """Cell of each point near a view, counted along the lines, one more for those outside; and their indices."""
        (height, width), (x0, x1, y0, y1) = shape, bounds
        if not (x1 > x0 and y1 > y0 and height > 0 and width > 0):
            raise ValueError(f"a view needs left < right, bottom < top and cells, not {bounds} and {shape}")
        x, y, rows, inside = self._near(bounds)
        cells = _steps(y, y0, y1, height)
        cells *= width
        cells += _steps(x, x0, x1, width)
        cells[~inside] = height * width
        return cells, rows

    def density(self, bounds: Bounds, shape: tuple[int, int]) -> np.ndarray:
        """
        Count the points in each cell of a view.

        Parameters
        ----------
        bounds : tuple of float
            Left, right, bottom and top.
        shape : tuple of int
            Cells up and across, (height, width).

        Returns
        -------
        numpy.ndarray of int, shape (height, width)
            The lowest line first.

        Raises
        ------
        ValueError
            If the view has no extent.

        Examples
        --------
        >>> from galzoo_repr.plot import PlanePoints
        >>> PlanePoints([0.2, 0.8, 1.5], [0.5, 0.5, 1.5]).density((0, 3, 0, 2), (2, 3)).tolist()
        [[2, 0, 0], [0, 1, 0]]
        """
        cells, _ = self._cells(bounds, shape)
        return _per_cell(cells, shape)

    def average(self, bounds: Bounds, shape: tuple[int, int], values: np.ndarray) -> np.ndarray:
        """
        Mean of a quantity in each cell of a view.

        Parameters
        ----------
        bounds, shape
            As for `density`.
        values : numpy.ndarray of float, shape (n,)
            Of all points that were given, NaN where it has no value.

        Returns
        -------
        numpy.ndarray of float, shape (height, width)
            NaN where no point has a value.

        Examples
        --------
        >>> import numpy as np
        >>> from galzoo_repr.plot import PlanePoints
        >>> points = PlanePoints([0.2, 0.8, 1.5], [0.5, 0.5, 0.5])
        >>> points.average((0, 3, 0, 1), (1, 3), np.array([18.0, 19.0, 17.0])).tolist()
        [[18.5, 17.0, nan]]
        """
        cells, rows = self._cells(bounds, shape)
        own = values[rows]
        known = np.isfinite(own)
        if not known.all():
            cells, own = cells[known], own[known]
        with np.errstate(invalid="ignore"):
            return _per_cell(cells, shape, own) / _per_cell(cells, shape)

    def commonest(self, bounds: Bounds, shape: tuple[int, int], codes: np.ndarray, k: int) -> np.ndarray:
        """
        Class of most of the points in each cell of a view.

        Parameters
        ----------
        bounds, shape
            As for `density`.
        codes : numpy.ndarray of int, shape (n,)
            Class of each point that was given, 0 to k - 1; -1 where it has none.
        k : int
            How many classes there are.

        Returns
        -------
        numpy.ndarray of int, shape (height, width)
            -1 where no point has a class.

        Examples
        --------
        >>> import numpy as np
        >>> from galzoo_repr.plot import PlanePoints
        >>> points = PlanePoints([0.2, 0.5, 0.8, 1.5], [0.5, 0.5, 0.5, 0.5])
        >>> points.commonest((0, 3, 0, 1), (1, 3), np.array([1, 1, 0, 0]), k=2).tolist()
        [[1, 0, -1]]
        """
        cells, rows = self._cells(bounds, shape)
        own = codes[rows]
        best, most = np.full(shape, -1), np.zeros(shape, dtype=int)
        for code in range(k):
            counts = _per_cell(cells[own == code], shape)
            more = counts > most
            best[more], most[more] = code, counts[more]
        return best

    def within(self, bounds: Bounds) -> np.ndarray:
        """
        Indices of the points in a view.

        Parameters
        ----------
        bounds : tuple of float
            Left, right, bottom and top.

        Returns
        -------
        numpy.ndarray of int

        Examples
        --------
        >>> from galzoo_repr.plot import PlanePoints
        >>> sorted(PlanePoints([0.0, 1.0, 2.0], [0.0, 1.0, 0.0]).within((0.5, 3, -1, 2)).tolist())
        [1, 2]
        """
        _, _, rows, inside = self._near(bounds)
        return rows[inside]

    def inside(self, polygon: ArrayLike) -> np.ndarray:
        """
        Indices of the points in a polygon, rising.

        Parameters
        ----------
        polygon : array-like of float, shape (m, 2)
            Corners, as for `inside_polygon`.

        Returns
        -------
        numpy.ndarray of int

        Examples
        --------
        >>> from galzoo_repr.plot import PlanePoints
        >>> PlanePoints([0.2, 0.9, 0.5], [0.2, 0.9, 0.1]).inside([(0, 0), (1, 0), (0, 1)]).tolist()
        [0, 2]
        """
        corners = _corners(polygon)
        (x0, y0), (x1, y1) = corners.min(axis=0), np.nextafter(corners.max(axis=0), np.inf)
        x, y, rows, _ = self._near((x0, x1, y0, y1))
        return np.sort(rows[inside_polygon(x, y, corners)])

    def nearest(self, x: float, y: float, reach: tuple[float, float]) -> int:
        """
        Index of the nearest point to a place.

        Parameters
        ----------
        x, y : float
            The place.
        reach : tuple of float
            How far it may be in x and in y, which are also the units of distance.

        Returns
        -------
        int
            -1 where there is none.

        Examples
        --------
        >>> from galzoo_repr.plot import PlanePoints
        >>> points = PlanePoints([0.0, 1.0, 2.0], [0.0, 1.0, 0.0])
        >>> points.nearest(1.9, 0.1, reach=(0.5, 0.5)), points.nearest(9.0, 9.0, reach=(0.5, 0.5))
        (2, -1)
        """
        xs, ys, rows, _ = self._near((x - reach[0], x + reach[0], y - reach[1], y + reach[1]))
        if not len(xs):
            return -1
        distance = ((xs - x) / reach[0]) ** 2 + ((ys - y) / reach[1]) ** 2
        best = int(distance.argmin())
        return int(rows[best]) if distance[best] <= 1 else -1


def _steps(values: np.ndarray, low: float, high: float, n: int) -> np.ndarray:
    """Step of each value between two ends, anything for those beyond them."""
    number = values.dtype.type
    steps = (values - number(low)) * number(n / (high - low))
    # Rounding may carry a value at the very end over it; those beyond may be too large for whole numbers.
    np.clip(steps, 0, n - 1, out=steps)
    return steps.astype(np.int32)


def _per_cell(cells: np.ndarray, shape: tuple[int, int], weights: np.ndarray | None = None) -> np.ndarray:
    """Points, or the sum of their weights, in each cell."""
    n = shape[0] * shape[1]
    return np.bincount(cells, weights, n + 1)[:n].reshape(shape)


def inside_polygon(x: ArrayLike, y: ArrayLike, polygon: ArrayLike) -> np.ndarray:
    """
    Whether points are inside a polygon, by the even-odd rule.

    A picture of the polygon tells for most points; those close to its edges are counted through.

    Parameters
    ----------
    x, y : array-like of float, shape (n,)
        Points.
    polygon : array-like of float, shape (m, 2)
        At least three corners in order, which need not return to the first; it may cross itself.

    Returns
    -------
    numpy.ndarray of bool, shape (n,)
        False for points that are not finite.

    Raises
    ------
    ValueError
        If there are fewer than three corners, or one is not finite.

    Examples
    --------
    >>> from galzoo_repr.plot import inside_polygon
    >>> inside_polygon([0.2, 0.9], [0.2, 0.9], [(0, 0), (1, 0), (0, 1)])
    array([ True, False])
    """
    x, y, corners = _floats(x), _floats(y), _corners(polygon)
    low, high = corners.min(axis=0), corners.max(axis=0)
    with np.errstate(invalid="ignore"):
        near = np.flatnonzero((x >= low[0]) & (x <= high[0]) & (y >= low[1]) & (y <= high[1]))
    inside = np.zeros(x.shape, dtype=bool)
    size = np.where(high > low, high - low, 1)
    scale = (_MASK_SIDE - 5) / size
    pixels = [tuple(corner) for corner in ((corners - low) * scale + 2).tolist()]
    fill, edge = (Image.new("1", (_MASK_SIDE, _MASK_SIDE)) for _ in range(2))
    ImageDraw.Draw(fill).polygon(pixels, fill=1)
    ImageDraw.Draw(edge).line([*pixels, pixels[0]], fill=1, width=5)
    column = np.rint((x[near] - low[0]) * scale[0] + 2).astype(int)
    line = np.rint((y[near] - low[1]) * scale[1] + 2).astype(int)
    inside[near] = np.asarray(fill)[line, column]
    close = near[np.asarray(edge)[line, column]]
    inside[close] = _crossings_are_odd(x[close], y[close], corners)
    return inside


def _crossings_are_odd(x: np.ndarray, y: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Count the edges to the right of each point."""
    odd = np.zeros(len(x), dtype=bool)
    for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        if y0 != y1:
            odd ^= ((y0 > y) != (y1 > y)) & (x < (x1 - x0) * (y - y0) / (y1 - y0) + x0)
    return odd


def shades(counts: np.ndarray) -> np.ndarray:
    """
    Shades of a picture of densities, by the logarithm of the counts.

    Parameters
    ----------
    counts : numpy.ndarray of int
        Points in each cell.

    Returns
    -------
    numpy.ndarray of uint8
        0 where there is no point, 1 where there is one, up to 255 for most.

    Examples
    --------
    >>> from galzoo_repr.plot import shades
    >>> shades([0, 1, 10, 100])
    array([  0,   1, 128, 255], dtype=uint8)
    """
    counts = np.asarray(counts)
    most = counts.max(initial=0)
    # A table of all counts there may be is shorter than the picture, unless one cell holds most of a catalogue.
    logarithm = np.log(np.maximum(np.arange(most + 1) if most < counts.size else counts, 1))
    shade = (1 + logarithm * (254 / max(np.log(most), 1e-9) if most > 1 else 0)).astype(np.uint8)
    if most < counts.size:
        shade[0] = 0
        return shade[counts]
    return np.where(counts > 0, shade, 0).astype(np.uint8)


def _floats(values: ArrayLike) -> np.ndarray:
    array = np.asarray(values)
    return array if array.dtype in (np.float32, np.float64) else array.astype(float)


def _extent(values: np.ndarray) -> tuple[float, float]:
    return (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)


def _padded(low: float, high: float) -> tuple[float, float]:
    """Ends with some room around them, also where all values are the same."""
    room = _PADDING * (high - low) or _PADDING * abs(low) or 0.5
    return low - room, high + room


def _corners(polygon: ArrayLike) -> np.ndarray:
    corners = np.asarray(polygon, dtype=float)
    if corners.ndim != 2 or corners.shape[1:] != (2,) or len(corners) < 3 or not np.isfinite(corners).all():
        raise ValueError(
            f"a polygon needs three corners or more, as (x, y) that are finite, not an array of shape {corners.shape}"
        )
    return corners
