"""The map: what is sent of many galaxies, what a lasso selects, and what is done with those selected."""

import time

import numpy as np
import pytest
from astropy.table import Table

import galzoo_repr as gzr
from galzoo_repr.catalogue import read_catalogue

from .conftest import galaxies, until


def mapped(n: int = 60, **options) -> Table:
    """Catalogue in two heaps on a map, the left one of disks, whose galaxies have even numbers."""
    table = galaxies(n, **options)
    generator = np.random.default_rng(1)
    right = np.arange(n) % 2
    table["map_x"] = (generator.normal(0, 0.3, n) + 6 * right).astype("float32")
    table["map_y"] = generator.normal(0, 1, n).astype("float32")
    table["kind"] = np.where(right, "ring", "disk")
    return table


@pytest.fixture
def session(tmp_path):
    """A page without a browser, as ``session(table)``."""
    from galzoo_repr.app._session import Session

    opened = []

    def make(table: Table) -> Session:
        looked = gzr.look(table, folder=tmp_path / "look", serve=False)
        opened.append(looked)
        made = Session(looked._desk)
        made.looked = looked
        return made

    yield make
    for looked in opened:
        looked.close()


def plane(n: int, **options):
    from galzoo_repr.app._plane_view import PlaneView

    x, y = np.random.default_rng(0).normal(size=(2, n)).astype("float32")
    selected = []
    view = PlaneView(
        *(x, y),
        later=lambda callback: callback(),
        on_select=selected.append,
        on_hover=lambda row: None,
        on_tap=lambda row: None,
        name="plane",
        **options,
    )
    return view, selected, x, y


def test_of_a_million_galaxies_a_picture_is_sent_and_points_when_few_are_in_view():
    view, _, x, y = plane(1_000_000)
    (cells,) = view._image.data["image"]
    assert cells.dtype == np.uint8
    assert cells.size < 500_000
    assert len(view._dots.data["x"]) == 0
    view.zoom((1, 1.02, 1, 1.05))
    inside = (x >= 1) & (x < 1.02) & (y >= 1) & (y < 1.05)
    assert 0 < inside.sum() < 4000
    assert sorted(view._dots.data["x"]) == sorted(x[inside])
    assert not view._image.data["image"]


@pytest.mark.parametrize("n", [3000, 80_000])
@pytest.mark.parametrize("kind", ["numbers", "classes"])
def test_colours_are_places_in_the_palette(n, kind):
    from galzoo_repr.plot import read_colouring

    view, _, x, _ = plane(n)
    values = x if kind == "numbers" else np.where(x > 0, "right", "left")
    view.paint(read_colouring(Table({"colour": values}), "colour"))
    shown = view._dots.data["shade"] if n < 50_000 else view._image.data["image"][0]
    assert shown.dtype == np.uint8
    assert len(np.unique(shown)) > 1
    assert len(view._colours.palette) == 256
    assert view._scale in view.figure.right
    view.paint(None)
    assert view._scale is None


def test_a_lasso_selects_what_is_inside():
    from bokeh.events import SelectionGeometry

    view, selected, x, y = plane(80_000)
    shape = {"type": "poly", "x": [0, 2, 2, 0], "y": [0, 0, 1, 1]}
    view._lasso(SelectionGeometry(view.figure, geometry=shape, final=False), selected.append)
    assert not selected
    view._lasso(SelectionGeometry(view.figure, geometry=shape, final=True), selected.append)
    assert np.array_equal(selected[0], np.flatnonzero((x > 0) & (x < 2) & (y > 0) & (y < 1)))
    view.select(selected[0])
    assert view._over.data["image"][0].max() > 0


def test_tags_and_labels_are_columns_and_come_back(session, tmp_path):
    from galzoo_repr.app._marks import label_rows, tag_rows

    page = session(mapped())
    tag_rows(page.desk, np.array([1, 5]), " tidal  tail ")
    tag_rows(page.desk, np.array([5]), "merger")
    tag_rows(page.desk, np.array([5]), "merger")
    label_rows(page.desk, np.array([0, 5]), "ring", "yes")
    label_rows(page.desk, np.array([5]), "ring", "no")
    assert page.looked.table["tags"][5] == "merger, tidal tail"
    page.looked.close()
    again = session(mapped()).looked.table
    assert again["tags"][[0, 1, 5]].tolist() == ["", "tidal tail", "merger, tidal tail"]
    assert again["ring"][[0, 1, 5]].tolist() == ["yes", "", "no"]


@pytest.mark.parametrize(
    ("column", "message"),
    [("1st", "cannot be the name of a column"), ("", "cannot be the name"), ("ra", "holds no words")],
)
def test_labels_need_a_column_of_their_own(session, column, message):
    from galzoo_repr.app._marks import label_rows

    with pytest.raises(ValueError, match=message):
        label_rows(session(mapped()).desk, np.array([0]), column, "yes")


