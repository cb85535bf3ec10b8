"""A person finds galaxies like some and unlike others: by name, position, image file, and from other views."""

import base64
import json
from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.coordinates.name_resolve import NameResolveError

import galzoo_repr as gzr
from galzoo_repr.app._search import Search, named_example

from .conftest import galaxies, until


@pytest.fixture(scope="module")
def embedded(tmp_path_factory):
    """Galaxies of a shape of their own each, embedded by the encoder of the package."""
    from PIL import Image

    folder = tmp_path_factory.mktemp("pictures")
    table = galaxies(12, folder=folder)
    y, x = np.mgrid[-1:1:96j, -1:1:96j]
    for row, path in enumerate(table["file_loc"]):
        angle = row * np.pi / 12
        along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
        light = np.exp(-((along / 0.5) ** 2 + (across / (0.1 + 0.03 * row)) ** 2))
        colours = np.stack([light, light ** (1 + row / 12), light**2], axis=-1)
        Image.fromarray((255 * colours).astype("uint8")).save(path)
    table.remove_column("embedding")
    return gzr.add_embeddings(table, images="file_loc", progress=False)


def open_find(page, served):
    page.goto(served.url)
    page.locator(".bk-tab", has_text="Find").click()
    page.locator("input[name=query]:focus").wait_for()
    return page.locator(".rate >> visible=true")


def rows_shown(page) -> list[int]:
    ids = page.locator("figure >> visible=true").evaluate_all("all => all.map((one) => one.id)")
    return [int(one[5:]) for one in ids]


def found(page, n: int, rows: list[int] | None = None) -> list[int]:
    """Rows shown, once so many examples are searched for; these, where they are known."""
    until(lambda: page.locator(".sought").get_attribute("data-examples") == str(n))
    page.locator(".sought .said", has_text="the most alike first").wait_for()
    until(lambda: rows_shown(page) == rows if rows else rows_shown(page))
    return rows_shown(page)


def remembered(served) -> dict:
    """Query that is kept for the next time; a page is remembered half a second after its last change."""
    return json.loads((served.folder / "view.json").read_text()).get("query") or {
        "examples": [],
        "negatives": [],
    }


def order_of(table, query, **options) -> list[int]:
    return gzr.find_similar(table, query, n=24, **options)["row"].tolist()


def test_names_positions_and_keys_make_a_query_of_examples_and_negatives(served, page, tmp_path):
    table = galaxies(folder=tmp_path)
    one = served(table)
    open_find(page, one)
    page.keyboard.type("galaxy 7")
    page.keyboard.press("Enter")
    found(page, 1, order_of(table, 7))
    where = f"{table['ra'][20]:.6f} {table['dec'][20]:+.6f}"
    page.keyboard.type(where)
    page.keyboard.press("Shift+Enter")
    found(page, 2, order_of(table, 7, negatives=[20]))
    assert page.locator(".chip.unlike").inner_text().split() == ["−", "galaxy", "20", "×"]
    page.keyboard.press("Escape")
    page.locator(".rate:focus").wait_for()
    first = order_of(table, 7, negatives=[20])[0]
    page.keyboard.press("m")
    found(page, 3, order_of(table, [7, first], negatives=[20]))
    page.locator("input[name=separation]").fill("7200")
    page.keyboard.press("Enter")
    expected = order_of(table, [7, first], negatives=[20], min_separation=7200 * u.arcsec)
    found(page, 3, expected)
    page.get_by_role("button", name="Remove galaxy 20").click()
    expected = order_of(table, [7, first], min_separation=7200 * u.arcsec)
    found(page, 2, expected)
    until(lambda: not remembered(one)["negatives"] and len(remembered(one)["examples"]) == 2)
    one.kill()

    again = served()
    page.goto(again.url)
    page.locator("figure.here >> visible=true").wait_for()
    found(page, 2, expected)


def test_captions_tell_similarity_and_separation_and_all_can_be_selected(served, page, tmp_path):
    table = galaxies(folder=tmp_path)
    one = served(table)
    open_find(page, one)
    page.keyboard.type("galaxy 7")
    page.keyboard.press("Enter")
    found(page, 1)
    best = gzr.find_similar(table, 7, n=1)
    caption = page.locator("figcaption >> visible=true").first.inner_text()
    assert caption == f"{best['similarity'][0]:.3f} · {best['separation'][0] / 3600:.1f}°"
    page.keyboard.press("Escape")
    page.locator(".rate:focus").wait_for()
    page.keyboard.press(" ")
    until(
        lambda: page.locator("figure >> visible=true").first.get_attribute("id") != f"card-{best['row'][0]}"
    )
    page.keyboard.press("a")
    page.get_by_text("59 galaxies are selected").wait_for()


