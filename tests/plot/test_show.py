"""Thumbnails: what a notebook, an exported notebook and a terminal see of them."""

import base64
import io
import re

import numpy as np
import pytest
from astropy import units as u
from astropy.table import QTable, Table
from PIL import Image

import galzoo_repr as gzr
from galzoo_repr.images import captions, catalogue_montage, cell_texts


def pictures_in(page: str) -> list[Image.Image]:
    return [
        Image.open(io.BytesIO(base64.b64decode(data)))
        for data in re.findall(r'src="data:image/jpeg;base64,([^"]+)"', page)
    ]


@pytest.mark.parametrize("kind", [Table, QTable])
def test_a_notebook_sees_pictures_with_words(galaxies, kind):
    page = gzr.show(kind(galaxies), ["kind", "r50", "anomaly_score"], size=80)._repr_html_()
    pictures = pictures_in(page)
    assert [picture.size for picture in pictures] == [(80, 80)] * 11
    assert np.abs(np.asarray(pictures[5])[40, 40] - (100, 90, 200)).max() < 8
    assert page.index("galaxy 0") < page.index("kind disk") < page.index("r50 1.00 arcsec")
    assert "timeout" in page
    assert not re.search(r"(src|href)=\"(?!data:)", page)


def test_a_catalogue_without_pictures_is_told_how_to_get_them():
    with pytest.raises(ValueError, match=r"columns are ra, dec; galzoo_repr\.add_cutouts makes it"):
        gzr.show(Table({"ra": [10.0], "dec": [1.0]}))


def test_text_of_a_catalogue_is_text(galaxies):
    galaxies["name"][0] = "<b>"
    galaxies["kind"] = ['"><script>alert(1)</script>', *["&amp;"] * 11]
    galaxies["<img src=x onerror=alert(1)>"] = 1
    galaxies["cutout_status"] = ["<i>"] * 12
    shown = gzr.show(galaxies, ["kind", "<img src=x onerror=alert(1)>"])
    page = shown._repr_html_()
    assert "<script" not in page
    assert "<img src=x" not in page
    assert "<b><b>" not in page
    assert "<i>" not in page
    assert "&lt;script&gt;" in page
    assert "&amp;amp;" in page


def test_as_text_it_is_a_table(galaxies):
    lines = repr(gzr.show(galaxies[9:], "r50")).splitlines()
    assert lines[0].split() == ["galaxy", "r50", "picture"]
    assert lines[2].split() == ["galaxy", "9", "7.55", "arcsec", "yes"]
    assert lines[4].split()[-1] == "timeout"
    assert "3 galaxies" in lines[5]


def test_of_many_galaxies_the_first_are_shown(galaxies):
    shown = gzr.show(galaxies, most=4)
    assert len(shown) == 4
    assert "the first 4 of 12 galaxies" in repr(shown)
    assert "the first 4 of 12 galaxies" in shown._repr_html_()
    pictures = np.zeros((12, 20, 20, 3), np.uint8)
    assert len(pictures_in(gzr.show(galaxies, most=4, images=pictures)._repr_html_())) == 4


def test_scores_are_shown_by_default_and_columns_may_be_called_as_ours(galaxies):
    galaxies["picture"] = 3
    assert list(gzr.show(galaxies).words) == ["ra", "dec", "anomaly_score"]
    assert repr(gzr.show(galaxies, ["picture", "name"])).split()[:3] == ["galaxy", "picture", "picture_"]


def test_rows_that_cannot_be_read_say_why(galaxies, tmp_path):
    (tmp_path / "bad.png").write_bytes(b"nothing of the kind")
    files = [str(tmp_path / "bad.png"), str(tmp_path / "gone.png"), *galaxies["cutout"][2:]]
    galaxies["cutout"] = files
    reasons = gzr.show(galaxies).reasons
    assert reasons[0].startswith("corrupt: neither FITS nor an image")
    assert "there is no file" in reasons[1]
    assert reasons[2] == ""


def test_it_is_saved_as_a_page(galaxies, tmp_path):
    shown = gzr.show(galaxies)
    shown.save(tmp_path / "galaxies.html")
    assert shown._repr_html_() in (tmp_path / "galaxies.html").read_text(encoding="utf-8")


def test_no_galaxies_are_no_thumbnails(galaxies):
    assert len(gzr.show(galaxies[:0])) == 0
    assert "0 galaxies" in repr(gzr.show(galaxies[:0]))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"captions": "redshift"}, ValueError, "captions='redshift' is not a column of the table"),
        ({"captions": [3]}, TypeError, "captions must be the name of a column"),
        ({"images": "picture"}, ValueError, "did you mean images='cutout'"),
        ({"most": 0}, ValueError, "most must be a whole number from 1"),
        ({"size": 4}, ValueError, "size must be a whole number from 16"),
        ({"crop": 0}, ValueError, "crop must be a number above 0"),
    ],
)
def test_what_cannot_be_shown_is_refused(galaxies, arguments, error, message):
    with pytest.raises(error, match=message):
        gzr.show(galaxies, **arguments)


def test_a_row_is_refused_with_what_to_do(galaxies):
    with pytest.raises(TypeError, match=r"Use table\[i:i \+ 1\]"):
        gzr.show(galaxies[0])