@pytest.mark.parametrize(
    ("tag", "message"),
    [(" ; ", "without commas, semicolons"), ("a, b", "without commas"), (" ", "stands for no tag")],
)
def test_what_is_no_tag_is_refused(session, tag, message):
    from galzoo_repr.app._marks import tag_rows

    with pytest.raises(ValueError, match=message):
        tag_rows(session(mapped()).desk, np.array([0]), tag)


def test_views_are_linked_by_what_is_selected(session):
    from galzoo_repr.app._map import MapView

    page = session(mapped())
    view = MapView(page)
    view.histogram.show("map_x")
    view.histogram._select(3, 99)
    assert np.array_equal(page.selection, np.flatnonzero(page.table["map_x"] >= 3))
    assert len(view.map._marks.data["x"]) == len(view.sky._marks.data["x"]) == len(page.selection)
    assert view.selected.said.object == f"{len(page.selection)} selected"
    view.selected.tag.value = "right"
    view.selected._do("tagged", *_tagging(view))
    assert (page.table["tags"] == "right").sum() == len(page.selection)
    view.colour.value = "tags"
    page.set("selection", [])
    view.selected._do("tagged", *_tagging(view))
    assert view.selected.said.object == "nothing is selected"


def _tagging(view):
    from galzoo_repr.app._marks import tag_rows

    return tag_rows, view.selected.tag.value


def test_without_a_map_one_is_made_at_once(session):
    from galzoo_repr.app._map import view

    page = session(galaxies())
    view(page)
    assert {"map_x", "map_y"} <= set(page.table.colnames)


def open_map(page, served):
    page.goto(served.url)
    page.get_by_text("Map", exact=True).click()
    figure = page.locator(".bk-Figure").first
    figure.wait_for()
    until(lambda: (box := figure.bounding_box()) and box["height"] > 200)
    page.wait_for_timeout(1500)
    return figure


def lasso_left_half(page, figure):
    figure.locator("[title='Lasso Select']").click()
    box = figure.bounding_box()
    left, top, width, height = box["x"], box["y"], box["width"], box["height"]
    corners = [(0.07, 0.02), (0.45, 0.02), (0.45, 0.88), (0.07, 0.88), (0.07, 0.05)]
    page.mouse.move(left + corners[0][0] * width, top + corners[0][1] * height)
    page.mouse.down()
    for across, down in corners[1:]:
        page.mouse.move(left + across * width, top + down * height, steps=8)
    page.mouse.up()


def test_a_lasso_in_the_browser_is_tagged_and_a_kill_loses_nothing(served, page, tmp_path):
    first = served(mapped(folder=tmp_path))
    figure = open_map(page, first)
    lasso_left_half(page, figure)
    page.get_by_text("30 selected", exact=True).wait_for()
    page.get_by_placeholder("tag").fill("<script>left</script>")
    page.get_by_placeholder("tag").press("Enter")
    page.get_by_role("button", name="Tag", exact=True).click()
    page.get_by_text("30 tagged", exact=True).wait_for()
    page.get_by_role("button", name="Grid", exact=True).click()
    until(lambda: page.locator("img[alt^='galaxy ']").count() == 30)
    time.sleep(0.8)  # after which what is selected is remembered
    first.kill()

    second = served()
    open_map(page, second)
    page.get_by_text("30 selected", exact=True).wait_for()
    page.get_by_text("Out", exact=True).click()
    page.get_by_label("Format").select_option("VOTable")
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_text("60 galaxies saved to").wait_for()
    saved = read_catalogue(second.folder / "catalogue.vot")
    tagged = [row for row, tag in enumerate(saved["tags"]) if tag == "<script>left</script>"]
    assert tagged == list(range(0, 60, 2))


def test_the_galaxy_at_the_pointer_is_shown(served, page, tmp_path):
    table = mapped(folder=tmp_path)
    # One at a place of its own, the middle between the heaps, and two which say where that is.
    table["map_x"][:3], table["map_y"][:3] = [3, -2, 8], [0, -4, 4]
    table["name"] = ["<img src=x onerror=alert(1)>", *[f"galaxy {row}" for row in range(1, 60)]]
    first = served(table)
    figure = open_map(page, first)
    box = figure.bounding_box()
    words = page.locator("pre", has_text="<img src=x onerror=alert(1)>")
    for step in range(12):
        page.mouse.move(box["x"] + 0.512 * box["width"] + step % 3, box["y"] + 0.466 * box["height"])
        page.wait_for_timeout(300)
    words.first.wait_for()
    assert page.locator("img[alt='Galaxy at the pointer'][src^='data:']").count()
    page.get_by_label("From").last.fill("-99")
    page.get_by_role("button", name="Select", exact=True).click()
    page.get_by_text("60 selected", exact=True).wait_for()
    page.get_by_role("button", name="Grid", exact=True).click()
    until(lambda: page.locator("img[alt^='galaxy ']").count() > 30)
    assert page.locator("img[alt='<img src=x onerror=alert(1)>']").count() == 1
    assert page.locator("img[src='x']").count() == 0
