"""Axes of matplotlib: what is drawn on them, what their labels say, and what is refused."""

import subprocess
import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest
from astropy.table import QTable, Table
from matplotlib.colors import to_rgb

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


@pytest.mark.parametrize("spread", [0.0, np.nan])
def test_a_spread_that_is_not_known_is_not_in_the_key(spread):
    ax = gzr.plot.scores(Table({"anomaly_score": np.arange(40.0), "anomaly_score_std": np.full(40, spread)}))
    assert ax.get_legend() is None
    assert not ax.collections


def test_scores_of_very_many_galaxies_keep_both_ends():
    ax = gzr.plot.scores(Table({"anomaly_score": np.arange(100_000.0)}))
    ranks, values = ax.lines[0].get_data()
    assert len(ranks) <= 2000
    assert (ranks[0], ranks[-1], values[0], values[-1]) == (1, 100_000, 99_999, 0)
    assert ax.get_xscale() == "log"


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


@pytest.mark.parametrize("times", [1, 20])
def test_a_band_of_probabilities_stays_within_0_and_1(times):
    table = Table({"ring_probability": [0.05, 0.5, 0.9] * times, "ring_probability_std": [0.2] * 3 * times})
    drawn = gzr.plot.scores(table, "ring_probability").collections[0].get_paths()
    heights = np.concatenate([path.vertices[:, 1] for path in drawn])
    assert (heights.min(), heights.max()) == (0, 1)


@pytest.mark.parametrize("text", ["$x_1$", r"$\frac{$", "_hidden", "<b>", "a & b %"])
def test_names_are_drawn_as_they_are(galaxies, text):
    galaxies["kind"] = [text, *["other"] * 11]
    galaxies[text] = np.arange(12.0)
    ax = gzr.plot.map(galaxies, colour="kind")
    assert text.replace("$", r"\$") in words(ax)
    ax.figure.canvas.draw()
    numbers = gzr.plot.map(galaxies, colour=text)
    numbers.figure.canvas.draw()
    assert numbers.figure.axes[1].get_ylabel() == text.replace("$", r"\$")


def test_names_are_kept_from_tex_where_it_sets_the_text():
    from galzoo_repr.plot._words import as_it_is

    with plt.rc_context({"text.usetex": True}):
        assert as_it_is("a_b $5% {c}") == r"a\_b \$5\% \{c\}"


def test_long_names_leave_room_for_the_galaxies(galaxies):
    galaxies["kind"] = ["a very long name of a class of galaxies " * 3, *["disk"] * 11]
    ax = gzr.plot.map(galaxies, colour="kind")
    ax.figure.canvas.draw()
    assert ax.get_window_extent().width > 0.5 * ax.figure.bbox.width
    assert ax.get_legend().get_window_extent().x1 <= ax.figure.bbox.x1 + 1


def test_galaxies_without_a_value_are_in_the_key(galaxies):
    galaxies["nothing"] = np.full(12, np.nan)
    ax = gzr.plot.map(galaxies, colour="interest")
    assert "no value" in words(ax)
    ax = gzr.plot.map(galaxies, colour="nothing")
    assert words(ax)[-1] == "no value"
    assert len(ax.figure.axes) == 1


def test_a_few_extreme_numbers_do_not_take_all_colours():
    n = 1000
    table = Table(
        {
            "map_x": np.random.default_rng(4).normal(size=n),
            "map_y": np.random.default_rng(4).normal(size=n),
            "flux": np.linspace(0, 1, n),
        }
    )
    table["flux"][7] = 1e6
    drawn = gzr.plot.map(table, colour="flux").collections[0]
    assert drawn.norm.vmax < 1
    assert drawn.colorbar.extend == "both"
    few = gzr.plot.map(table[:50], colour="flux").collections[0]
    assert few.norm.vmax == 1e6
    assert few.colorbar.extend == "neither"


@pytest.mark.parametrize("n", [30, 60_000])
def test_a_map_has_one_scale_whatever_else_is_on_the_page(n, caplog):
    table = Table(
        {
            "map_x": 10 * np.random.default_rng(4).normal(size=n),
            "map_y": np.random.default_rng(4).normal(size=n),
        }
    )
    _, (free, *_) = plt.subplots(1, 2, sharey=True)
    for ax in (gzr.plot.map(table), gzr.plot.map(table, ax=free)):
        ax.figure.canvas.draw()
        lengths = np.abs(np.diff(ax.transData.transform([(0, 0), (1, 1)]), axis=0))[0]
        assert lengths[0] == pytest.approx(lengths[1], rel=0.01)
    _, (one, _) = plt.subplots(1, 2, sharex=True, sharey=True)
    gzr.plot.map(table, ax=one).figure.canvas.draw()
    assert not caplog.records