def test_an_exported_notebook_shows_them(galaxies, tmp_path):
    nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed")
    nbconvert = pytest.importorskip("nbconvert", reason="nbconvert is not installed")
    shown = gzr.show(galaxies[:3])
    data = {"text/plain": repr(shown), "text/html": shown._repr_html_()}
    output = nbformat.v4.new_output("execute_result", data, execution_count=1)
    cell = nbformat.v4.new_code_cell("gzr.show(cat[:3])", outputs=[output], execution_count=1)
    cell.pop("id", None)
    notebook = nbformat.v4.new_notebook(cells=[cell], nbformat_minor=4)
    page, _ = nbconvert.HTMLExporter(template_name="basic").from_notebook_node(notebook)
    assert len(pictures_in(page)) == 3


def test_columns_of_every_type_become_words():
    from astropy.coordinates import SkyCoord
    from astropy.table import MaskedColumn
    from astropy.time import Time

    table = QTable(
        {
            "name": ["NGC 628", ""],
            "z": MaskedColumn([0.0021931, 1], mask=[False, True]),
            "ra": [24.1739458, np.nan] * u.deg,
            "r50": [70.2351, 8] * u.arcsec,
            "id": np.array([2**63 + 5, 1], np.uint64),
            "spiral": [True, False],
            "tag": [b"two\n arms", b"null"],
            "coords": SkyCoord([24.17, 10] * u.deg, [15.78, 0] * u.deg),
            "seen": Time([60000.5, 60001.0], format="mjd"),
            "embedding": np.array([[0.123456, 2, 3, 4], [5, 6, 7, 8.0]]),
            "pair": [[1, 2], [3, 4]],
            "one": [[0.5], [0.25]],
        }
    )
    table["z"].info.format = "%.5f"
    expected = {
        "name": ["NGC 628", "-"],
        "z": ["0.00219", "-"],
        "ra": ["24.17395 deg", "-"],
        "r50": ["70.24 arcsec", "8.00 arcsec"],
        "id": [str(2**63 + 5), "1"],
        "spiral": ["True", "False"],
        "tag": ["two arms", "-"],
        "coords": ["01h36m40.8s +15d46m48.0s", "00h40m00.0s +00d00m00.0s"],
        "seen": ["2023-02-25T12:00:00.000", "2023-02-26T00:00:00.000"],
        "embedding": ["0.123, 2, 3, ... (4 values)", "5, 6, 7, ... (4 values)"],
        "pair": ["1, 2", "3, 4"],
        "one": ["0.500", "0.250"],
    }
    assert {name: cell_texts(table, name) for name in table.colnames} == expected
    assert captions(table[:1], ["z", "name"]) == ["z 0.00219\nNGC 628"]
    assert captions(table, []) == ["", ""]


def test_a_montage_has_any_columns_under_its_pictures(galaxies):
    one, two = (catalogue_montage(galaxies[:4], columns) for columns in ("kind", ["kind", "r50"]))
    assert two.height > one.height
    with pytest.raises(ValueError, match="captions='size' is not a column"):
        catalogue_montage(galaxies, ["size"])


def test_positions_without_a_unit_have_the_digits_of_degrees():
    table = Table({"ra": [196.398458], "DEC": [5.19675], "mag": [14.123456]})
    assert captions(table, ["ra", "DEC", "mag"]) == ["ra 196.39846\nDEC 5.19675\nmag 14.1"]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.95, 0.912345, 0.5], ["0.950", "0.912", "0.500"]),
        ([8.0, 70.2351], ["8.00", "70.24"]),
        ([-3.25, 0.001, 2.0], ["-3.250", "0.001", "2.000"]),
        ([-0.00001, 1.25], ["0.000", "1.250"]),
        ([0.0, 5.0, 3.0], ["0", "5", "3"]),
        ([1.234, 250.7, 12500.0], ["1.23", "251", "12500"]),
        ([1.234e10, 5e12], ["1.23e10", "5.00e12"]),
        ([2e-7, -3e-9], ["2.00e-7", "-3.00e-9"]),
        ([np.nan, 0.25], ["-", "0.250"]),
        ([np.inf, 1.5], ["inf", "1.50"]),
        ([np.nan, np.nan], ["-", "-"]),
    ],
)
@pytest.mark.parametrize("kind", ["f4", "f8"])
def test_the_numbers_of_a_gallery_have_the_same_decimals_and_three_digits(values, expected, kind):
    assert cell_texts(Table({"value": np.array(values, kind)}), "value") == expected


def test_magnitudes_have_two_decimals():
    assert cell_texts(QTable({"r": [9.5, 21.12345] * u.mag}), "r") == ["9.50 mag", "21.12 mag"]


def test_a_page_can_be_read_aloud_and_in_the_dark(galaxies, tmp_path):
    galaxies["r50"][1] = np.nan
    galaxies["anomaly_score"][0] = -1.5
    gzr.show(galaxies, ["r50", "anomaly_score"]).save(tmp_path / "galaxies.html")
    page = (tmp_path / "galaxies.html").read_text(encoding="utf-8")
    assert 'name="color-scheme" content="light dark"' in page
    assert 'name="viewport"' in page
    assert "<title>12 galaxies</title>" in page
    assert 'alt="Colour image of galaxy 0"' in page
    assert 'role="img" aria-label="No image of galaxy 11: timeout"' in page
    assert "anomaly_score \u22121.50" in page
    assert "r50 \u2013" in page


def test_a_gallery_of_a_hundred_is_a_small_file(galaxies, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 60, (100, 64, 64, 3)).astype("uint8")
    gzr.show(Table({"name": [f"galaxy {row}" for row in range(100)]}), images=pixels).save(
        tmp_path / "all.html"
    )
    assert (tmp_path / "all.html").stat().st_size < 2_000_000
