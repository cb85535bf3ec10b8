"""Axes of matplotlib: what is drawn on them, what their labels say, and what is refused."""

import subprocess
import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import QTable, Table

import galzoo_repr as gzr

CURVE = Table(
    rows=[
        (n, part, figure, 0.01 * n, 0.02)
        for n in (10, 40, 20)
        for part in "ab"
        for figure in ("accuracy", "AUC")
    ],
    names=["n", "part", "figure", "value", "std"],
)


def words(ax) -> list[str]:
    texts = [text.get_text() for text in ax.texts]
    return texts + ([text.get_text() for text in ax.get_legend().get_texts()] if ax.get_legend() else [])


def drawn_points(ax) -> int:
    return sum(len(collection.get_offsets()) for collection in ax.collections)


@pytest.mark.parametrize("kind", [Table, QTable])
@pytest.mark.parametrize("colour", [None, "r50", "kind", "merger", "interest"])
def test_every_galaxy_with_a_place_is_on_the_map(galaxies, kind, colour):
    ax = gzr.plot.map(kind(galaxies), colour=colour)
    assert drawn_points(ax) == 11
    assert "1 of 12 galaxies have no place" in words(ax)
    if colour in ("kind", "merger"):
        assert ax.get_legend().get_title().get_text() == colour
    if colour == "r50":
        assert ax.figure.axes[1].get_ylabel() == "r50 [arcsec]"
    ax.figure.canvas.draw()


@pytest.mark.parametrize("draw", ["map", "sky", "scores", "learning_curve"])
def test_axes_given_are_drawn_on_and_returned(galaxies, draw):
    _, ax = plt.subplots()
    what = CURVE if draw == "learning_curve" else galaxies
    assert getattr(gzr.plot, draw)(what, ax=ax) is ax
    assert ax.has_data()
    with pytest.raises(TypeError, match="ax must be axes of matplotlib"):
        getattr(gzr.plot, draw)(what, ax=ax.figure)


@pytest.mark.parametrize("draw", ["map", "sky"])
@pytest.mark.parametrize("colour", [None, "z", "kind"])
def test_very_many_galaxies_are_drawn_as_cells(draw, colour):
    rng = np.random.default_rng(0)
    n = 60_000
    table = Table({"ra": rng.uniform(0, 360, n), "dec": rng.uniform(-60, 60, n), "z": rng.random(n)})
    table["map_x"], table["map_y"] = rng.normal(size=(2, n))
    table["kind"] = np.where(table["z"] > 0.5, "far", "near")
    ax = getattr(gzr.plot, draw)(table, colour=colour)
    assert drawn_points(ax) == 0
    assert len(ax.images) == (2 if colour == "z" else 1)
    if colour is None:
        assert ax.images[0].get_array().sum() == n
    if colour == "kind":
        assert set(words(ax)) >= {"far", "near"}
    ax.figure.canvas.draw()


def test_the_classes_are_named_beside_the_galaxies_where_there_is_room(galaxies):
    beside, upon = gzr.plot.map(galaxies, colour="kind"), plt.subplots()[1]
    gzr.plot.map(galaxies, colour="kind", ax=upon)
    for ax, is_beside in ((beside, True), (upon, False)):
        ax.figure.canvas.draw()
        key, drawn = ax.get_legend().get_window_extent(), ax.get_window_extent()
        assert bool(key.x0 >= drawn.x1) is is_beside
        assert key.x1 <= ax.figure.bbox.x1 + 1


def test_the_axes_of_a_map_say_what_they_are(galaxies):
    made = gzr.add_map(Table({"embedding": np.random.default_rng(0).normal(size=(50, 8))}))
    assert gzr.plot.map(made).get_xlabel() == "First principal component of embedding"
    assert gzr.plot.map(galaxies).get_xlabel() == "map_x"


def test_a_cell_has_one_galaxy_at_least():
    places = np.random.default_rng(1).normal(size=(2, 60_000))
    ax = gzr.plot.map(Table({"map_x": places[0], "map_y": places[1]}))
    assert ax.figure.axes[1].get_ylim()[0] == 1


def test_scores_fall_from_the_first_to_the_last(galaxies):
    ax = gzr.plot.scores(galaxies, ratings="interest")
    ranks, values = ax.lines[0].get_data()
    assert ranks.tolist() == list(range(1, 12))
    assert (np.diff(values) <= 0).all()
    assert set(words(ax)) >= {
        "one standard deviation",
        "interest, as rated",
        "1 of 12 galaxies have no score",
    }
    assert ax.lines[1].get_xdata().tolist() == [1, 2, 3]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("rank, 1 for the highest", "anomaly_score")
    assert gzr.plot.scores(galaxies, "r50").get_ylabel() == "r50 [arcsec]"