@pytest.mark.parametrize(
    "text", ["no such galaxy!", "<script>window.harmed = 1</script>", "/etc/passwd", "name", "1 2 3 4 5 6 7"]
)
def test_what_means_nothing_is_said_as_text(served, page, tmp_path, text):
    one = served(galaxies(folder=tmp_path))
    open_find(page, one)
    page.keyboard.type(text)
    page.keyboard.press("Enter")
    page.locator(".sought .failed", has_text="no galaxy of the catalogue is called").wait_for()
    assert text in page.locator(".sought .failed").inner_text()
    assert page.locator(".chip").count() == 0
    assert page.locator("input[name=query]").input_value() == text
    assert page.evaluate("window.harmed") is None


DROP = """([name, data]) => {
  const bytes = Uint8Array.from(atob(data), (one) => one.charCodeAt(0))
  const transfer = new DataTransfer()
  transfer.items.add(new File([bytes], name, { type: "image/png" }))
  for (const kind of ["dragover", "drop"]) {
    const event = new DragEvent(kind, { bubbles: true, cancelable: true, dataTransfer: transfer })
    document.querySelector("#galzoo, body").dispatchEvent(event)
  }
}"""


def test_a_dropped_image_finds_its_galaxy_and_stays_for_the_next_time(served, page, tmp_path, embedded):
    one = served(embedded)
    open_find(page, one)
    content = Path(embedded["file_loc"][5]).read_bytes()
    page.evaluate(DROP, ["<b>five</b>.png", base64.b64encode(content).decode()])
    assert found(page, 1)[0] == 5
    chip = page.locator(".chip.like")
    assert "<b>five</b>.png" in chip.inner_text()
    assert chip.locator("img").evaluate("image => image.naturalWidth") > 0
    page.evaluate(DROP, ["notes.txt", base64.b64encode(b"these are words").decode()])
    page.locator(".sought .failed", has_text="notes.txt: the query image").wait_for()
    assert page.locator(".chip").count() == 1
    page.keyboard.type("galaxy 9")
    page.keyboard.press("Enter")
    found(page, 2)
    until(lambda: 9 not in rows_shown(page))
    until(lambda: remembered(one)["examples"][1:] == [{"row": 9}])
    one.kill()

    again = served()
    page.goto(again.url)
    page.locator("figure.here >> visible=true").wait_for()
    found(page, 2)


def test_an_image_is_refused_where_nobody_knows_the_encoder(served, page, tmp_path):
    table = galaxies(folder=tmp_path)
    one = served(table)
    open_find(page, one)
    page.locator("input[name=file]").set_input_files(table["file_loc"][3])
    page.locator(".sought .failed", has_text="does not say which encoder made its embeddings").wait_for()


def test_more_like_the_galaxy_that_is_rated(served, page, tmp_path):
    table = galaxies(folder=tmp_path)
    one = served(table)
    page.goto(one.url)
    page.locator("figure.here").wait_for()
    row = int(page.locator(".rate").get_attribute("data-row"))
    page.keyboard.press("m")
    page.locator(".sought").wait_for()
    found(page, 1, order_of(table, row))


def desk_of(tmp_path, table):
    return gzr.look(table, serve=False, folder=tmp_path / "kept")


def test_names_that_only_sesame_knows(tmp_path, monkeypatch):
    table = galaxies()
    asked = []

    def from_name(name):
        asked.append(name)
        if name == "M 31":
            return SkyCoord(10.684708, 41.26875, unit="deg")
        raise NameResolveError("unknown")

    monkeypatch.setattr(SkyCoord, "from_name", from_name)
    with desk_of(tmp_path, table) as looked:
        assert named_example(looked._desk, "M 31") == {"text": "10.684708 41.268750", "name": "M 31"}
        with pytest.raises(ValueError, match="the Sesame service does not know it"):
            named_example(looked._desk, "Nowhere 5")
        assert named_example(looked._desk, "galaxy 3") == {"row": 3}
        assert asked == ["M 31", "Nowhere 5"]


def test_examples_of_several_kinds_are_one_query(tmp_path, embedded):
    content = Path(embedded["file_loc"][2]).read_bytes()
    with desk_of(tmp_path, embedded) as looked:
        search = Search(looked._desk)
        query = {"examples": [{"row": 4}, search.keep_file(content, "two.png")], "negatives": [{"row": 8}]}
        result = search.find(query)
        assert result.rows[0] == 2
        assert not {4, 8} & set(result.rows)
        for wrong in ({"row": 99}, {"file": "../marks", "name": "x"}, {"file": "0" * 64}):
            with pytest.raises(ValueError, match=r"no row 99|is not kept here"):
                search.example(wrong)
        with pytest.raises(ValueError, match="at least one galaxy"):
            search.find({"examples": [], "negatives": [{"row": 8}]})


def test_without_positions_the_examples_are_still_left_out(tmp_path, embedded):
    table = embedded.copy()
    table.remove_columns(["ra", "dec"])
    content = Path(embedded["file_loc"][2]).read_bytes()
    with desk_of(tmp_path, table) as looked:
        search = Search(looked._desk)
        result = search.find({"examples": [{"row": 4}, search.keep_file(content, "two.png")]})
        assert 4 not in result.rows
        assert np.isnan(result.separation[result.rows[0]])