def test_classes_have_shapes_of_their_own(galaxies):
    ax = gzr.plot.map(galaxies, colour="kind")
    shapes = {tuple(map(tuple, each.get_paths()[0].vertices.round(3))) for each in ax.collections}
    assert len(shapes) == 2


@pytest.mark.parametrize(("style", "lightest_is"), [("default", "few"), ("dark_background", "most")])
def test_most_galaxies_are_furthest_from_the_colour_of_the_ground(style, lightest_is):
    places = np.random.default_rng(1).normal(size=(2, 60_000))
    with plt.style.context(style):
        drawn = gzr.plot.map(Table({"map_x": places[0], "map_y": places[1]})).images[0]
    few, most = (sum(drawn.to_rgba(value)[:3]) for value in (1, drawn.norm.vmax))
    assert (few > most) == (lightest_is == "few")


@pytest.mark.parametrize("n", [1, 3])
def test_a_few_scores_are_seen_one_by_one(galaxies, n):
    ax = gzr.plot.scores(galaxies[:n])
    assert ax.lines[0].get_marker() == "o"
    ax.figure.canvas.draw()
    low, high = ax.get_xlim()
    assert [tick for tick in ax.get_xticks() if low <= tick <= high] == list(range(1, n + 1))


def test_curves_have_colours_and_shapes_of_their_own_and_all_are_named():
    rows = [(size, part, "AUC", 0.8, 0.1) for part in ("_a", "$b$", "c") for size in (20, 160, 200, 320)]
    ax = gzr.plot.learning_curve(Table(rows=rows, names=["n", "part", "figure", "value", "std"]))
    lines = [each.lines[0] for each in ax.containers]
    assert [line.get_color() for line in lines] == list(gzr.plot.CLASS_COLOURS[:3])
    assert len({line.get_marker() for line in lines}) == 3
    assert words(ax) == ["_a", r"\$b\$", "c"]
    ax.figure.canvas.draw()
    labels = [text for text in ax.get_xticklabels() if text.get_text()]
    assert [text.get_text() for text in labels] == ["20", "200", "320"]
    boxes = [text.get_window_extent() for text in labels]
    assert not any(one.overlaps(other) for at, one in enumerate(boxes) for other in boxes[:at])


def test_reliability_names_all_that_is_predicted():
    from galzoo_repr.finetuning import Metric, Reliability, Report

    bins = Reliability(predicted=np.array([0.1, 0.8]), observed=np.array([0.0, 0.9]), n=np.array([40, 40]))
    parts = {"_a": bins, "$b$": bins, "a long name " * 8: bins}
    report = Report(80, 5, (Metric("", "accuracy", 0.9, 0.8, 0.95),), parts, (), *np.zeros((3, 0, 0)))
    for ax in (report.plot_reliability(), gzr.plot.reliability(report)):
        assert words(ax)[:2] == ["_a", r"\$b\$"]
        assert ax.get_aspect() == 1
        assert {each.lines[0].get_color() for each in ax.containers} == set(gzr.plot.CLASS_COLOURS[:3])
    assert "\n" in words(ax)[2]


# Linear RGB as those see it who lack one kind of cones (Machado, Oliveira and Fernandes 2009, severity 1), and the
# space in which equal distances look alike (Ottosson 2020, Oklab).
SIGHTS = {
    "all cones": np.eye(3),
    "protanopia": [[0.1523, 1.0526, -0.2049], [0.1145, 0.7863, 0.0992], [-0.0039, -0.0481, 1.0520]],
    "deuteranopia": [[0.3673, 0.8606, -0.2280], [0.2801, 0.6725, 0.0474], [-0.0118, 0.0429, 0.9689]],
    "tritanopia": [[1.2555, -0.0767, -0.1788], [-0.0784, 0.9308, 0.1476], [0.0047, 0.6914, 0.3039]],
}
TO_CONES = [[0.41222, 0.53633, 0.05145], [0.21190, 0.68070, 0.10740], [0.08830, 0.28172, 0.62998]]
TO_LAB = [[0.21045, 0.79362, -0.00407], [1.97800, -2.42859, 0.45059], [0.02590, 0.78277, -0.80868]]


@pytest.mark.parametrize("sight", SIGHTS)
def test_colours_of_classes_are_told_apart_by_whoever_looks(sight):
    rgb = np.array([to_rgb(colour) for colour in gzr.plot.CLASS_COLOURS])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = (linear @ np.transpose(SIGHTS[sight])).clip(0, 1)
    places = np.cbrt(seen @ np.transpose(TO_CONES)) @ np.transpose(TO_LAB)
    distances = np.linalg.norm(places[:, None] - places, axis=-1) + np.eye(len(rgb))
    assert distances.min() > 0.07
