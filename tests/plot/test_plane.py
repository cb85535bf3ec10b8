"""Points of a plane: counted in cells, found in polygons, and nearest to a place."""

import numpy as np
import pytest
from matplotlib.path import Path

from galzoo_repr.plot import PlanePoints, inside_polygon, shades


@pytest.fixture(params=[np.float32, np.float64])
def scattered(request):
    rng = np.random.default_rng(5)
    x, y = rng.normal(size=(2, 20_000)).astype(request.param)
    x[::50] = np.nan
    y[::77] = np.inf
    return x, y


VIEWS = [
    (-6, 6, -6, 6),
    (-0.5, 0.7, -1.2, 0.1),
    (-0.01, 0.02, -0.3, 2.0),
    (-2.5, 2.0, -0.1, 0.1),
    (3, 9, -9, 9),
]


@pytest.mark.parametrize("view", [*VIEWS, (50, 60, 0, 1), (-1e-9, 1e-9, -1e-9, 1e-9)])
def test_cells_hold_what_lies_in_them(scattered, view):
    x, y = scattered
    x0, x1, y0, y1 = view
    points = PlanePoints(x, y)
    inside = np.isfinite(x) & np.isfinite(y) & (x >= x0) & (x < x1) & (y >= y0) & (y < y1)
    counts = points.density(view, (30, 40))
    assert counts.shape == (30, 40)
    assert counts.sum() == inside.sum()
    assert np.array_equal(np.sort(points.within(view)), np.flatnonzero(inside))
    expected = np.histogram2d(
        y[inside].astype(float), x[inside].astype(float), (30, 40), ((y0, y1), (x0, x1))
    )[0]
    # Single precision may put a point on a boundary to the other side.
    assert np.abs(counts - expected).sum() <= 4


@pytest.mark.parametrize("view", VIEWS)
def test_averages_and_commonest_classes_are_those_of_the_points_in_a_cell(scattered, view):
    x, y = scattered
    points = PlanePoints(x, y)
    rows = points.within(view)
    values = np.where(np.arange(len(x)) % 7, x.astype(float), np.nan)
    codes = np.where(x > 0.1, 1, np.where(x < -0.1, 0, -1))
    mean = points.average(view, (1, 1), values)[0, 0]
    assert mean == pytest.approx(np.nanmean(values[rows]))
    classes = np.bincount(codes[rows][codes[rows] >= 0], minlength=2)
    assert points.commonest(view, (1, 1), codes, 2)[0, 0] == classes.argmax()


def test_cells_without_values_or_classes_have_none():
    points = PlanePoints([0.5, 1.5], [0.5, 0.5])
    assert np.isnan(points.average((0, 3, 0, 1), (1, 3), np.array([np.nan, 2.0]))).tolist() == [
        [True, False, True]
    ]
    assert points.commonest((0, 3, 0, 1), (1, 3), np.array([-1, 4]), 5).tolist() == [[-1, 4, -1]]


@pytest.mark.parametrize("n", [0, 1, 5])
def test_a_view_holds_points_that_are_all_in_one_place(n):
    points = PlanePoints(np.full(n, 7.0), np.full(n, -2.0))
    assert points.density(points.bounds, (4, 4)).sum() == len(points) == n


@pytest.mark.parametrize("bounds", [(1, 1, 0, 1), (2, 1, 0, 1), (0, 1, np.nan, 1)])
def test_views_without_extent_are_refused(bounds):
    with pytest.raises(ValueError, match="a view needs left < right"):
        PlanePoints([0.0], [0.0]).density(bounds, (2, 2))


def test_coordinates_of_different_shapes_are_refused():
    with pytest.raises(ValueError, match=r"one shape \(n,\), not \(2,\) and \(3,\)"):
        PlanePoints([0, 1], [0, 1, 2])


STAR = [(np.cos(a) * 2, np.sin(a) * 1.3) for a in np.arange(5) * 4 * np.pi / 5]
POLYGONS = {
    "triangle": [(0, 0), (1.5, 0.2), (0.3, 1.1)],
    "star that crosses itself": STAR,
    "closed": [(-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1)],
    "sliver": [(-2, 0), (2, 0.0004), (2, 0.0008)],
    "larger than all": [(-90, -80), (90, -80), (90, 80), (-90, 80)],
}


@pytest.mark.parametrize("name", POLYGONS)
def test_polygons_hold_the_points_inside(scattered, name):
    x, y = scattered
    polygon = np.array(POLYGONS[name])
    expected = np.isfinite(x) & np.isfinite(y) & _inside_by_crossings(x, y, polygon)
    assert np.array_equal(inside_polygon(x, y, polygon), expected)
    assert np.array_equal(PlanePoints(x, y).inside(polygon), np.flatnonzero(expected))
    if name != "star that crosses itself":
        finite = np.isfinite(x) & np.isfinite(y)
        theirs = Path(polygon).contains_points(np.column_stack([x, y])[finite])
        assert np.array_equal(expected[finite], theirs)


def _inside_by_crossings(x, y, polygon):
    odd = np.zeros(len(x), dtype=bool)
    for (x0, y0), (x1, y1) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        with np.errstate(invalid="ignore", divide="ignore"):
            odd ^= ((y0 > y) != (y1 > y)) & (x < (x1 - x0) * (y - y0) / (y1 - y0) + x0)
    return odd


@pytest.mark.parametrize(
    "polygon", [[(0, 0), (1, 1)], [(0, 0), (1, 1), (np.nan, 0)], [0, 1, 2], np.zeros((3, 3))]
)
def test_what_is_no_polygon_is_refused(polygon):
    with pytest.raises(ValueError, match="a polygon needs three corners or more"):
        inside_polygon([0.0], [0.0], polygon)


def test_polygon_of_no_extent_holds_nothing():
    assert not inside_polygon([0.0, 1.0], [0.0, 1.0], [(0, 0), (1, 1), (0.5, 0.5)]).any()


def test_the_nearest_point_is_found_within_reach():
    points = PlanePoints([0.0, 1.0, np.nan, 5.0], [0.0, 1.0, 0.0, 5.0])
    assert points.nearest(0.9, 0.8, (0.5, 0.5)) == 1
    assert points.nearest(4.9, 5.1, (0.5, 0.5)) == 3
    assert points.nearest(3.0, 3.0, (0.5, 0.5)) == -1


@pytest.mark.parametrize("counts", [[0, 1, 2, 900], [0, 1], [0], [[0, 3], [7, 7]], [0] * 5000 + [1, 5]])
def test_shades_grow_with_counts(counts):
    counts = np.array(counts)
    shade = shades(counts)
    assert shade.shape == counts.shape
    assert ((shade > 0) == (counts > 0)).all()
    order = np.argsort(counts, axis=None)
    assert (np.diff(shade.ravel()[order].astype(int)) >= 0).all()
    if counts.max() > 1:
        assert shade.max() == 255
