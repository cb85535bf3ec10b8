"""Galaxies on the sky: the part of it that is shown, its scale, and whether what is written can be read."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Table
from matplotlib.colors import to_rgb

import galzoo_repr as gzr


def words(ax) -> list[str]:
    return [text.get_text() for text in ax.texts]


def drawn_points(ax) -> int:
    return sum(len(collection.get_offsets()) for collection in ax.collections)


def boxes_of_texts(ax) -> list:
    """Boxes of all that is written on and beside axes, when they are drawn."""
    ax.figure.canvas.draw()
    axes = ax.figure.axes
    texts = [text for each in axes for text in (*each.texts, each.xaxis.label, each.yaxis.label)]
    for axis in (axis for each in axes for axis in (each.xaxis, each.yaxis)):
        low, high = sorted(axis.get_view_interval())
        ticks = zip(axis.get_majorticklocs(), axis.get_ticklabels(), strict=True)
        texts += [text for value, text in ticks if low <= value <= high]
    return [text.get_window_extent() for text in texts if text.get_text().strip() and text.get_visible()]


def overlapping(boxes) -> int:
    return sum(one.overlaps(other) for at, one in enumerate(boxes) for other in boxes[:at])


def test_the_sky_is_shown_where_the_galaxies_are(galaxies):
    ax = gzr.plot.sky(galaxies)
    left, right = ax.get_xlim()
    assert left > right
    assert left - right < 3
    assert ax.xaxis.get_major_formatter()(-0.5, 0) == "359.5"
    whole = gzr.plot.sky(SkyCoord([0, 120, 240] * u.deg, [-40, 0, 60] * u.deg))
    assert drawn_points(whole) == 3
    assert "12h" in words(whole)
    assert drawn_points(gzr.plot.sky(galaxies, whole=True)) == 12


def test_galaxies_without_a_position_are_counted():
    ax = gzr.plot.sky(Table({"ra": [10.0, np.nan, 11.0], "dec": [1.0, 1.0, 95.0]}))
    assert "2 of 3 galaxies have no position" in words(ax)


def on_the_sky(ra, dec, **columns) -> Table:
    return Table({"ra": ra, "dec": dec, **columns})


RNG = np.random.default_rng(4)
ALL_OVER = on_the_sky(RNG.uniform(0, 360, 400), RNG.uniform(-80, 80, 400))
PLACES = {
    "all over the sky": ALL_OVER,
    "one galaxy": on_the_sky([151.0], [4.5]),
    "one place": on_the_sky([151.0] * 3, [4.5] * 3),
    "on a line": on_the_sky(np.linspace(150, 155, 9), np.zeros(9)),
    "very close": on_the_sky(150 + 1e-4 * RNG.normal(size=9), 2 + 1e-4 * RNG.normal(size=9)),
    "across 0 h": on_the_sky(np.mod(RNG.normal(0, 2, 20), 360), RNG.normal(0, 2, 20)),
    "at a pole": on_the_sky(RNG.uniform(0, 360, 50), 90 - 2 * RNG.random(50)),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("style", ["default", "dark_background"])
def test_what_is_written_on_the_sky_is_readable(place, style):
    with plt.style.context(style):
        ax = gzr.plot.sky(PLACES[place])
        boxes = boxes_of_texts(ax)
        assert overlapping(boxes) == 0
        page = ax.figure.bbox
        assert all(box.x0 >= page.x0 and box.x1 <= page.x1 and box.y0 >= page.y0 for box in boxes)
        for text in ax.texts:
            edge = text.get_path_effects()[0]._gc
            ground = to_rgb(ax.get_facecolor())
            assert to_rgb(edge["foreground"]) == pytest.approx(ground)
            assert np.abs(np.subtract(to_rgb(text.get_color()), ground)).min() > 0.5


@pytest.mark.parametrize("place", PLACES)
def test_a_map_of_the_sky_is_no_strip_and_has_one_scale(place):
    ax = gzr.plot.sky(PLACES[place])
    ax.figure.canvas.draw()
    box = ax.get_window_extent()
    assert 1 / 3 < box.width / box.height < 3
    assert ax.get_xlim()[0] > ax.get_xlim()[1] or place == "all over the sky"
    labels = [text.get_text() for text in ax.get_xticklabels() if text.get_text()]
    assert len(set(labels)) == len(labels)


def test_the_sky_names_its_axes():
    ax = gzr.plot.sky(ALL_OVER)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("right ascension", "declination")
    assert set(words(ax)) >= {"12h", "20h", "+30°", "\u221230°", "0°"}


def test_around_a_pole_distances_are_true():
    ax = gzr.plot.sky(on_the_sky([0.0, 90.0, 180.0, 270.0], [89.0, 89.0, 89.0, 89.0]))
    x, y = np.asarray(ax.collections[0].get_offsets()).T
    assert np.hypot(x, y) == pytest.approx([1, 1, 1, 1], abs=1e-3)
    assert np.hypot(x[0] - x[2], y[0] - y[2]) == pytest.approx(2, abs=1e-3)
    assert ax.get_xlabel().startswith("east of ")
