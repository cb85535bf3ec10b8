"""The flux scale of FITS files: what the header says, what a survey says, and where they differ."""

import io

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from galzoo_repr.exceptions import GalzooWarning
from galzoo_repr.images import Picture, flux_scales, pictures_of, read_image
from galzoo_repr.images._flux import flux_factors

PLANES = np.random.default_rng(5).normal(0.1, 0.02, (3, 16, 16)).astype(np.float32)


def fits_file(planes=PLANES, *, scale=None, compressed=False, **cards):
    header = fits.Header({"BANDS": "grz"[: len(planes)]} | cards)
    if scale:
        header.update(CTYPE1="RA---TAN", CTYPE2="DEC--TAN", CD1_1=-scale / 3600, CD2_2=scale / 3600)
    body = io.BytesIO()
    if compressed:
        image = fits.CompImageHDU(planes, header, compression_type="GZIP_2", quantize_level=0)
        fits.HDUList([fits.PrimaryHDU(), image]).writeto(body)
    else:
        fits.PrimaryHDU(planes, header).writeto(body)
    return body.getvalue()


def pixels_of(content, **options):
    found = read_image(content, **options)
    assert found.status == "ok", found.reason
    return found.pixels


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize(
    ("unit", "per_nanomaggy"),
    [
        ("nanomaggy", 1), ("nanomaggies", 1), ("Nanomaggies/pixel", 1), ("nmgy", 1), ("nMgy / pix", 1), ("maggy", 1e-9),
        ("nJy", 3631), ("nJy/pixel", 3631), ("uJy", 3.631), ("microJy", 3.631), ("mJy", 3.631e-3), ("Jy", 3.631e-6),
        ("MJy/sr", 3.631e-12 / (0.262 / 3600 * np.pi / 180) ** 2),
        ("erg s-1 cm-2 Hz-1", 3.631e-29),
        ("", 1), ("none", 1),
    ],
)  # fmt: skip
def test_units_of_flux_become_nanomaggies(unit, per_nanomaggy, compressed):
    content = fits_file(PLANES * np.float32(per_nanomaggy), BUNIT=unit, compressed=compressed)
    assert pixels_of(content) == pytest.approx(PLANES, rel=2e-3)


@pytest.mark.parametrize("unit", ["nanomaggy", "nJy", "uJy"])
def test_flux_per_pixel_is_brought_to_the_size_of_pixel_that_stretches_take(unit):
    of_unit = {"nanomaggy": 1, "nJy": 3631, "uJy": 3.631}[unit]
    content = fits_file(PLANES * np.float32(of_unit * (0.2 / 0.262) ** 2), BUNIT=unit, scale=0.2)
    assert pixels_of(content) == pytest.approx(PLANES, rel=2e-3)
    # The grid of the Legacy Surveys changes nothing, digit by digit.
    assert np.array_equal(pixels_of(fits_file(BUNIT="nanomaggy", scale=0.262)), PLANES)


def test_surface_brightness_is_not(tmp_path):
    fine, coarse = (fits_file(BUNIT="MJy/sr", scale=scale) for scale in (0.1, 1.0))
    assert np.array_equal(pixels_of(fine), pixels_of(coarse))


@pytest.mark.parametrize(
    "unit", ["adu", "ADU", "counts", "DN", "electron", "electrons/s", "e-/s", "count s-1", None]
)
@pytest.mark.parametrize("keyword", ["MAGZERO", "MAGZPT", "MAGZP", "ZP", "PHOTZP"])
def test_zero_points_of_headers(unit, keyword):
    cards = {keyword: 30.0} | ({} if unit is None else {"BUNIT": unit})
    assert pixels_of(fits_file(PLANES * np.float32(1000), **cards)) == pytest.approx(PLANES, rel=1e-5)


@pytest.mark.parametrize(
    ("survey", "pixel"), [("SDSS", 0.396), ("DES", 0.263), ("PS1", 0.25), ("LegacySurvey", 0.262)]
)
def test_files_of_the_viewer_name_their_survey(survey, pixel):
    content = fits_file(PLANES * np.float32((pixel / 0.262) ** 2), SURVEY=survey, IMAGEW=16, IMAGEH=16)
    assert pixels_of(content) == pytest.approx(PLANES, rel=1e-5)
    # The survey as such tells nothing of a file from elsewhere.
    assert np.array_equal(pixels_of(fits_file(SURVEY=survey)), PLANES)


def test_header_of_the_whole_file():
    body = io.BytesIO()
    whole = fits.PrimaryHDU(header=fits.Header({"BUNIT": "counts", "MAGZERO": 30.0, "BANDS": "grz"}))
    fits.HDUList([whole, fits.ImageHDU(PLANES * np.float32(1000))]).writeto(body)
    assert pixels_of(body.getvalue()) == pytest.approx(PLANES, rel=1e-5)


def test_sensitivity_of_hubble():
    """F814W of ACS: PHOTFLAM and PHOTPLAM give the AB zero point 25.94."""
    cards = {"BUNIT": "ELECTRONS/S", "PHOTFLAM": 7.0331e-20, "PHOTPLAM": 8045.0}
    factor = pixels_of(fits_file(**cards))[0, 0, 0] / PLANES[0, 0, 0]
    assert 22.5 - 2.5 * np.log10(factor) == pytest.approx(25.94, abs=0.02)