def test_scores_of_very_many_galaxies_keep_both_ends():
    ax = gzr.plot.scores(Table({"anomaly_score": np.arange(100_000.0)}))
    ranks, values = ax.lines[0].get_data()
    assert len(ranks) <= 2000
    assert (ranks[0], ranks[-1], values[0], values[-1]) == (1, 100_000, 99_999, 0)
    assert ax.get_xscale() == "log"


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


@pytest.mark.parametrize("figure", [None, "AUC"])
def test_learning_curves_have_a_line_for_each_part(figure):
    ax = gzr.plot.learning_curve(CURVE, figure)
    assert ax.get_ylabel() == (figure or "accuracy")
    assert words(ax) == ["a", "b"]
    assert ax.lines[0].get_xdata().tolist() == [10, 20, 40]


def test_reliability_is_that_of_the_report():
    embedding = np.random.default_rng(0).normal(size=(120, 4)).astype("float32")
    model = gzr.finetune(
        Table({"embedding": embedding, "ring": embedding[:, 0] > 0}), "ring", members=2, progress=False
    )
    for given in (model, model.report):
        assert gzr.plot.reliability(given).get_xlabel() == "predicted probability"
    with pytest.raises(TypeError, match="model must be a MorphologyModel"):
        gzr.plot.reliability(Table())


NOTHING = Table({"map_x": [np.nan], "map_y": [1.0], "ra": [np.nan], "dec": [0.0], "anomaly_score": [np.nan]})


@pytest.mark.parametrize("draw", ["map", "sky", "scores"])
def test_nothing_to_draw_is_an_error(draw):
    with pytest.raises(ValueError, match="there is nothing to draw"):
        getattr(gzr.plot, draw)(NOTHING)


@pytest.mark.parametrize(
    ("draw", "arguments", "error", "message"),
    [
        (
            "map",
            {"name": "umap"},
            ValueError,
            "no column 'umap_x' and 'umap_y'; call galzoo_repr.add_map first",
        ),
        (
            "map",
            {"colour": "size"},
            ValueError,
            "colour='size' is not a column of the table; its columns are name",
        ),
        ("map", {"colour": "embedding"}, ValueError, r"colour='embedding' is of shape \(12, 6\)"),
        ("map", {"colour": 3}, TypeError, "colour must be the name of a column"),
        ("sky", {"colour": "size"}, ValueError, "colour='size' is not a column of the table"),
        ("scores", {"score": "size"}, ValueError, "score='size' is not a column of the table"),
        ("scores", {"score": "kind"}, ValueError, "score='kind' must hold one number for each row"),
        ("scores", {"ratings": "name"}, ValueError, "ratings='name' must hold one number for each row"),
    ],
)
def test_columns_that_are_not_there_are_named(galaxies, draw, arguments, error, message):
    with pytest.raises(error, match=message):
        getattr(gzr.plot, draw)(galaxies, **arguments)


@pytest.mark.parametrize(
    ("curve", "figure", "error", "message"),
    [
        ([1, 2], None, TypeError, "curve must be a table"),
        (Table({"n": [1]}), None, ValueError, "no column 'part', 'figure', 'value', 'std'"),
        (CURVE, "loss", ValueError, "figure='loss' is not one of 'accuracy', 'AUC'"),
        (CURVE[:0], None, ValueError, "no rows to draw"),
    ],
)
def test_what_is_no_learning_curve_is_refused(curve, figure, error, message):
    with pytest.raises(error, match=message):
        gzr.plot.learning_curve(curve, figure)


def test_places_that_are_no_numbers_and_projected_axes_are_refused(galaxies):
    galaxies["map_x"] = galaxies["name"]
    with pytest.raises(ValueError, match="map_x and map_y must hold one number for each row"):
        gzr.plot.map(galaxies)
    _, ax = plt.subplots(subplot_kw={"projection": "aitoff"})
    with pytest.raises(ValueError, match="ax has the projection 'aitoff'"):
        gzr.plot.sky(galaxies, ax=ax)


def test_classes_beyond_ten_are_drawn_together():
    n = 30
    table = Table(
        {"map_x": np.arange(n), "map_y": np.arange(n), "kind": [f"class {i % 13}" for i in range(n)]}
    )
    ax = gzr.plot.map(table, colour="kind")
    assert len(words(ax)) == 10
    assert words(ax)[-1] == "others"
    assert drawn_points(ax) == n


def test_the_room_is_imported_without_matplotlib():
    code = "import sys, galzoo_repr as gzr; gzr.plot.map; assert 'matplotlib' not in sys.modules, 'imported'"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_band_of_probabilities_stays_within_0_and_1():
    table = Table({"ring_probability": [0.05, 0.5, 0.9], "ring_probability_std": [0.2, 0.2, 0.2]})
    heights = gzr.plot.scores(table, "ring_probability").collections[0].get_paths()[0].vertices[:, 1]
    assert (heights.min(), heights.max()) == (0, 1)
