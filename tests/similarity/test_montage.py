"""The picture of a query and its answers."""

import numpy as np
import pytest
from astropy import units as u
from astropy.table import Table
from PIL import Image

from galzoo_repr import find_similar
from galzoo_repr.similarity import similarity_montage


@pytest.fixture
def catalogue(tmp_path):
    paths = []
    for number, colour in enumerate([(200, 0, 0), (0, 200, 0), (0, 0, 200), (90, 90, 90)]):
        paths.append(str(tmp_path / f"{number}.png"))
        Image.new("RGB", (80, 80), colour).save(paths[-1])
    paths[3] = ""
    angles = np.radians([0, 10, 20, 30])
    embedding = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return Table({"name": list("abcd"), "cutout": paths, "embedding": embedding, "petro_th50": [3.0] * 4})


def has(picture, colour):
    return (np.abs(np.asarray(picture).astype(int) - colour).max(axis=2) < 6).any()


def test_query_and_answers_are_drawn(catalogue, tmp_path):
    found = find_similar(catalogue, 0, n=3, include_query=True)
    picture = similarity_montage(found, title="Like a")
    for colour in [(200, 0, 0), (0, 200, 0), (0, 0, 200), (0, 0, 0)]:
        assert has(picture, colour)
    picture.save(tmp_path / "similar.png")
    with Image.open(tmp_path / "similar.png") as written:
        assert written.size == picture.size
    # A query drawn large takes more room than the same galaxies side by side.
    assert picture.height > similarity_montage(found[1:]).height


def test_names_stand_under_any_usual_name_and_rows_where_one_is_missing(catalogue):
    catalogue["name"] = ["a", "b", "", "?"]
    found = find_similar(catalogue, 0, n=3)
    said = np.asarray(similarity_montage(found))
    found.rename_column("name", "MAIN_ID")
    assert np.array_equal(np.asarray(similarity_montage(found)), said)
    found["MAIN_ID"] = ["b", "row 2", "row 3"]
    assert np.array_equal(np.asarray(similarity_montage(found)), said)


def test_a_missing_file_is_a_black_panel(catalogue):
    found = find_similar(catalogue, 0, n=3)
    found["cutout"][0] = "nowhere.png"
    assert has(similarity_montage(found), (0, 0, 0))


def test_scale_bars_need_a_field_of_view(catalogue):
    found = find_similar(catalogue, 0, n=1)
    with_bar = np.asarray(similarity_montage(found))
    found.remove_column("petro_th50")
    without = np.asarray(similarity_montage(found))
    given = np.asarray(similarity_montage(found, fov=40 * u.arcsec))
    assert not np.array_equal(with_bar, without)
    assert not np.array_equal(given, without)
    with pytest.raises(TypeError, match="angle"):
        similarity_montage(found, fov=40)


def test_what_cannot_be_drawn(catalogue):
    with pytest.raises(ValueError, match="no column 'similarity', 'similarity_rank'"):
        similarity_montage(catalogue)
    found = find_similar(catalogue, 0, n=1)
    with pytest.raises(ValueError, match="no galaxies to draw"):
        similarity_montage(found[:0])
    with pytest.raises(ValueError, match="no column 'image'"):
        similarity_montage(found, cutout="image")


def test_headers_tell_the_field_of_view_before_the_radii_do(catalogue, tmp_path):
    from astropy.io import fits

    cards = {"BANDS": "grz", "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 10.0}
    cards |= {"CRPIX1": 40, "CRPIX2": 40, "CD1_1": -1 / 3600, "CD2_2": 1 / 3600}
    planes = np.random.default_rng(0).normal(size=(3, 80, 80)).astype("f4")
    fits.PrimaryHDU(planes, fits.Header(cards)).writeto(tmp_path / "sky.fits")
    catalogue["cutout"] = [str(tmp_path / "sky.fits")] * 4
    found = find_similar(catalogue, 0, n=2)
    fields = (None, 80 * u.arcsec, 40 * u.arcsec)
    drawn, given, other = (np.asarray(similarity_montage(found, fov=fov)) for fov in fields)
    assert np.array_equal(drawn, given)
    assert not np.array_equal(drawn, other)