@pytest.mark.parametrize(
    "unit", ["adu", "counts", "DN/s", "mag", "Jy/beam", "K", "flux", "erg/s/cm2/Angstrom", "Vega nMgy"]
)
def test_what_tells_no_flux_is_refused(unit):
    found = read_image(fits_file(BUNIT=unit))
    assert (found.status, found.pixels) == ("corrupt", None)
    assert unit in found.reason
    assert np.array_equal(pixels_of(fits_file(BUNIT=unit), any_scale=True), PLANES)


def test_said_by_the_survey():
    assert pixels_of(fits_file(), flux=(2.0,)) == pytest.approx(2 * PLANES)
    assert pixels_of(fits_file(), flux=(1.0, 2.0, 3.0), bands="zg") == pytest.approx(
        PLANES[[2, 0]] * [[[3]], [[1]]]
    )
    assert pixels_of(fits_file(BUNIT="counts"), flux=(2.0,)) == pytest.approx(2 * PLANES)
    assert read_image(fits_file(), flux=(1.0, 2.0)).status == "corrupt"


def test_unit_that_contradicts_the_survey_is_refused():
    found = read_image(fits_file(BUNIT="nJy"), flux=(1.0,) * 3)
    assert found.status == "corrupt"
    assert "'nJy'" in found.reason
    assert "zero_point=" in found.reason
    assert pixels_of(fits_file(BUNIT="nanomaggy"), flux=(1.0,) * 3) == pytest.approx(PLANES)


def test_zero_point_that_contradicts_the_survey_is_told():
    with pytest.warns(GalzooWarning, match="is taken as 22.5 have 27.125 in their headers"):
        found = read_image(fits_file(MAGZERO=27.125), flux=(1.0,) * 3)
    assert np.array_equal(found.pixels, PLANES)
    read_image(fits_file(MAGZERO=22.505), flux=(1.0,) * 3)


@pytest.mark.parametrize("unit", ["adu", "mag"])
def test_counts_where_nanomaggies_are_said_to_be(unit):
    with pytest.warns(GalzooWarning, match=f"BUNIT '{unit}'.*said to have nanomaggies"):
        found = read_image(fits_file(BUNIT=unit), flux=(1.0,) * 3)
    assert np.array_equal(found.pixels, PLANES)


def test_factors_need_no_file():
    assert flux_factors({}) == (1.0,)
    assert flux_factors({"MAGZERO": "not known"}) == (1.0,)


def test_other_scale_other_key():
    keys = {
        Picture("a.fits", key=b"0" * 16, flux=flux).key
        for flux in (None, (1.0,), (1.0,) * 3, (0.1,), (0.1, 0.2))
    }
    assert len(keys) == 3
    assert b"0" * 16 in keys
    pictures = [Picture(fits_file(), flux=flux) for flux in ((1.0,), (0.1,))]
    for picture in pictures:
        picture.read()
    assert pictures[0].key != pictures[1].key


def test_column_beside_the_files(tmp_path):
    for name in "ab":
        (tmp_path / f"{name}.fits").write_bytes(fits_file())
    paths = [str(tmp_path / "a.fits"), str(tmp_path / "b.fits"), ""]
    table = Table({"cutout": paths, "cutout_flux_scale": [1.0, 0.5, np.nan]})
    assert flux_scales(table, "cutout") == [(1.0,), (0.5,), None]
    first, second, _ = pictures_of(table, "cutout")
    assert second.read().pixels == pytest.approx(first.read().pixels / 2)
    table["cutout_flux_scale"] = [[1.0, 1.0, 2.0], [0.5, 0.5, 0.5], [np.nan] * 3]
    assert pictures_of(table, "cutout")[0].read().pixels[2] == pytest.approx(2 * PLANES[2])
    assert flux_scales(table, "file_loc") is None


@pytest.mark.parametrize(
    ("cards", "rate"),
    [
        ({"BUNIT": "ELECTRONS/S", "EXPTIME": 500.0}, 1),
        ({"BUNIT": "electrons s-1"}, 1),
        ({"EXPTIME": 500.0}, 1),
        ({"BUNIT": "ELECTRONS", "EXPTIME": 500.0}, 1 / 500),
        ({"BUNIT": "COUNTS", "EXPTIME": "500.0"}, 1 / 500),
    ],
)
def test_sensitivity_is_of_counts_per_second(cards, rate):
    hubble = {"PHOTFLAM": 1e-19, "PHOTPLAM": 6000.0}
    (expected,) = flux_factors(hubble)
    assert flux_factors(hubble | cards) == pytest.approx((expected * rate,))


@pytest.mark.parametrize(
    ("cards", "why"),
    [
        ({"BUNIT": "ELECTRONS", "PHOTFLAM": 1e-19, "PHOTPLAM": 6000.0}, "counts whose flux is unknown"),
        ({"BUNIT": "erg / (s cm2 Angstrom)", "PHOTFLAM": 1e-19, "PHOTPLAM": 6e3}, "no flux per frequency"),
        ({"BUNIT": "mag", "MAGZERO": 25.0}, "no flux per frequency"),
        ({"BUNIT": "DN", "MAGZP": 20.5, "TELESCOP": "WISE"}, "in magnitudes of Vega"),
        ({"MAGZP": 20.9, "ORIGIN": "2MASS"}, "in magnitudes of Vega"),
        ({"MAGZERO": 25.0, "MAGSYS": "Vega"}, "in magnitudes of Vega"),
    ],
)
def test_zero_points_that_are_not_of_these_counts_in_ab_are_refused(cards, why):
    found = read_image(fits_file(**cards))
    assert (found.status, found.pixels) == ("corrupt", None)
    assert why in found.reason
